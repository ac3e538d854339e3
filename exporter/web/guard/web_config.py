"""Who is let in and how: what the web configuration file says, read anew when it changes."""

import hashlib
import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from types import MappingProxyType

import structlog

RACY = 0.1
"""Seconds after its change in which a file may change again without showing it."""

RETRY = 5.0
"""Seconds after which files that were refused are tried again, changed or not."""

HSTS = "Strict-Transport-Security"

RESTART = "whether TLS is spoken cannot change without a restart"

log = structlog.get_logger()

Stamp = tuple[tuple[int, ...] | None, ...]
"""What tells of each file whether it changed; None where there is none."""


class DoorError(Exception):
    """What should be the door is none; the message says why, without a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who is let in and how.

    users: name -> bcrypt hash; without one, everybody is let in.
    headers: of every answer.
    context: None where TLS is not spoken.
    allowed_names: of which a client's certificate must carry one; None takes any certificate.
    interval, burst: seconds per request, and how many may come at once; interval 0 is no limit.
    open_health_paths: whether the health paths ask for no user.
    files: what it was made from, the secrets among them.
    content: a digest of what stood in them when they began to be read.
    """

    users: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    context: SSLContext | None = None
    allowed_names: frozenset[str] | None = None
    interval: float = 0.0
    burst: int = 0
    open_health_paths: bool = False
    files: tuple[Path, ...] = ()
    content: bytes = field(default_factory=lambda: content_of(()), repr=False)

    @property
    def sent_headers(self) -> Mapping[str, str]:
        """The headers without those that mean nothing, or harm, where TLS is not spoken."""
        if self.context is not None:
            return self.headers
        return {name: value for name, value in self.headers.items() if name != HSTS}


Read = Callable[[], Door]
"""Makes a door from its files as they are now; raises DoorError."""


class Doorkeeper:
    """Keeps the door that counts.

    wall, monotonic: seconds.
    """

    def __init__(
        self,
        read: Read,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._complaint = ""
        self._look_again_at = float("inf")
        self._take(read, read())

    def door(self) -> Door:
        """Return the door as its files say; the last good one where they make no sense."""
        if self._monotonic() >= self._look_again_at or self._stamp != _stamp(self._door.files):
            self._look_again()
        return self._door

    def prepare(self, read: Read) -> Door:
        """Make the door that is to come; raises DoorError where it cannot follow on this one."""
        door = read()
        if (door.context is None) is not (self._door.context is None):
            raise DoorError(RESTART)
        return door

    def commit(self, read: Read, door: Door) -> None:
        """Let a prepared door count from the next connection and the next request on."""
        self._complaint = ""
        self._take(read, door)

    def _take(self, read: Read, door: Door) -> None:
        self._read = read
        self._door = door
        self._watch()
        if door.sent_headers != door.headers:
            log.warning(f"{HSTS} is not sent where TLS is not spoken")

    def _watch(self) -> None:
        """Look again only once a file shows a change, or might have changed without showing it."""
        files = self._door.files
        self._stamp = _stamp(files)
        changed = max((each[-1] for each in self._stamp if each), default=0) / 1e9
        if content_of(files) != self._door.content:
            self._look_again_at = float("-inf")
        elif self._wall() - changed < RACY:
            self._look_again_at = self._monotonic() + RACY
        else:
            self._look_again_at = float("inf")

    def _look_again(self) -> None:
        stamp = _stamp(self._door.files)
        if self._complaint or self._door.content != content_of(self._door.files):
            self._try_again(stamp)
        else:
            self._watch()

    def _try_again(self, stamp: Stamp) -> None:
        try:
            door = self.prepare(self._read)
        except DoorError as refused:
            self._stamp = stamp
            self._look_again_at = self._monotonic() + RETRY
            self._complain(str(refused))
            return
        self._take(self._read, door)
        self._complaint = ""
        log.info("web configuration read anew")

    def _complain(self, reason: str) -> None:
        if reason != self._complaint:
            self._complaint = reason
            log.error("web configuration refused; the last good one stays", reason=reason)


def _stamp(files: tuple[Path, ...]) -> Stamp:
    return tuple(map(_stamp_of, files))


def _stamp_of(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()  # of what a link leads to: Kubernetes swaps links
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def content_of(files: tuple[Path, ...]) -> bytes:
    """Return a digest of what stands in the files."""
    digest = hashlib.sha256()
    for path in files:
        try:
            # To read a pipe would be to wait for its other end.
            content = path.read_bytes() if path.is_file() else b""
        except OSError:
            content = b""
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.digest()


def in_one_form(name: str) -> str:
    """Return an IP address as addresses are compared; any other name as it is."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
