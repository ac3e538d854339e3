"""Bodies: their encodings, the limit of one, and the limit of all together."""

import asyncio
import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from aiohttp import web

from exporter.palette.client import Palette
from exporter.palette.errors import Forbidden, InvalidResponse, NotFound, Timeout
from tests.palette.conftest import UID, VMS, MakeTransport, Serve, answers, ok, status


def encoded(name: str, body: bytes) -> Callable[[], web.Response]:
    return lambda: web.Response(body=body, headers={"Content-Encoding": name})


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


TEXT = b'[1, "' + b"abc" * 100_000 + b'"]'


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("GZIP", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("identity", TEXT),
        ("", TEXT),
    ],
)
async def test_a_body_is_decompressed(
    serve: Serve, transport_to: MakeTransport, name: str, body: bytes
) -> None:
    handler, seen = answers(encoded(name, body))
    assert await transport_to(await serve(handler)).get(VMS, bytes, path=UID) == TEXT
    assert seen[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("name", ["br", "zstd", "compress", "gzip, gzip"])
async def test_an_encoding_that_was_not_requested_is_named(
    serve: Serve, transport_to: MakeTransport, name: str
) -> None:
    handler, seen = answers(encoded(name, b"\x0b\x02\x80[1]\x03"))
    named = "something unknown" if "," in name else name
    with pytest.raises(
        InvalidResponse, match=f"encoded as {named}, which was not requested"
    ) as caught:
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert not caught.value.retryable
    assert len(seen) == 1


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "deflate"])
@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(TEXT)[:-9], zlib.compress(TEXT)[:-5]])
async def test_a_body_that_cannot_be_decompressed_is_no_answer(
    serve: Serve, transport_to: MakeTransport, name: str, body: bytes
) -> None:
    handler, seen = answers(encoded(name, body))
    with pytest.raises(InvalidResponse, match="cannot be decompressed"):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)
    assert len(seen) == 1


async def test_a_byte_order_mark_does_not_count(serve: Serve, transport_to: MakeTransport) -> None:
    body = '{"metadata": {}, "items": [{"metadata": {"name": "a", "namespace": "n"}}]}'
    handler, _ = answers(ok(body.encode("utf-8-sig")))
    palette = Palette(transport_to(await serve(handler)), lambda fault: None)
    assert [snapshot.name for snapshot in await palette.snapshots("u1")] == ["a"]


