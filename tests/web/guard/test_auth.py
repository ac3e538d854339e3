"""Basic auth: who is let in, what a flood of wrong passwords costs, and whom it delays."""

import asyncio
import base64
import time
from pathlib import Path

import pytest

from exporter.web.guard.auth import Login, _nobodys, login
from exporter.web.guard.passwords import FAILED_FOR, MOST_WAITING, PASSED_FOR, Passwords
from exporter.web.guard.passwords import TooManyWaitingError as TooMany
from tests.process import eventually
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
async def test_what_gives_no_user_and_password_is_refused(web_file: WebFile, header: str) -> None:
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


async def test_users_are_read_anew_and_a_broken_file_changes_nothing(web_file: WebFile) -> None:
    async with guarded(web_file) as exporter:
        assert (await ask(exporter.url, headers=USER)).status == 200
        web_file.write(basic_auth_users={"other": hashed("new")})
        assert (await ask(exporter.url, headers=USER)).status == 401
        assert (await ask(exporter.url, headers=basic("other", "new"))).status == 200
        for text in ("basic_auth_users: {other: S3CR3T}", "basic_auth_users: {other: S3CR3T }"):
            web_file.path.write_text(text)
            for _ in range(3):
                assert (await ask(exporter.url, headers=basic("other", "new"))).status == 200
        web_file.path.unlink()
        assert (await ask(exporter.url)).status == 401
        (broken, gone) = [line for line in exporter.log if line["log_level"] == "error"]
        assert "web.config_file: basic_auth_users: entry 1: " in broken["reason"]
        assert "No such file" in gone["reason"]
        assert "S3CR3T" not in str(exporter.log)
        web_file.write(basic_auth_users={"third": hashed("new")})
        assert (await ask(exporter.url, headers=basic("third", "new"))).status == 200


async def test_a_flood_of_wrong_passwords_delays_nobody_who_is_known(tmp_path: Path) -> None:
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
        # The flood takes some ten seconds; whoever had to wait for it would come after it.
        assert sum(not each.done() for each in waiting) >= 10
        assert {each.result().status for each in done} == {401}
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)


async def test_unknown_users_take_as_long_as_known_ones() -> None:
    users = {"known": hashed("pw", 9).encode()}
    passwords = Passwords()

    async def seconds(name: str, attempt: int) -> float:
        stored = users.get(name) or _nobodys(name, users, passwords)
        began = time.perf_counter()
        given = f"wrong {attempt}".encode()
        assert not await passwords.match(stored, given, name=name, address="")
        return time.perf_counter() - began

    # Taken in turns, and the least of each: a busy machine makes single ones late.
    taken = [(await seconds("known", n), await seconds("unknown", n)) for n in range(12)]
    known, unknown = (min(each) for each in zip(*taken, strict=True))
    assert 1 / 3 < known / unknown < 3


def test_an_unknown_user_costs_what_one_of_the_known_costs_and_always_the_same() -> None:
    users = {f"user {cost}": hashed("pw", cost).encode() for cost in (4, 5, 6)}
    passwords = Passwords()
    costs = {name: _nobodys(name, users, passwords)[4:6] for name in map(str, range(100))}
    assert set(costs.values()) == {b"04", b"05", b"06"}
    again = {name: _nobodys(name, users, passwords)[4:6] for name in costs}
    assert costs == again


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_results_are_remembered_briefly_and_without_the_password() -> None:
    clock = Clock()
    passwords, stored = Passwords(clock), hashed("secret word").encode()

    async def checks(password: bytes) -> bool:
        """Tell whether a password had to be checked again."""
        asking = asyncio.create_task(passwords.match(stored, password, name="a", address=""))
        await asyncio.sleep(0)
        checked = not asking.done()
        assert await asking is (password == b"secret word")
        return checked

    for password, lifetime in ((b"secret word", PASSED_FOR), (b"wrong", FAILED_FOR)):
        assert await checks(password)
        assert not await checks(password)
        clock.now += lifetime - 1
        assert not await checks(password)
        clock.now += lifetime + 1
        assert await checks(password)
    kept = (passwords._passed._until, passwords._failed._until, passwords._under_way)
    assert [len(each) for each in kept] == [1, 1, 0]
    assert b"secret" not in b"".join([*passwords._passed._until, *passwords._failed._until])
    changed = hashed("secret word").encode()
    assert await passwords.match(changed, b"secret word", name="a", address="")
    assert len(passwords._passed._until) == 2


async def test_the_same_question_at_the_same_time_is_worked_out_once() -> None:
    passwords, stored = Passwords(), hashed("pw", 8).encode()
    asking = [
        asyncio.create_task(passwords.match(stored, b"pw", name="a", address=str(number)))
        for number in range(20)
    ]
    await asyncio.sleep(0)
    assert len(passwords._under_way) == 1
    asking[0].cancel()
    assert await asyncio.gather(*asking[1:]) == [True] * 19


async def test_each_address_has_its_turn_and_no_more_than_its_share_waits() -> None:
    passwords, stored = Passwords(), hashed("pw", 8).encode()
    order: list[str] = []

    async def match(password: str, address: str) -> None:
        await passwords.match(stored, password.encode(), name="a", address=address)
        order.append(address)

    flood = [asyncio.create_task(match(f"{number}", "flood")) for number in range(MOST_WAITING + 1)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await match("one too many", "flood")
    await match("pw", "elsewhere")
    assert order.count("flood") <= 2
    for each in flood:
        each.cancel()
    await asyncio.wait(flood)

    async def at_rest() -> bool:
        return not passwords._under_way and not passwords._waiting

    await eventually(at_rest)


def test_a_login_is_read_as_it_is_written() -> None:
    assert login("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == Login("Aladdin", b"open sesame")
    assert login("bAsIc   QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == Login("Aladdin", b"open sesame")
    assert login("Basic Ojo=") == Login("", b":")
    assert "sesame" not in repr(login("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))
