"""Basic auth: which clients are answered, and what a flood of wrong passwords costs."""

import asyncio
import base64
import time
from pathlib import Path

import pytest

from exporter.web.guard.access import login
from exporter.web.guard.passwords import MOST_WAITING, REMEMBERED_FOR, Passwords
from exporter.web.guard.passwords import TooManyWaitingError as TooMany
from tests.web.guard.guarded import SLOW, WebFile, ask, basic, guarded, hashed

USER = basic("prometheus", "pw")
PATHS = (
    "/",
    "/metrics",
    "/probe",
    "/-/healthy",
    "/-/ready",
    "/-/reload",
    "/api/v1",
    "/none",
    "/%00",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND")


@pytest.fixture
def web_file(tmp_path: Path) -> WebFile:
    web_file = WebFile(tmp_path)
    web_file.write(basic_auth_users={"prometheus": hashed("pw")})
    return web_file


async def test_nothing_is_answered_before_the_password(web_file: WebFile) -> None:
    async with guarded(web_file) as exporter:
        for path in PATHS:
            for method in METHODS:
                refused = await ask(exporter.url, path, method)
                assert refused.status == 401, (method, path)
                assert refused.headers["WWW-Authenticate"] == "Basic"
                assert refused.text in ("Unauthorized\n", "")
                assert (await ask(exporter.url, path, method, headers=USER)).status != 401
        big = await ask(exporter.url, "/metrics", "POST", data=b"x" * 100_000)
        assert big.status == 401
        assert (await ask(exporter.url, "/metrics", "BREW")).status == 400


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Bearer cHJvbWV0aGV1czpwdw==",
        "Basic cHJvbWV0aGV1cw==",
        "Basic /w==",
    ],
)
async def test_a_header_without_a_password_is_refused(web_file: WebFile, header: str) -> None:
    async with guarded(web_file) as exporter:
        assert (await ask(exporter.url, headers={"Authorization": header})).status == 401


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("prometheus", "no"),
        ("prometheus", ""),
        ("prometheus", "pw "),
        ("Prometheus", "pw"),
        ("", "pw"),
    ],
)
async def test_a_wrong_user_or_password_is_refused(
    web_file: WebFile, name: str, password: str
) -> None:
    async with guarded(web_file) as exporter:
        assert (await ask(exporter.url, headers=basic(name, password))).status == 401
        assert (await ask(exporter.url, headers=basic(name, password))).status == 401
        assert (await ask(exporter.url, headers=USER)).status == 200


async def test_passwords_of_any_length_and_letters_are_compared(tmp_path: Path) -> None:
    web_file, long = WebFile(tmp_path), "p" * 80
    web_file.write(basic_auth_users={"ä": hashed("ö:ü"), "long": hashed(long[:72])})
    async with guarded(web_file) as exporter:
        for name, password, status in (
            ("ä", "ö:ü", 200),
            ("ä", "ö", 401),
            ("long", long, 200),
            ("long", long[:71], 401),
        ):
            token = base64.b64encode(f"{name}:{password}".encode()).decode()
            given = {"Authorization": f"Basic {token}"}
            assert (await ask(exporter.url, headers=given)).status == status


async def test_health_paths_are_open_only_by_a_setting(web_file: WebFile) -> None:
    async with guarded(web_file, open_health_paths=True) as exporter:
        assert (await ask(exporter.url, "/-/healthy")).status == 200
        assert (await ask(exporter.url, "/-/ready")).status in (200, 503)
        for path in ("/metrics", "/", "/-/healthy/", "/-//healthy", "/-/reload"):
            assert (await ask(exporter.url, path)).status == 401


async def test_a_flood_of_wrong_passwords_does_not_delay_remembered_ones(tmp_path: Path) -> None:
    web_file = WebFile(tmp_path)
    web_file.write(basic_auth_users={"prometheus": hashed("pw", SLOW)})
    async with guarded(web_file, open_health_paths=True) as exporter:
        assert (await ask(exporter.url, headers=USER)).status == 200
        flood = [
            asyncio.create_task(ask(exporter.url, headers=basic("prometheus", f"wrong {number}")))
            for number in range(20)
        ]
        done, waiting = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
        for _ in range(10):
            assert (await ask(exporter.url, headers=USER)).status == 200
            assert (await ask(exporter.url, "/-/healthy")).status == 200
        # The flood takes about ten seconds; a client that waits for it would be answered after it.
        assert sum(not each.done() for each in waiting) >= 10
        assert {each.result().status for each in done} == {401}
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)


