"""Waits: for Retry-After, for a retry, and for the budget."""

import asyncio
from email.utils import formatdate
from time import monotonic, time

import pytest
import stamina

from exporter.palette.budget import Budget
from exporter.palette.errors import (
    RateLimited,
    ServerError,
)
from tests.palette.conftest import (
    ONE,
    UID,
    VMS,
    MakeTransport,
    Record,
    Serve,
    answers,
    ok,
    status,
)


async def test_a_429_holds_back_every_request_until_retry_after(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(status(429, Retry_After="1"), ok())
    transport = transport_to(await serve(handler))
    started = monotonic()
    with pytest.raises(RateLimited):
        await transport.get(VMS, bytes, path=UID, retry_for=0)
    await transport.get(ONE, bytes, path=dict.fromkeys(("uid", "vmName", "snapshotName"), "x"))
    assert monotonic() - started >= 1.0
    assert len(record.waits) == 1
    assert record.waits[0] >= 0.9
    assert record.codes == ["429", "200"]


async def test_a_429_does_not_delay_other_parent_resources(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(status(429, Retry_After="60"), ok())
    transport = transport_to(await serve(handler))
    with pytest.raises(RateLimited):
        await transport.get(VMS, bytes, path=UID)
    await transport.get("/v1/dashboard/spectroclusters/vms", bytes)
    assert sum(record.waits) < 1.0


async def test_retry_after_is_waited_for_before_the_retry(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, _ = answers(status(503, Retry_After="1"), ok())
    transport = transport_to(await serve(handler))
    started = monotonic()
    with stamina.set_testing(False):
        await transport.get(VMS, bytes, path=UID)
    assert monotonic() - started >= 1.0


async def test_retry_after_as_a_date_is_read_by_the_servers_clock(
    serve: Serve, transport_to: MakeTransport
) -> None:
    an_hour_off = time() + 3600
    late = status(
        503, Retry_After=formatdate(an_hour_off + 1, usegmt=True), Date=formatdate(an_hour_off)
    )
    handler, _ = answers(late, ok())
    transport = transport_to(await serve(handler))
    started = monotonic()
    with stamina.set_testing(False):
        await transport.get(VMS, bytes, path=UID)
    assert monotonic() - started >= 1.0


@pytest.mark.parametrize("code", [429, 503])
async def test_a_retry_after_beyond_the_callers_time_fails_at_once(
    serve: Serve, transport_to: MakeTransport, code: int
) -> None:
    handler, seen = answers(status(code, Retry_After="20"))
    transport = transport_to(await serve(handler))
    with pytest.raises(RateLimited if code == 429 else ServerError):
        await transport.get(VMS, bytes, path=UID, retry_for=10)
    assert len(seen) == 1


async def test_during_a_long_pause_requests_fail_instead_of_waiting(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, seen = answers(status(429, Retry_After="250"))
    transport = transport_to(await serve(handler))
    for _ in range(3):
        with pytest.raises(RateLimited):
            await transport.get(VMS, bytes, path=UID)
    assert len(seen) == 1


@pytest.mark.parametrize("value", ["20", "9" * 40])
async def test_a_pause_of_any_length_is_believed_up_to_a_bound(
    serve: Serve, transport_to: MakeTransport, value: str
) -> None:
    handler, seen = answers(status(429, Retry_After=value), ok())
    with pytest.raises(RateLimited):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID, retry_for=10)
    assert len(seen) == 1


NO_CLOCK_HAS = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"


@pytest.mark.parametrize("value", ["soon", "-5", "1e9", "", "Wed, 99 Foo", "0", NO_CLOCK_HAS])
async def test_a_senseless_retry_after_is_as_good_as_none(
    serve: Serve, transport_to: MakeTransport, value: str
) -> None:
    handler, _ = answers(status(429, Retry_After=value), ok())
    assert await transport_to(await serve(handler)).get(VMS, bytes, path=UID) == b"{}"


async def test_requests_wait_for_their_turn_in_the_budget(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(ok())
    # The last waits longer than the timeout, which does not include waits for the budget.
    transport = transport_to(await serve(handler), budget=Budget(4, 1), timeout=1)
    started = monotonic()
    await asyncio.gather(*(transport.get(VMS, bytes, path=UID) for _ in range(6)))
    assert monotonic() - started >= 1.25
    assert sum(wait > 0.2 for wait in record.waits) == 5


async def test_waiting_for_the_budget_uses_up_nobodys_retries(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, _ = answers(ok(), status(503), ok())
    transport = transport_to(await serve(handler), budget=Budget(4, 1))
    await transport.get(VMS, bytes, path=UID)
    await transport.get(VMS, bytes, path=UID, retry_for=0.1)
    assert record.codes == ["200", "503", "200"]
