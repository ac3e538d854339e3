"""A real server, a real session, and a record of their requests."""

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import stamina
import trustme
from aiohttp import web

from exporter.palette.auth import ApiKey
from exporter.palette.budget import Budget
from exporter.palette.request import Access
from exporter.palette.session import Session
from exporter.palette.transport import Transport

KEY = "canary-key-7f3a9c51"
PROXY_PASSWORD = "canary-pw-41d8"

VMS = "/v1/spectroclusters/{uid}/vms"
ONE = "/v1/spectroclusters/{uid}/vms/{vmName}/snapshot/{snapshotName}"
UID = {"uid": "u1"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[str]]
MakeTransport = Callable[..., Transport]


@dataclass
class Record:
    """The reports of a transport: (endpoint, code) of each request, and the waits in seconds."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((endpoint, code))

    def throttled(self, seconds: float) -> None:
        self.waits.append(seconds)

    @property
    def codes(self) -> list[str]:
        return [code for _, code in self.requests]


@pytest.fixture(autouse=True)
def _retries_follow_at_once() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve a handler for any path on a free port; return the base URL."""
    async with AsyncExitStack() as stack:

        async def start(
            handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
        ) -> str:
            server = web.Server(handler)  # type: ignore[arg-type]
            runner = web.ServerRunner(server, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
            port = runner.addresses[0][1]
            return f"{'https' if tls else 'http'}://{host}:{port}"

        yield start


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    session = Session("tests/1.0")
    yield session
    await session.close()


@pytest.fixture
def transport_to(session: Session, record: Record) -> MakeTransport:
    def make(base_url: str, budget: Budget | None = None, **access: Any) -> Transport:
        way: dict[str, Any] = {"credential": ApiKey(KEY), "timeout": 30.0} | access
        budget = budget or Budget(10_000, 10_000)
        return Transport(session, Access(base_url=base_url, **way), budget, record)

    return make


def answers(*responses: Callable[[], web.StreamResponse]) -> tuple[Handler, list[web.BaseRequest]]:
    """Return a handler that gives these answers in turn and repeats the last, and its requests."""
    seen: list[web.BaseRequest] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return responses[min(len(seen), len(responses)) - 1]()

    return handler, seen


def ok(body: bytes = b"{}") -> Callable[[], web.Response]:
    return lambda: web.Response(body=body, content_type="application/json")


def status(code: int, body: bytes = b"", **headers: str) -> Callable[[], web.Response]:
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: web.Response(status=code, body=body, headers=renamed)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost").configure_cert(context)
    return context


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context
