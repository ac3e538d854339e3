"""A user's token expires in the middle of a refresh, or the next login fails."""

from pathlib import Path

import pytest

from tests.faults.watch import ALL, UP, Course, fleet, request_timeout, watching
from tests.harness import EAST, INTERVAL, Running, meanwhile, put
from tests.palette_server import faults
from tests.palette_server.faultbook import Match
from tests.palette_server.faults import Fault

USER = "someone@example.com"
PASSWORD = "a-password"

DEMO = {"users": {USER: PASSWORD}}

Login = dict[str, str | None]


@pytest.fixture
def login(tmp_path: Path) -> Login:
    path = tmp_path / "password"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    return {"api_key": None, "username": USER, "password_file": str(path)}


@pytest.mark.parametrize("endpoint", ["list_snapshots", "list_vms"])
async def test_a_token_that_expires_between_two_pages_is_renewed_silently(
    endpoint: str, login: Login
) -> None:
    world = fleet()
    for number in range(60):
        put(world, f"vm-{number}", f"nightly-of-{number}")
    async with watching(world, palette=login, demo=DEMO) as exporter:
        before = await exporter.scrape()
        exporter.palette.forget_requests()
        second = Match(cluster_uid=EAST, endpoint=endpoint, page=2)
        expired = meanwhile(exporter.palette.expire_tokens)
        planned = exporter.palette.faults.add(second, expired, times=1)
        await exporter.pass_time(INTERVAL)
        scrape = await exporter.scrape()
        assert planned.hits == 1
        assert 401 in {each.status for each in exporter.asked(endpoint)}
        assert exporter.counted()["authenticate"] == 1
        assert scrape.rows(UP, "cluster_uid") == dict.fromkeys(ALL, 1)
        assert scrape.everything() == before.everything()
        assert exporter.said("warning", "error") == []


LOG_INS = [
    (faults.status(401), "unauthorized"),
    (faults.status(403), "forbidden"),
    (faults.status(429), "rate_limited"),
    (faults.status(500), "server_error"),
    (faults.status(503), "server_error"),
    (faults.hang(), "timeout"),
    (faults.reset(), "connection"),
    (faults.truncate(), "connection"),
    (faults.html(), "invalid_response"),
    (faults.respond(200, b""), "invalid_response"),
    (faults.respond(200, {"Authorization": 5}), "invalid_response"),
    (faults.respond(200, {"Authorization": "two\nlines"}), "invalid_response"),
    (faults.respond(200, {"Authorization": None, "isMfa": True}), "unauthorized"),
    (faults.redirect("http://elsewhere.invalid/"), "invalid_response"),
]


@pytest.mark.parametrize(("fault", "reason"), LOG_INS)
async def test_a_failed_log_in_is_reported_until_it_recovers(
    fault: Fault, reason: str, login: Login
) -> None:
    async with watching(
        fleet(), palette=login, demo=DEMO, request_timeout=request_timeout(reason)
    ) as exporter:
        exporter.palette.forget_requests()
        course = Course(exporter=exporter, failing=ALL, reason=reason)

        def begin() -> None:
            exporter.palette.expire_tokens()
            exporter.palette.faults.add("authenticate", fault)

        await course.assert_reported(begin, exporter.palette.faults.clear)


async def test_a_wrong_password_is_sent_once_an_interval_for_all_callers(
    login: Login,
) -> None:
    async with watching(fleet(), palette=login, demo=DEMO) as exporter:
        exporter.palette.users[USER] = "changed"
        exporter.palette.expire_tokens()
        exporter.palette.forget_requests()
        await exporter.pass_time(10 * INTERVAL)
        assert 10 <= exporter.counted()["authenticate"] <= 11
        assert_logs_once(exporter)


def assert_logs_once(exporter: Running) -> None:
    assert exporter.said("warning") == ["refresh failing"] * len(ALL)
