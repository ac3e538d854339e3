"""Whether a text that others wrote shows a secret: whole, in part, or in another form."""

import base64
from collections.abc import Iterable, Iterator

PIECE = 6
"""Characters in a row that are too many to be shown."""


def withheld(text: str, secrets: Iterable[str]) -> bool:
    """Return whether a text has a piece of a secret in it, or is one.

    Case and punctuation make no difference; nor do base64, hexadecimal digits and reversal.
    """
    forms = [form.casefold() for secret in secrets if secret for form in _forms(secret)]
    haystack = "\n".join(forms)
    return any(
        piece in haystack
        for shown in (text.casefold(), _bare(text).casefold())
        for piece in _pieces(shown)
    ) or any(form in text.casefold() for form in forms)


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode()
    for form in (secret, _bare(secret), raw.hex()):
        yield from (form, form[::-1]) if form else ()
    for shift, foreign in enumerate((0, 2, 3)):
        # What stands before the secret moves its characters against those of base64, the first
        # of which are not its own then.
        encoded = base64.b64encode(b"\0" * shift + raw).decode()[foreign:]
        yield from (encoded, _bare(encoded)) if encoded else ()


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _pieces(text: str) -> Iterator[str]:
    if text:
        yield from (text[at : at + PIECE] for at in range(max(len(text) - PIECE, 0) + 1))
