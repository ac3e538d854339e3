"""The files that settings name."""

import stat
from hashlib import blake2b
from pathlib import Path

LARGEST = 16 * 1024 * 1024
"""Bytes."""


def contents(path: Path, limit: int) -> bytes:
    """Read a regular file of at most ``limit`` bytes.

    Raises ValueError, which says why without the path: someone may have put a secret there.
    """
    try:
        mode = path.stat().st_mode
        # Asked before it is opened: to open a pipe would wait for its other end.
        if stat.S_ISREG(mode):
            with path.open("rb") as file:
                found = file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError("not a path that could be a file's") from None
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "a device or pipe"
        raise ValueError(f"should be a file, not {what}")
    if len(found) > limit:
        raise ValueError(f"the file is larger than {limit // 1024} KiB")
    return found


def readable(path: Path) -> Path:
    """Return the path if it is that of a file that can be read; raises ValueError otherwise."""
    contents(path, LARGEST)
    return path


def digest(path: Path) -> bytes:
    """Return what tells the content of a file from any other, or why it cannot be read."""
    try:
        return blake2b(contents(path, LARGEST), digest_size=16).digest()
    except ValueError as error:
        return str(error).encode()
