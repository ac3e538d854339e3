"""Blocks and what stands between them come out as the text that they hold, either way."""

import gzip as gzip_files

from hypothesis import example, given
from hypothesis import strategies as st

from exporter.metrics.deflate import MOST_STORED, Block, deflate, gzip, inflated

texts = st.builds(lambda text, times: text * times, st.binary(max_size=50), st.integers(0, 5000))


@given(st.lists(st.tuples(texts, st.booleans()), max_size=8), st.integers(1, 300_000))
@example([(b"x" * (MOST_STORED + 1), False), (b"y", True), (b"", False), (b"", True)], 1)
@example([], 1)
def test_all_texts_come_out_in_their_order(told: list[tuple[bytes, bool]], size: int) -> None:
    whole = b"".join(text for text, _ in told)
    parts = [deflate(text) if deflated else text for text, deflated in told]
    pieces = list(inflated(parts, size))
    assert b"".join(pieces) == whole
    assert all(len(piece) >= size for piece in pieces[:-1])
    blocks = [part if isinstance(part, Block) else deflate(part) for part in parts]
    assert gzip_files.decompress(b"".join(gzip(blocks))) == whole
