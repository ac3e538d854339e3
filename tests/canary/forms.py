"""Credentials to search for in all output, in every form in which they could leak."""

import base64
import html
import json
import re
from collections.abc import Iterator
from functools import cache
from urllib.parse import quote, quote_plus

KEY = 'Zq7vK2pX/9mB"w%Lt4{Yh8}cN3'
PASSWORD = 'Wd5rJ8nT ü"€/s%G6xF1'
TOKEN = "eyJUb2tlbiI.Vk3xQ9sM+/=b7Hz2"
PROXY_PASSWORD = 'Pb6yR4tC@/z"9kDq1'
OWN_PASSWORD = "Hn2cV8wE/5jXo7%Ls"
"""The credential of a client of the exporter."""

SECRETS = (KEY, PASSWORD, TOKEN, PROXY_PASSWORD, OWN_PASSWORD)

WINDOW = 8
"""Number of consecutive characters that must not be shown."""


def leaks(text: str | bytes) -> set[str]:
    """Return the pieces of secrets, in any form, that a text contains."""
    shown = (text if isinstance(text, str) else text.decode(errors="replace")).casefold()
    return _windows(shown) & _windows_of_secrets()


@cache
def _windows_of_secrets() -> set[str]:
    forms = (form.casefold() for secret in SECRETS for form in _forms(secret))
    return {window for form in forms for window in _windows(form)}


def _windows(text: str) -> set[str]:
    return {text[start : start + WINDOW] for start in range(len(text) - WINDOW + 1)}


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode()
    yield from (secret, secret[::-1], repr(secret)[1:-1], raw.hex(), str(raw)[2:-1])
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret), html.escape(secret))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    for shift, foreign in enumerate((0, 2, 3)):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # The first and last characters depend on the text next to the secret.
            yield encode(b"\0" * shift + raw).decode()[foreign:-4]


def disguises(secret: str) -> tuple[str, ...]:
    """Return forms that fit into an identifier that an API repeats, such as an error's code."""
    plain = re.sub("[^A-Za-z0-9]", "", secret)
    return (secret, plain[:WINDOW], f"Bad{secret[:WINDOW]}")
