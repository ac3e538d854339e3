"""The checks as functions of a seed and of the number of damaged places."""

from collections.abc import Callable
from random import Random

from hypothesis import strategies as st

from tests.fuzz import whole
from tests.fuzz.corpus import spoiled
from tests.fuzz.decoder import DECODERS

Check = Callable[[int, int], None]

MOST_SPOILED = 8
"""Damaged places in one document."""

seeds = st.integers(0, 2**64 - 1)
strengths = st.integers(0, MOST_SPOILED)


def decoding(kind: str) -> Check:
    """Return the check of one kind of answer."""

    def check(seed: int, strength: int) -> None:
        DECODERS[kind](spoiled(kind, Random(seed), strength))

    return check


def whole_path(seed: int, strength: int) -> None:
    """Check the scrape of a cluster whose lists are damaged."""
    random = Random(seed)
    whole.check(
        spoiled("snapshot_page", random, strength),
        spoiled("virtual_machine_page", random, random.randint(0, strength)),
    )
