"""Damages valid documents: in their structure, as text, and as bytes."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec import structs

import exporter.palette.wire  # noqa: F401 - defines all of them
from exporter.palette.document import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

Slot = tuple[Any, Any]
"""A dict or list, and a key or an index in it."""


def _fields(kind: type[Part]) -> Iterator[str]:
    yield from (field.encode_name for field in structs.fields(kind))
    for below in kind.__subclasses__():
        yield from _fields(below)


_ELSEWHERE = ("dataVolume", "code", "ref", "Authorization", "isMfa")
FIELDS = tuple(dict.fromkeys((*_fields(Part), *_ELSEWHERE)))
"""Names that the decoder reads, each in one place only."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Text that is written into a document unchanged, JSON or not."""

    text: str


@dataclass(frozen=True, slots=True)
class Twice:
    """A value whose key is also before it, with another value."""

    first: Any
    last: Any


LITERALS = (
    Raw("NaN"),
    Raw("-Infinity"),
    Raw("1e999"),
    Raw("-0"),
    Raw("9" * 400),
    Raw("9" * 5_000),
    Raw("1" + "0" * 30 + "e-30"),
    Raw("[" * 600 + "]" * 600),
    Raw('{"a":' * 600 + "1" + "}" * 600),
    Raw("[" * 20_000 + "]" * 20_000),
    Raw('"\\ud800"'),
    Raw('"\\udfff\\ud800x"'),
    Raw('"\\u0000"'),
    Raw('"a\x01b"'),
    Raw('"\\x"'),
    Raw("tru"),
    Raw("'single'"),
    Raw("// comment"),
    Raw(""),
)

TEXTS = (
    "",
    " ",
    "\0",
    "\n",
    'quo"te',
    "back\\slash",
    "\r\n\t",
    "\u2028\x85\x1e",
    "e\u0301 \U0001f4be",
    "x" * 9_000,
    "true",
    "True",
    "false",
    "0",
    "null",
    "..",
    "a/b,c",
    "{}",
    "# HELP x",
    'x{y="z"} 1',
    "Succeeded",
    "Failed",
    "Deleting",
    "InProgress",
    "succeeded",
)

TIMES = (
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "1971-01-01T00:00:00+01:00",
    "2026-02-30T00:00:00Z",
    "2026-11-20T02:00:00",
    "2026-11-20t02:00:00.123456789123456789z",
    "2026-11-20T02:00:60Z",
    "2026-11-20T02:00:61Z",
    "2026-11-20T24:00:00Z",
    "2026-11-20T02:00:00+24:00",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:60Z",
    "10000-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "\u0662\u0660\u0662\u0666-11-20T02:00:00Z",
    " 2026-11-20T02:00:00Z",
    "2026-11-20",
    "1h",
    "-5m",
    "1e3s",
    "9223372036854775807ns",
    "999999999999h",
    "0",
    "1.5.5s",
)

OTHERS: tuple[Any, ...] = (0, -1, 1, 1.5, 1e300, 2**63, True, False, None, [], {}, [[]], [None])


STAYS = 0.1
"""The probability of choosing a place at this depth."""


def _dropped(slot: Slot, random: Random) -> None:
    container, key = slot
    del container[key]


def _replaced(choices: tuple[Any, ...]) -> Callable[[Slot, Random], None]:
    def replace(slot: Slot, random: Random) -> None:
        container, key = slot
        # Copied, so that a later change affects only this one.
        container[key] = deepcopy(random.choice(choices))

    return replace


def _nested(slot: Slot, random: Random) -> None:
    container, key = slot
    value = container[key]
    container[key] = random.choice(([value], {"name": value}, [value, value], {str(key): value}))


def _doubled(slot: Slot, random: Random) -> None:
    container, key = slot
    pair = [container[key], deepcopy(random.choice((*OTHERS, *TEXTS, *TIMES)))]
    random.shuffle(pair)
    container[key] = Twice(*pair) if isinstance(container, dict) else pair[0]


def _renamed(slot: Slot, random: Random) -> None:
    container, key = slot
    if isinstance(container, dict):
        container[random.choice((*FIELDS, *TEXTS))] = container.pop(key)


def _repeated(slot: Slot, random: Random) -> None:
    container, key = slot
    if isinstance(container, list):
        container += [container[key]] * random.randint(1, 3)


def _grafted(slot: Slot, random: Random) -> None:
    """Put any value under a name that the decoder reads."""
    container, key = slot
    if isinstance(container[key], dict):
        container[key][random.choice(FIELDS)] = container[key].get(random.choice(FIELDS))


MUTATIONS: tuple[Callable[[Slot, Random], None], ...] = (
    _dropped,
    _replaced((None,)),
    _replaced(OTHERS),
    _replaced(LITERALS),
    _replaced(TEXTS),
    _replaced(TIMES),
    _nested,
    _doubled,
    _renamed,
    _repeated,
    _grafted,
)


def mutated(document: Any, random: Random, strength: int) -> bytes:
    """Return the document, damaged in a number of places; the argument can change."""
    holder = [document]
    for _ in range(strength):
        random.choice(MUTATIONS)(_slot(holder, random), random)
        holder = holder or [None]
    # Lone surrogates cannot be encoded; documents get them escaped, through Raw.
    body = _text(holder[0], random.random() < 0.5).encode()
    return random.choice(SPOILERS)(body, random) if random.random() < 0.25 else body


def _slot(holder: list[Any], random: Random) -> Slot:
    """Return a place that has a value; the whole document's place is in its holder."""
    container: Any = holder
    key: Any = random.randrange(len(holder))
    while random.random() > STAYS and isinstance(below := container[key], dict | list) and below:
        container = below
        key = (
            random.choice(list(below)) if isinstance(below, dict) else random.randrange(len(below))
        )
    return container, key


def _text(value: Any, ascii_only: bool) -> str:
    match value:
        case Raw(text=text):
            return text
        case Twice(last=last):
            return _text(last, ascii_only)
        case dict():
            return "{" + ",".join(_pair(key, each, ascii_only) for key, each in value.items()) + "}"
        case list():
            return "[" + ",".join(_text(each, ascii_only) for each in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


def _pair(key: str, value: Any, ascii_only: bool) -> str:
    name = json.dumps(key, ensure_ascii=ascii_only)
    before = f"{name}:{_text(value.first, ascii_only)}," if isinstance(value, Twice) else ""
    return f"{before}{name}:{_text(value, ascii_only)}"


def _truncated(body: bytes, random: Random) -> bytes:
    return body[: random.randrange(len(body) + 1)]


def _flipped(body: bytes, random: Random) -> bytes:
    spoiled = bytearray(body or b"?")
    for _ in range(random.randint(1, 4)):
        spoiled[random.randrange(len(spoiled))] ^= 1 << random.randrange(8)
    return bytes(spoiled)


def _cut(body: bytes, random: Random) -> bytes:
    start = random.randrange(len(body) + 1)
    return body[:start] + body[start + random.randint(1, 30) :]


def _inserted(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body) + 1)
    return body[:at] + random.choice(PIECES) + body[at:]


PIECES = (b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\0", b"\xef\xbb\xbf", b",", b"}", b"[", b'"')

SPOILERS = (_truncated, _flipped, _cut, _inserted)
