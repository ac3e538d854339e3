"""The files that settings name: their content, and changes to it."""

import asyncio
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from exporter.clock import Clock

# Bytes.
_LARGEST = 16 * 1024 * 1024
_LARGEST_PEM = 1024 * 1024
_LARGEST_SECRET = 64 * 1024


def contents(path: Path, limit: int = _LARGEST) -> bytes:
    """Read a regular file of at most ``limit`` bytes; raises ValueError, which names the file."""
    try:
        mode = path.stat().st_mode
        # A pipe is never opened: that would wait for its other end.
        if stat.S_ISREG(mode):
            with path.open("rb") as file:
                found = file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}: {shown(path)}") from None
    except ValueError:
        raise ValueError("not a path that could be a file's") from None
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "a device or pipe"
        raise ValueError(f"should be a file, not {what}: {shown(path)}")
    if len(found) > limit:
        raise ValueError(f"the file is larger than {limit // 1024} KiB: {shown(path)}")
    return found


def digest(path: Path) -> bytes:
    """Return a hash of the content of a file, or why it cannot be read."""
    try:
        return sha256(contents(path)).digest()
    except ValueError as error:
        return str(error).encode()


_PATH = re.compile(r"[\w ./~+@:,=-]+")
_LIKE_A_SECRET = re.compile(r"(?=(?:.*[0-9]){3})(?=.*[A-Za-z]).{12,}|(?=.*[a-z])(?=.*[A-Z]).{16,}")


def shown(path: Path) -> str:
    """Return a path for a message, without what could be a key in the place of a path."""
    if not _PATH.fullmatch(str(path)):
        return "(path hidden because it could be a secret)"
    parts = [*reversed(path.parents), path]
    return str(
        Path(*("(hidden)" if _may_be_a_secret(part) else part.name or part for part in parts))
    )


def _may_be_a_secret(path: Path) -> bool:
    # Path.exists raises for a name that is too long.
    return _LIKE_A_SECRET.fullmatch(path.name) is not None and not os.path.exists(path)  # noqa: PTH110


def plain(text: str) -> str:
    """Return a value without a byte order mark, one line end and blanks around it."""
    line = text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r")
    return line.strip(" \t")


def read_pem(path: Path) -> bytes:
    """Read certificates or a key; raises ValueError."""
    return contents(path, _LARGEST_PEM)


def read_api_key(path: Path) -> str:
    """Read the key that is all of a file; raises ValueError without a word of its content."""
    return check_api_key(_secret(path))


def read_password(path: Path) -> str:
    """Read the password that is all of a file; raises ValueError without a word of its content."""
    return _one_line(_secret(path))


def check_api_key(text: str) -> str:
    """Return the key as it is sent; raises ValueError for what no HTTP header can hold."""
    key = _one_line(text)
    if not key.isascii() or " " in key:
        raise ValueError("should have no spaces and no characters outside ASCII")
    return unquoted(key)


def unquoted(text: str) -> str:
    """Return a value that has no quotes around it; raises ValueError otherwise."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        raise ValueError("is in quotes. Remove them: docker's --env-file, for one, keeps quotes")
    return text


def _secret(path: Path) -> str:
    try:
        return contents(path, _LARGEST_SECRET).decode()
    except UnicodeDecodeError:
        # Never chained: the decoder's error holds the whole content.
        pass
    raise ValueError(f"the file is not text in UTF-8: {shown(path)}")


def _one_line(text: str) -> str:
    line = plain(text)
    if not line:
        raise ValueError("should not be empty")
    if "\n" in line or "\r" in line:
        raise ValueError("should be a single line")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in line):
        raise ValueError("should have no control characters")
    return line


LOOK_EVERY = 2.0  # seconds
SETTLED_AFTER = 1.0  # seconds without another change: half a file can be valid too


@dataclass(slots=True, kw_only=True)
class Watch:
    """Compares the contents of files, however they change: written in place, renamed, or behind a
    symbolic link that is swapped, as Kubernetes mounts them.

    files: returns the files; they depend on the content of the first one.
    seen: hashes of the files when they were last read.
    """

    files: Callable[[], Iterable[Path]]
    seen: Mapping[Path, bytes] = field(default_factory=dict)
    _names: tuple[Path, ...] = field(default=(), init=False)

    def look(self) -> Mapping[Path, bytes]:
        """Return the files' hashes now. The list of files is read again when the first changes."""
        if not self._names or digest(self._names[0]) != self.seen.get(self._names[0]):
            self._names = tuple(self.files())
        return {name: digest(name) for name in self._names}

    async def settled(self, clock: Clock) -> Mapping[Path, bytes]:
        """Look until the files are as they were last seen, or did not change for a second."""
        before, look = self.seen, await asyncio.to_thread(self.look)
        while look != before:
            await clock.sleep(SETTLED_AFTER)
            before, look = look, await asyncio.to_thread(self.look)
        return look

    async def changed(self, clock: Clock) -> None:
        """Look every few seconds, and return after a change."""
        look = self.seen
        while look == self.seen:
            await clock.sleep(LOOK_EVERY)
            look = await self.settled(clock)
        self.seen = look

    async def run(self, on_change: Callable[[], None], clock: Clock) -> None:
        """Call ``on_change`` after each change; ends only when cancelled."""
        while True:
            await self.changed(clock)
            on_change()
