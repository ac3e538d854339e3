"""Redirects are followed within Palette only."""

import pytest
from aiohttp import web

from exporter.palette.errors import (
    InvalidResponse,
)
from tests.palette.conftest import KEY, UID, VMS, MakeTransport, Record, Serve, answers, ok, status


async def test_a_redirect_within_palette_is_followed(
    serve: Serve, transport_to: MakeTransport, record: Record
) -> None:
    handler, seen = answers(status(307, Location="/moved%2Fto?a=%25"), ok(b"[1]"))
    assert await transport_to(await serve(handler)).get(VMS, bytes, path=UID) == b"[1]"
    assert seen[1].raw_path == "/moved%2Fto?a=%25"
    assert seen[1].headers["ApiKey"] == KEY
    assert record.codes == ["307", "200"]


async def test_redirects_that_go_round_in_circles_end(
    serve: Serve, transport_to: MakeTransport
) -> None:
    handler, seen = answers(status(302, Location="/again"))
    with pytest.raises(InvalidResponse, match="redirected more than 3 times"):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert len(seen) == 4


async def test_the_credential_is_sent_to_no_other_host(
    serve: Serve, transport_to: MakeTransport
) -> None:
    other, stolen = answers(ok())
    other_base = await serve(other)
    handler, _ = answers(status(302, Location=f"{other_base}/v1/x"))
    with pytest.raises(InvalidResponse, match=r"another host, 127.0.0.1:\d+; check palette.url"):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert stolen == []


@pytest.mark.parametrize(
    "location",
    [
        "//evil.example/v1",
        "https://127.0.0.1/",
        "http://[",
        "http://user:pw@{host}/",
        "ftp://x",
        f"http://{KEY}.evil.example/",
        "https://xn--/",
        "http://xn--a.{host}/",
        "http://:x@{host}/",
        "http://user@{host}/",
        "http://{host}:99999/",
        "",
    ],
)
async def test_a_redirect_elsewhere_is_refused_without_repeating_a_secret(
    serve: Serve, transport_to: MakeTransport, location: str
) -> None:
    hosts: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        hosts.append(request.host)
        return web.Response(status=302, headers={"Location": location.format(host=request.host)})

    with pytest.raises(InvalidResponse) as caught:
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert KEY not in str(caught.value)
    if location:
        assert len(hosts) == 1
