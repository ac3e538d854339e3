"""Bodies of answers, read so that none of them takes all of the memory or of the time."""

import asyncio
from mmap import mmap

import aiohttp

from exporter.palette.call import Call
from exporter.palette.errors import InvalidResponse

BODY_LIMIT = 32 * 1024 * 1024
"""Bytes, after decompression."""

STRIDE = 1024 * 1024
"""Bytes of a body that are read at a stretch."""

PAUSE = 0.005
"""Seconds left to others after that; as long as it takes to inflate so much."""

COMPLAINT_LIMIT = 64 * 1024
"""Bytes; no error's body that is longer is looked at."""


async def body_of(response: aiohttp.ClientResponse, call: Call) -> bytes:
    """Return the body, decompressed; of an error's as much as comes promptly.

    Raises InvalidResponse where a good answer is larger than any page.
    """
    if response.status != 200:
        return await _complaint(response)
    fits = (response.content_length or 0) <= BODY_LIMIT
    body = await _read(response, BODY_LIMIT) if fits else None
    if body is None:
        raise InvalidResponse(f"{call} was answered with more than {BODY_LIMIT // 2**20} MiB")
    return body


async def _complaint(response: aiohttp.ClientResponse) -> bytes:
    """Return an error's body if it comes promptly; the status is what counts."""
    try:
        async with asyncio.timeout(1.0):
            return await _read(response, COMPLAINT_LIMIT) or b""
    except (TimeoutError, aiohttp.ClientError, OSError):
        return b""


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Return the body, or None past the limit; aiohttp inflates it bit by bit as it is read."""
    # Not on the heap, which keeps for itself what it once had: a bomb must leave nothing behind.
    with mmap(-1, limit) as body:
        pause_at = STRIDE
        async for chunk in response.content.iter_any():
            if body.tell() + len(chunk) > limit:
                return None
            body.write(chunk)
            # What is inflated out of a few bytes comes without ever waiting for the network.
            if body.tell() >= pause_at:
                pause_at = body.tell() + STRIDE
                await asyncio.sleep(PAUSE)
        return body[: body.tell()]
