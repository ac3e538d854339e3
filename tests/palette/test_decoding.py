"""Answers are decoded without blocking other tasks."""

import asyncio
import gc
import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from exporter.palette.decoding import MOST_VALUES, Decoder
from exporter.palette.errors import InvalidResponse


@pytest.mark.parametrize("size", [1, 256 * 1024])
async def test_of_bodies_that_come_together_one_is_decoded_in_each_pass_of_the_loop(
    size: int,
) -> None:
    decoder = Decoder()
    happened: list[str] = []

    def decode(body: bytes) -> int:
        happened.append("decoded")
        return len(body)

    async def passing() -> None:
        while True:
            happened.append("passed")
            await asyncio.sleep(0)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        others = group.create_task(passing())
        sizes = await asyncio.gather(*(decoder(b"x" * size, decode) for _ in range(20)))
        others.cancel()
    assert sizes == [size] * 20
    assert happened.count("decoded") == 20
    assert ("decoded", "decoded") not in pairwise(happened)


async def test_one_body_that_cannot_be_decoded_holds_up_no_other() -> None:
    decoder = Decoder()

    def refuse(body: bytes) -> int:
        raise ValueError(body)

    done = await asyncio.gather(decoder(b"", refuse), decoder(b"x", len), return_exceptions=True)
    assert isinstance(done[0], InvalidResponse)
    assert done[1] == 1


@pytest.mark.parametrize("size", [1, 256 * 1024])
async def test_no_error_and_no_cancelled_call_keeps_a_body(size: int) -> None:
    freed: list[int] = []

    class Body(bytes):
        """Bytes that report when they are released."""

        def __del__(self) -> None:
            freed.append(len(self))

    decoder, begun, go_on = Decoder(), threading.Event(), threading.Event()

    def refuse(body: bytes) -> int:
        begun.set()
        assert go_on.wait(20)
        raise InvalidResponse("no list")

    bodies = [Body(b"x"), Body(b"x" * size), Body(b"," * MOST_VALUES)]
    calls = [asyncio.create_task(decoder(body, refuse)) for body in bodies]
    del bodies
    assert await asyncio.to_thread(begun.wait, 20)
    calls[1].cancel()
    go_on.set()
    gc.disable()
    try:
        # The exception and its traceback stay alive.
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        kinds = [InvalidResponse, asyncio.CancelledError, InvalidResponse]
        assert [type(outcome) for outcome in outcomes] == kinds
        del calls
        assert await eventually(lambda: len(freed) == 3)
    finally:
        gc.enable()


async def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until the thread has released the decoded answer."""
    for _ in range(1000):
        if condition():
            return True
        await asyncio.sleep(0.01)
    return False
