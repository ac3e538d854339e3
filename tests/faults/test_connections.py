"""Palette cannot be reached: faults of names, connections and certificates."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.faults.front import HOST, Front
from tests.faults.watch import ALL, Course, fleet, request_timeout, watching

NAME = "palette.test"
"""The host name of Palette; its name server can fail."""


@asynccontextmanager
async def behind(
    front: Front, origin: str, reason: str = "connection", **palette: Any
) -> AsyncIterator[Course]:
    """Watch a Palette that is reached through ``front``; origin: scheme and host."""
    async with front:
        settings = {"url": f"{origin}:{front.port}", **palette}
        async with watching(
            fleet(), front=front, palette=settings, request_timeout=request_timeout(reason)
        ) as exporter:
            yield Course(exporter=exporter, failing=ALL, reason=reason)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Front.refuses, "connection"),
        (Front.resets, "connection"),
        (Front.hangs, "timeout"),
        (Front.is_silent, "timeout"),
    ],
)
async def test_a_palette_that_cannot_be_reached_is_reported_until_it_recovers(
    fault: Callable[[Front], Awaitable[None]], reason: str
) -> None:
    front = Front()
    async with behind(front, f"http://{HOST}", reason) as course:
        await course.assert_reported(lambda: fault(front), front.passes)


@dataclass
class NameServer:
    """Resolves one name to loopback, unless it fails."""

    ask: Callable[..., Awaitable[Any]]
    failing: bool = False

    async def __call__(self, host: str, *args: Any, **kwargs: Any) -> Any:
        if host == NAME and self.failing:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return await self.ask(HOST if host == NAME else host, *args, **kwargs)


async def test_a_name_that_cannot_be_resolved_is_reported_until_it_recovers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, front = asyncio.get_running_loop(), Front()
    names = NameServer(loop.getaddrinfo)
    monkeypatch.setattr(loop, "getaddrinfo", names)
    async with behind(front, f"http://{NAME}") as course:

        async def fail() -> None:
            names.failing = True
            # After a failed connection, the next one resolves the address again.
            await front.refuses()

        async def recover() -> None:
            names.failing = False
            await front.passes()

        await course.assert_reported(fail, recover)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


Certificates = dict[str, Callable[[trustme.CA], trustme.LeafCert]]

BAD: Certificates = {
    "unknown authority": lambda _: trustme.CA().issue_cert("localhost"),
    "expired": lambda ca: ca.issue_cert(
        "localhost",
        not_before=datetime(2019, 1, 1, tzinfo=UTC),
        not_after=datetime(2020, 1, 1, tzinfo=UTC),
    ),
    "not valid yet": lambda ca: ca.issue_cert(
        "localhost", not_before=datetime(2999, 1, 1, tzinfo=UTC)
    ),
    "other host": lambda ca: ca.issue_cert("elsewhere.example"),
}


def presenting(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return a context with a self-signed certificate."""
    authority = trustme.CA()
    for name, blob in (("cert", authority.cert_pem), ("key", authority.private_key_pem)):
        blob.write_to_path(str(folder / name))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context


@pytest.mark.parametrize("why", [*BAD, "self-signed"])
async def test_a_certificate_that_is_not_accepted_is_reported_until_it_recovers(
    why: str, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    good = presenting(authority.issue_cert("localhost"))
    bad = presenting(BAD[why](authority)) if why in BAD else self_signed(tmp_path)
    front = Front(good)
    tls = {"ca_file": str(tmp_path / "ca.pem")}
    async with behind(front, "https://localhost", tls=tls) as course:
        await course.assert_reported(lambda: front.passes(bad), lambda: front.passes(good))
        errors = {each["error"] for each in course.exporter.events("refresh failing")}
        assert all("certificate" in error and "not accepted" in error for error in errors), errors


async def test_a_tls_greeting_that_never_comes_runs_into_the_timeout(
    authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    front = Front(presenting(authority.issue_cert("localhost")))
    tls = {"ca_file": str(tmp_path / "ca.pem")}
    async with behind(front, "https://localhost", "timeout", tls=tls) as course:
        await course.assert_reported(front.is_silent, front.passes)
