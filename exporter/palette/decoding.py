"""Decoding that holds up nobody, however much there is to decode."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from exporter.palette.errors import InvalidResponse

T = TypeVar("T")

AT_ONCE = 256 * 1024
"""Bytes; fifty snapshots have a quarter of that. What is longer is decoded beside the loop."""

MOST_VALUES = 250_000
"""Fifty virtual machines have a tenth of that; each value becomes an object of its own, at the
price of some thirty of its bytes."""


class Decoder:
    """Decodes one body at a time, and lets everything else go first.

    Answers that come together, as they do after a pause, would else hold the event loop for as
    long as all of them take.
    """

    def __init__(self) -> None:
        self._queue = asyncio.Lock()

    async def __call__(self, body: bytes, decode: Callable[[bytes], T]) -> T:
        """Return what decode makes of a body.

        Raises InvalidResponse, before decoding, where there are more values than any page has.
        """
        if body.count(b",") >= MOST_VALUES:
            raise InvalidResponse(f"the answer holds more than {MOST_VALUES} values")
        async with self._queue:
            await asyncio.sleep(0)
            if len(body) <= AT_ONCE:
                return decode(body)
            return await asyncio.to_thread(decode, body)
