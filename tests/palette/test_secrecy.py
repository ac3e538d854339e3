"""What is let through of texts that others wrote."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.palette.secrecy import PIECE, withheld

SECRET = 'Zq7vK2pX/9mB"w%Lt4Yh'

secrets = st.text(st.characters(codec="utf-8"), min_size=PIECE, max_size=40)


@given(secrets, st.text(max_size=10), st.text(max_size=10))
def test_a_secret_in_the_middle_of_a_text_is_withheld(secret: str, before: str, after: str) -> None:
    for shown in (secret, secret[::-1], secret.encode().hex()):
        assert withheld(f"{before}{shown}{after}", [secret])


@given(secrets, st.binary(max_size=5), st.binary(max_size=5))
@example("00000@", bytes(4), b"\x10")
def test_a_secret_under_base64_is_withheld(secret: str, before: bytes, after: bytes) -> None:
    shown = base64.b64encode(before + secret.encode() + after).decode()
    assert withheld(shown, [secret])


@pytest.mark.parametrize(
    "shown",
    ["Zq7vK2", "BadZq7vK2pX", "ZQ7VK2PX", "Zq7-vK2-pX", "9mBwLt4", "hY4tLw", "q7", "x q7vK2p"],
)
def test_a_piece_of_a_secret_is_withheld(shown: str) -> None:
    assert withheld(shown, ["other", SECRET])


@pytest.mark.parametrize("shown", ["ResourceNotFound", "TooManyRequests", "7F3A9C51", "a.example"])
def test_what_has_nothing_of_a_secret_is_shown(shown: str) -> None:
    assert not withheld(shown, [SECRET, "", "eyJhbGciOi.xyz"])


def test_a_short_secret_is_withheld_too() -> None:
    assert withheld("the pin is p1n", ["p1n"])
    assert withheld("p1n", ["a p1n more"])
