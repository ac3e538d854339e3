"""What opens Palette's door: an API key, or a login that is traded for tokens."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from exporter.settings.files import contents

_LARGEST_FILE = 64 * 1024


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A Palette API key; its repr hides it."""

    key: SecretStr


@dataclass(frozen=True, slots=True)
class Login:
    """A Palette user; ``org`` None is the user's own. Its repr hides the password."""

    username: str
    password: SecretStr
    org: str | None = None


Credential = ApiKey | Login


def check_api_key(text: str) -> str:
    """Return the key without the line end that files and Kubernetes secrets tend to carry.

    Raises ValueError for what no HTTP header can hold.
    """
    key = _one_line(text)
    if not key.isascii() or " " in key:
        raise ValueError("should have no spaces and no characters outside ASCII")
    return key


def read_api_key(path: Path) -> str:
    """Read the key that is all of a file; raises ValueError without a word of its content."""
    return check_api_key(_text(path))


def read_password(path: Path) -> str:
    """Read the password that is all of a file; raises ValueError without a word of its content."""
    return _one_line(_text(path))


def _text(path: Path) -> str:
    try:
        return contents(path, _LARGEST_FILE).decode()
    except UnicodeDecodeError:
        # Nothing of it may be chained on: the decoder's error holds the whole content.
        pass
    raise ValueError("the file is not text in UTF-8")


def _one_line(text: str) -> str:
    line = text.removesuffix("\n").removesuffix("\r")
    if not line:
        raise ValueError("should not be empty")
    if "\n" in line or "\r" in line:
        raise ValueError("should be a single line")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in line):
        raise ValueError("should have no control characters")
    return line
