"""The proxy between the exporter and Palette."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from exporter.palette.errors import (
    ConnectionFailed,
)
from exporter.palette.session import Session
from tests.palette.conftest import (
    KEY,
    PROXY_PASSWORD,
    UID,
    VMS,
    MakeTransport,
    Serve,
    answers,
    free_port,
    ok,
    trusting,
)


@asynccontextmanager
async def proxy(refusal: bytes = b"") -> AsyncIterator[tuple[str, list[bytes]]]:
    """Tunnel CONNECT, forward absolute URIs, record the heads of the requests."""
    heads: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        if refusal:
            writer.write(refusal)
            writer.close()
            return
        target = head.split(b" ")[1].removeprefix(b"http://").split(b"/")[0].decode()
        host, port = target.split(":")
        upstream, onward = await asyncio.open_connection(host, int(port))
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            onward.write(head)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pump(reader, onward))
            tasks.create_task(pump(upstream, writer))

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    async with server:
        yield f"http://user:{PROXY_PASSWORD}@127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


async def test_plain_http_uses_the_proxy(
    serve: Serve, transport_to: MakeTransport, session: Session
) -> None:
    handler, _ = answers(ok())
    base = await serve(handler)
    async with proxy() as (url, heads):
        transport = transport_to(base, proxy=url)
        assert await transport.get(VMS, bytes, path={"uid": "a b"}) == b"{}"
        await session.close()
    assert heads[0].startswith(f"GET {base}/v1/spectroclusters/a%20b/vms HTTP".encode())
    assert b"Proxy-Authorization: Basic" in heads[0]


async def test_https_uses_a_tunnel_through_the_proxy(
    serve: Serve, transport_to: MakeTransport, session: Session, tls: ssl.SSLContext, ca: trustme.CA
) -> None:
    handler, _ = answers(ok())
    base = await serve(handler, tls=tls, host="localhost")
    async with proxy() as (url, heads):
        transport = transport_to(base, proxy=url, ssl=trusting(ca))
        assert await transport.get(VMS, bytes, path=UID) == b"{}"
        await session.close()
    assert heads[0].startswith(b"CONNECT localhost:")
    assert KEY.encode() not in heads[0]


async def test_a_proxy_that_is_down_says_so(transport_to: MakeTransport) -> None:
    port = free_port()
    transport = transport_to(
        "https://localhost", proxy=f"http://user:{PROXY_PASSWORD}@127.0.0.1:{port}"
    )
    with pytest.raises(
        ConnectionFailed, match=f"^no connection to the proxy 127.0.0.1:{port}: connection refused$"
    ):
        await transport.get(VMS, bytes, path=UID)


async def test_a_refusal_of_the_proxy_is_reported_and_not_retried(
    transport_to: MakeTransport,
) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with proxy(refusal) as (url, heads):
        with pytest.raises(
            ConnectionFailed, match="proxy refused to connect to localhost:443: it answered 407"
        ):
            await transport_to("https://localhost", proxy=url).get(VMS, bytes, path=UID)
    assert len(heads) == 1
