"""Text kept deflated, and answers put together from it without inflating.

A gzip file is a header, a stream of deflate blocks, the CRC and the size of what they hold. A
stream that ends in a full flush ends on a byte and refers to nothing before it, so streams made
apart can be laid end to end; and the CRC of the whole follows from those of the parts and their
sizes. A scrape with gzip therefore copies ready bytes, and the text is held only once, at about
a tenth of its size.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from isal import isal_zlib

LEVEL = 1
"""Of isal, which at 1 is about as fast as at 0, and makes the text a third smaller."""

RAW = -isal_zlib.MAX_WBITS
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_BLOCK = b"\x03\x00"


class Block(NamedTuple):
    """A piece of text: deflated, its size and its CRC-32 before that."""

    data: bytes
    size: int
    crc: int


EMPTY = Block(b"", 0, 0)

MOST_STORED = 0xFFFF
"""Bytes that a stored block can hold."""


def deflate(text: bytes) -> Block:
    """Return a text as a block."""
    if not text:
        return EMPTY
    compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, RAW)
    data = compressor.compress(text) + compressor.flush(isal_zlib.Z_FULL_FLUSH)
    return Block(data, len(text), isal_zlib.crc32(text))


def inflated(parts: Iterable[Block | bytes], size: int) -> Iterator[bytes]:
    """Yield the text of blocks and of what stands between them, at least so many bytes at a time.

    Inflated in one go and not block by block, as much costs less to send than little many times.
    """
    waiting: list[bytes] = []
    expected = 0
    for part in parts:
        if isinstance(part, Block):
            waiting.append(part.data)
            expected += part.size
        else:
            waiting += _stored(part)
            expected += len(part)
        if expected >= size:
            yield _inflate(waiting, expected)
            waiting, expected = [], 0
    if expected:
        yield _inflate(waiting, expected)


class Ages(NamedTuple):
    """Lines with a placeholder for each age; since: seconds since the epoch, in their order."""

    lines: Block
    since: tuple[float, ...]

    def text(self, now: float) -> bytes:
        """Return the lines at a time in seconds since the epoch; no age is below 0."""
        lines = _inflate([self.lines.data], self.lines.size)
        return lines % tuple([max(0.0, now - since) for since in self.since])


def _inflate(pieces: list[bytes], size: int) -> bytes:
    # Told the size, it makes the room at once; one more, or it would make twice as much to see
    # that nothing follows.
    return isal_zlib.decompress(b"".join(pieces) + _LAST_BLOCK, RAW, size + 1)


def _stored(text: bytes) -> Iterator[bytes]:
    """Yield a text as it may stand between blocks without being deflated."""
    for start in range(0, len(text), MOST_STORED):
        part = text[start : start + MOST_STORED]
        yield struct.pack("<BHH", 0, len(part), len(part) ^ MOST_STORED)
        yield part


def gzip(blocks: Iterable[Block]) -> Iterator[bytes]:
    """Yield the pieces of a gzip file that holds all texts."""
    yield _HEADER
    crc = size = 0
    for block in blocks:
        crc = isal_zlib.crc32_combine(crc, block.crc, block.size)
        size += block.size
        yield block.data
    yield _LAST_BLOCK + struct.pack("<II", crc, size & 0xFFFFFFFF)
