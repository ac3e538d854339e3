"""Decodes answers without holding up the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from exporter.palette.errors import InvalidResponse, PaletteError

T = TypeVar("T")

AT_ONCE = 256 * 1024
"""Bytes; fifty snapshots have a quarter of that. A longer body is decoded in a thread."""

MOST_VALUES = 250_000
"""Fifty virtual machines have a tenth of that; each value becomes an object, which takes about
thirty times its bytes."""


class Decoder:
    """Decodes one body at a time, and lets all other tasks run in between.

    Many answers arrive together after a pause, and would otherwise hold the event loop for as
    long as all of them take.
    """

    def __init__(self) -> None:
        self._queue = asyncio.Lock()
        # A call that is cancelled leaves its thread behind: with more than one they would pile up.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode")

    async def __call__(self, body: bytes, decode: Callable[[bytes], T]) -> T:
        """Return what ``decode`` makes of a body.

        Raises InvalidResponse, before decoding, if there are more values than any page has, and
        for any exception of ``decode``: nothing that Palette sends can end the process.
        """
        try:
            if body.count(b",") >= MOST_VALUES:
                raise InvalidResponse(f"the answer holds more than {MOST_VALUES} values")
            async with self._queue:
                await asyncio.sleep(0)
                if len(body) <= AT_ONCE:
                    outcome = _outcome(body, decode)
                else:
                    loop = asyncio.get_running_loop()
                    outcome = await loop.run_in_executor(self._thread, _outcome, body, decode)
        finally:
            # A traceback can keep this frame until the next pass of the garbage collector.
            del body
        if isinstance(outcome, PaletteError):
            raise outcome
        return outcome


def _outcome(body: bytes, decode: Callable[[bytes], T]) -> T | PaletteError:
    """Return an error without its traceback, whose frames hold the body."""
    try:
        return decode(body)
    except PaletteError as error:
        return type(error)(str(error))
    except Exception as error:
        return InvalidResponse(f"the answer cannot be decoded ({type(error).__name__})")
