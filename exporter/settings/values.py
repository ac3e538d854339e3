"""The kinds of values that settings take, each with its check.

Checks raise ValueError with what is allowed, never with the value itself.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
)

from exporter.duration import MAX_SECONDS, format_duration, parse_prometheus_duration
from exporter.settings.files import check_api_key, read_api_key, read_password, read_pem, unquoted


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value is, in one word, for the help of flags and for documents."""

    word: str


DURATION, SECRET, FILE = Kind("duration"), Kind("secret"), Kind("file")


def should(expectation: str, holds: Callable[[Any], object]) -> AfterValidator:
    """Return the check of a value; the expectation is what follows "should" in the error."""

    def checked(value: Any) -> Any:
        if not holds(value):
            raise ValueError(f"should {expectation}")
        return value

    return AfterValidator(checked)


NOT_EMPTY = should("not be empty", len)

_SECONDS = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?")
_A_DURATION = "should be a duration such as 30s, 1m30s or 26h, or a number of seconds"


class Written(float):
    """Seconds, and the text or number that they were written as."""

    __slots__ = ("source",)
    source: object


def _seconds(value: object) -> Written:
    try:
        seconds = Written(_number_of_seconds(value))
    except (ValueError, OverflowError):
        raise ValueError(_A_DURATION) from None
    if not 0 <= seconds <= MAX_SECONDS:  # not a number fails too
        raise ValueError(f"{_A_DURATION}, from 0 to 292 years")
    seconds.source = value
    return seconds


def _number_of_seconds(value: object) -> float:
    if isinstance(value, str):
        return float(value) if _SECONDS.fullmatch(value) else parse_prometheus_duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError


def as_written(seconds: float) -> object:
    """Return a duration as the user wrote it; a default as Prometheus writes it."""
    return seconds.source if isinstance(seconds, Written) else format_duration(seconds)


Duration = Annotated[float, PlainValidator(_seconds), PlainSerializer(as_written), DURATION]
"""Seconds; written as Prometheus does or as a number."""
Interval = Annotated[Duration, should("be at least 1s", lambda seconds: seconds >= 1)]
PositiveDuration = Annotated[Duration, Field(gt=0)]


def _compiled(value: object) -> re.Pattern[str]:
    if not isinstance(value, str):
        raise ValueError("should be a string: put it in quotes")  # noqa: TRY004
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of syntax that Python could change
            return re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"should be a regular expression: {error}") from None


ValuePattern = Annotated[
    re.Pattern[str],
    BeforeValidator(_compiled),
    PlainSerializer(lambda pattern: pattern.pattern, return_type=str),
    Kind("regex"),
]
"""A regular expression in Python's language for the whole value of a label, which can be empty."""

Pattern = Annotated[ValuePattern, should("not be empty", lambda pattern: pattern.pattern)]
"""A regular expression in Python's language for a whole name, which is never empty."""


def _ordinal(value: object) -> int | str:
    if value == "auto":
        return "auto"
    if isinstance(value, int | str) and re.fullmatch("[0-9]{1,6}", str(value)):
        return int(value)
    raise ValueError("should be a number from 0, or auto")


Ordinal = Annotated[int | str, PlainValidator(_ordinal), Kind("number|auto")]


def _not_boolean(value: object) -> object:
    # Python counts True as 1, and pydantic follows.
    if isinstance(value, bool):
        raise ValueError("should be a number")  # noqa: TRY004 — pydantic takes ValueError only
    return value


Rate = Annotated[float, BeforeValidator(_not_boolean), Field(gt=0, allow_inf_nan=False)]
"""Per second."""
Count = Annotated[int, BeforeValidator(_not_boolean), Field(ge=1, le=1_000_000)]
Limit = Annotated[int, BeforeValidator(_not_boolean), Field(ge=0, le=1_000_000_000)]  # 0: no limit

_LABEL_NAME = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?"  # the prefix
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
)

Text = Annotated[
    str,
    NOT_EMPTY,
    should("have no control characters or other invisible characters", str.isprintable),
]
UserName = Annotated[Text, AfterValidator(unquoted)]
Name = Annotated[
    Text,
    # In the path of a request these would mean another resource, however they are encoded.
    should("be a name, not '.' or '..'", lambda text: text not in (".", "..")),
    should("have no '/', '\\' or '%'", lambda text: not set(text) & set("/\\%")),
]
"""A segment of the path of a request; it is percent-encoded there."""
LabelName = Annotated[
    str,
    should("be the name of a Kubernetes label, such as example.com/owner", _LABEL_NAME.fullmatch),
]
"""The name of a Kubernetes label, with or without a prefix."""
HeaderText = Annotated[
    str,
    NOT_EMPTY,
    should(
        "be printable ASCII without spaces around it",
        lambda text: text.isascii() and text.isprintable() and text == text.strip(),
    ),
]
"""What is sent as an HTTP header."""

Secret = Annotated[SecretStr, PlainSerializer(lambda _: "<secret>", return_type=str), SECRET]
ApiKeyText = Annotated[
    Secret, AfterValidator(lambda secret: SecretStr(check_api_key(secret.get_secret_value())))
]


def readable_by(read: Callable[[Path], object]) -> AfterValidator:
    """Return the check of a file that a function has to be able to read."""

    def checked(path: Path) -> Path:
        if path == Path():  # what an empty string makes; a dot is absolute by now
            raise ValueError("should not be empty")
        read(path)
        return path

    return AfterValidator(checked)


PemFile = Annotated[Path, readable_by(read_pem), FILE]
ApiKeyFile = Annotated[Path, readable_by(read_api_key), FILE]
PasswordFile = Annotated[Path, readable_by(read_password), FILE]
