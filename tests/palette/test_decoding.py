"""Much to decode at once keeps nobody else waiting."""

import asyncio
from itertools import pairwise

import pytest

from exporter.palette.decoding import AT_ONCE, Decoder
from exporter.palette.errors import InvalidResponse


@pytest.mark.parametrize("size", [1, AT_ONCE + 1])
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
