"""Deflated blocks give the original text, one by one and as one gzip file."""

import gzip as gzip_files

from hypothesis import example, given
from hypothesis import strategies as st

from exporter.metrics.deflate import deflate, gzip, inflate

texts = st.builds(lambda text, times: text * times, st.binary(max_size=50), st.integers(0, 5000))


@given(st.lists(texts, max_size=8))
@example([b"x" * 70_000, b"y", b"", b""])
@example([])
def test_all_texts_come_out_in_their_order(texts: list[bytes]) -> None:
    blocks = [deflate(text) for text in texts]
    assert [inflate(block) for block in blocks] == texts
    assert gzip_files.decompress(b"".join(gzip(blocks))) == b"".join(texts)
