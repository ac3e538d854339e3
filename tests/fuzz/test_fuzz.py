"""A short run of `make fuzz`."""

import pytest
from hypothesis import given, settings

from tests.fuzz.corpus import SOUND
from tests.fuzz.properties import decoding, seeds, strengths, whole_path


@pytest.mark.parametrize("kind", SOUND)
@settings(max_examples=300)
@given(seed=seeds, strength=strengths)
def test_no_payload_makes_the_decoder_fail_or_say_more_than_it_says(
    kind: str, seed: int, strength: int
) -> None:
    decoding(kind)(seed, strength)


@settings(max_examples=150)
@given(seed=seeds, strength=strengths)
def test_no_payload_makes_a_text_that_cannot_be_parsed(seed: int, strength: int) -> None:
    whole_path(seed, strength)