async def test_unknown_users_take_as_long_as_known_ones() -> None:
    users = {"known": hashed("pw", 9).encode()}
    passwords = Passwords()

    async def seconds(name: str, attempt: int) -> float:
        began = time.perf_counter()
        assert not await passwords.is_right(users, name, f"wrong {attempt}".encode())
        return time.perf_counter() - began

    # Measured alternately, and the minimum of each: a busy machine makes single ones late.
    taken = [(await seconds("known", n), await seconds("unknown", n)) for n in range(12)]
    known, unknown = (min(each) for each in zip(*taken, strict=True))
    assert 1 / 3 < known / unknown < 3


def test_an_unknown_user_takes_as_long_as_a_known_one() -> None:
    users = {f"user {cost}": hashed("pw", cost).encode() for cost in (4, 5, 6)}
    passwords = Passwords()
    costs = {name: passwords.decoy(users, name)[4:6] for name in map(str, range(100))}
    assert set(costs.values()) == {b"04", b"05", b"06"}
    again = {name: passwords.decoy(users, name)[4:6] for name in costs}
    assert costs == again


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_right_password_is_checked_again_only_when_it_was_not_used_for_long() -> None:
    clock = Clock()
    passwords, stored = Passwords(clock), hashed("secret word").encode()

    async def checks(password: bytes, hashed: bytes = stored) -> bool:
        """Return whether a password had to be checked, which takes a thread."""
        matching = asyncio.create_task(passwords.is_right({"a": hashed}, "a", password))
        await asyncio.sleep(0)
        checked = not matching.done()
        assert await matching is (password == b"secret word")
        return checked

    assert await checks(b"secret word")
    for _ in range(3):
        clock.now += REMEMBERED_FOR - 1
        assert not await checks(b"secret word")
    clock.now += REMEMBERED_FOR + 1
    assert await checks(b"secret word")
    assert await checks(b"secret word", hashed("secret word").encode())
    for _ in range(2):
        assert await checks(b"wrong")


async def test_what_is_remembered_does_not_grow_with_new_hashes_of_a_password() -> None:
    clock = Clock()
    passwords = Passwords(clock)
    for _ in range(5):
        clock.now += REMEMBERED_FOR / 2
        assert await passwords.is_right({"a": hashed("pw").encode()}, "a", b"pw")
    assert len(passwords._used) == 2


async def test_no_more_passwords_wait_than_are_checked_in_some_seconds() -> None:
    passwords, stored = Passwords(), hashed("pw", 8).encode()

    def match(password: str) -> asyncio.Task[bool]:
        return asyncio.create_task(passwords.is_right({"a": stored}, "a", password.encode()))

    flood = [match(f"{number}") for number in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await match("one too many")
    for each in flood[1:]:
        each.cancel()
    assert await match("pw")
    assert await flood[0] is False


async def test_the_same_password_at_the_same_time_is_checked_once() -> None:
    passwords, stored = Passwords(), hashed("pw", 9).encode()

    def match(password: bytes) -> asyncio.Task[bool]:
        return asyncio.create_task(passwords.is_right({"a": stored}, "a", password))

    began = time.perf_counter()
    assert not await match(b"wrong")
    once = time.perf_counter() - began
    same = [match(b"pw") for _ in range(40)]
    same[0].cancel()
    began = time.perf_counter()
    assert await asyncio.gather(*same[1:]) == [True] * 39
    assert time.perf_counter() - began < 20 * once


async def test_failed_logins_are_counted(web_file: WebFile) -> None:
    async with guarded(web_file) as exporter:
        for headers in ({}, basic("prometheus", "wrong"), basic("nobody", "pw")):
            assert (await ask(exporter.url, headers=headers)).status == 401
        text = (await ask(exporter.url, headers=USER)).text
        assert "\npalette_exporter_login_failures_total 3.0\n" in text


def test_a_login_is_read_as_it_is_written() -> None:
    assert login("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == ("Aladdin", b"open sesame")
    assert login("bAsIc   QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == ("Aladdin", b"open sesame")
    assert login("Basic Ojo=") == ("", b":")