@pytest.mark.parametrize("code", [400, 403, 404])
@pytest.mark.parametrize("word", ["ProjectNotFoundInTenant", "ResourceAccessDenied"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
async def test_a_code_that_speaks_of_project_or_access_is_no_missing_object(
    serve: Serve,
    transport_to: MakeTransport,
    code: int,
    word: str,
    pack: Callable[[bytes], bytes],
) -> None:
    handler, _ = answers(status(code, pack(f'{{"code": "{word}"}}'.encode())))
    with pytest.raises(Forbidden, match=word):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)


async def test_any_other_404_is_a_missing_object(serve: Serve, transport_to: MakeTransport) -> None:
    for body in (b'{"code": "ResourceNotFound"}', b"", b"<html>", b'{"code": ["x"]}'):
        handler, _ = answers(status(404, body))
        with pytest.raises(NotFound):
            await transport_to(await serve(handler)).get(VMS, bytes, path=UID)


@pytest.mark.parametrize(
    "error", [TypeError("x"), RecursionError("x"), MemoryError("x"), KeyError("x"), OSError("x")]
)
async def test_an_exception_of_the_decoder_is_an_error_of_the_call(
    serve: Serve, transport_to: MakeTransport, error: Exception
) -> None:
    def decode(body: bytes) -> None:
        raise error

    handler, seen = answers(ok())
    with pytest.raises(InvalidResponse, match=f"cannot be decoded \\({type(error).__name__}\\)"):
        await transport_to(await serve(handler)).get(VMS, decode, path=UID)
    assert len(seen) == 1


# --- sizes


def bomb(mebibytes: int) -> bytes:
    """Return a gzip stream that inflates to this size; after a full flush its blocks repeat."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(2**20)
    head = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + again * (mebibytes - 1)


async def test_a_gzip_bomb_takes_no_memory(serve: Serve, transport_to: MakeTransport) -> None:
    handler, seen = answers(encoded("gzip", bomb(1024)))
    transport = transport_to(await serve(handler))
    tracemalloc.start()
    try:
        with pytest.raises(InvalidResponse, match="more than 32 MiB"):
            await transport.get(VMS, bytes, path=UID)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert len(seen) == 1


async def test_many_large_answers_wait_for_one_another(
    serve: Serve, transport_to: MakeTransport
) -> None:
    body = bytearray(b" " * (31 * 2**20))
    body[0:2], body[-1:] = b'["', b'"'
    packed = gzip.compress(body + b"]")
    handler, _ = answers(encoded("gzip", packed))
    transport = transport_to(await serve(handler), timeout=60.0)
    tracemalloc.start()
    try:
        calls = (transport.get(VMS, len, path=UID) for _ in range(8))
        assert set(await asyncio.gather(*calls)) == {len(body) + 1}
        assert tracemalloc.get_traced_memory()[1] < 160 * 2**20
    finally:
        tracemalloc.stop()


async def test_answers_that_are_large_also_when_compressed_do_not_wait_for_themselves(
    serve: Serve, transport_to: MakeTransport
) -> None:
    text = random.Random(1).randbytes(3 * 2**20).hex().encode()
    packed = gzip.compress(text, 1)
    assert len(packed) > 2**20
    handler, _ = answers(encoded("gzip", packed))
    transport = transport_to(await serve(handler), timeout=20.0)
    calls = (transport.get(VMS, len, path=UID, retry_for=0) for _ in range(4))
    assert set(await asyncio.gather(*calls)) == {len(text)}


async def test_a_body_that_announces_too_much_is_not_read(
    serve: Serve, transport_to: MakeTransport
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(2**25 + 1)})
        await response.prepare(request)
        await asyncio.sleep(60)
        return response

    with pytest.raises(InvalidResponse, match="more than 32 MiB"):
        await transport_to(await serve(handler)).get(VMS, bytes, path=UID)


async def test_a_body_of_just_the_limit_is_read(serve: Serve, transport_to: MakeTransport) -> None:
    handler, _ = answers(ok(bytes(2**25)))
    assert await transport_to(await serve(handler)).get(VMS, len, path=UID) == 2**25


async def test_a_large_answer_that_hangs_does_not_hold_small_ones_back(
    serve: Serve, transport_to: MakeTransport
) -> None:
    hanging = 0
    all_hang = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal hanging
        if request.path.endswith("/small/vms"):
            return ok(b"[1]")()
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(bytes(2 * 2**20))
        hanging += 1
        if hanging == 5:
            all_hang.set()
        await asyncio.sleep(60)
        return response

    transport = transport_to(await serve(handler))
    calls = [
        asyncio.create_task(transport.get(VMS, bytes, path={"uid": "large"})) for _ in range(5)
    ]
    async with asyncio.timeout(20):
        await all_hang.wait()
        assert await transport.get(VMS, bytes, path={"uid": "small"}) == b"[1]"
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)


async def test_a_cancelled_large_answer_frees_its_memory_budget(
    serve: Serve, transport_to: MakeTransport
) -> None:
    large = bytes(2 * 2**20)

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(large)
        if request.path.endswith("/hangs/vms"):
            await asyncio.sleep(60)
        return response

    base = await serve(handler)
    transport = transport_to(base, timeout=1.0)
    calls = [transport.get(VMS, bytes, path={"uid": "hangs"}, retry_for=0) for _ in range(3)]
    assert all(
        isinstance(error, Timeout) for error in await asyncio.gather(*calls, return_exceptions=True)
    )
    transport.access = replace(transport.access, timeout=20.0)
    async with asyncio.timeout(20):
        assert await transport.get(VMS, len, path=UID) == len(large)
