"""Checks passwords against bcrypt hashes, off the event loop and one at a time."""

import asyncio
import hashlib
import os
import secrets
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import bcrypt

PASSED_FOR, FAILED_FOR = 300.0, 60.0
"""Seconds since it was last asked for that a result is remembered."""

REMEMBERED = 1000
"""Results of each kind that are remembered at most."""

MOST_WAITING = 256
"""Passwords from one address that wait for their check at most."""

BCRYPT_LIMIT = 72
"""Bytes of a password that bcrypt looks at, as in every implementation of it."""

NICENESS = 10


class TooManyWaitingError(Exception):
    """Too many passwords from this address wait for their check."""


class Remembered:
    """Digests that were seen lately. seconds: for how long since it was last asked for."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def __contains__(self, digest: bytes) -> bool:
        until = self._until.get(digest, float("-inf"))
        fresh = self._clock() < until
        if fresh:
            self.add(digest)
        return fresh

    def add(self, digest: bytes) -> None:
        """Remember it from now on, and forget what was asked for the longest time ago."""
        self._until[digest] = self._clock() + self._seconds
        self._until.move_to_end(digest)
        if len(self._until) > REMEMBERED:
            self._until.popitem(last=False)


@dataclass(slots=True, eq=False)
class _Check:
    """One check; askers: how many wait for it."""

    digest: bytes
    address: str
    hashed: bytes = field(repr=False)
    password: bytes = field(repr=False)
    outcome: "asyncio.Future[bool]"
    askers: int = 0


class Passwords:
    """Tells whether passwords are those of hashes.

    Those who ask from different addresses have their turns one after the other, so that a flood
    from one of them holds up the others by one check at a time. clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._secret = secrets.token_bytes(32)
        self._passed = Remembered(PASSED_FOR, clock)
        self._failed = Remembered(FAILED_FOR, clock)
        self._under_way: dict[bytes, _Check] = {}
        self._waiting: OrderedDict[str, deque[_Check]] = OrderedDict()
        self._running = False

    def choice(self, name: str, count: int) -> int:
        """Return a number below count, always the same for a name, that nobody can foresee."""
        return int.from_bytes(self._digest(name.encode())[:8], "big") % count

    async def match(self, hashed: bytes, password: bytes, *, name: str, address: str) -> bool:
        """Tell whether a password is that of a hash.

        name: whose it should be; results are remembered by it. address: who asks.
        Raises TooManyWaitingError.
        """
        digest = self._digest(name.encode(), hashed, password)
        if digest in self._passed:
            return True
        if digest in self._failed:
            return False
        check = self._under_way.get(digest) or self._queued(digest, hashed, password, address)
        check.askers += 1
        try:
            if not self._running:
                self._next()
            return await asyncio.shield(check.outcome)
        finally:
            check.askers -= 1
            if not check.askers:
                self._forget(check)

    def _queued(self, digest: bytes, hashed: bytes, password: bytes, address: str) -> _Check:
        queue = self._waiting.setdefault(address, deque())
        if len(queue) >= MOST_WAITING:
            raise TooManyWaitingError
        outcome = asyncio.get_running_loop().create_future()
        check = self._under_way[digest] = _Check(digest, address, hashed, password, outcome)
        queue.append(check)
        return check

    def _forget(self, check: _Check) -> None:
        """Leave out what nobody waits for any more, unless it has begun."""
        queue = self._waiting.get(check.address, ())
        if check in queue:
            self._waiting[check.address].remove(check)
            del self._under_way[check.digest]
            if not self._waiting[check.address]:
                del self._waiting[check.address]

    def _next(self) -> None:
        """Start the check whose turn it is: the first of the address that waits the longest."""
        self._running = bool(self._waiting)
        if self._running:
            address, queue = self._waiting.popitem(last=False)
            check = queue.popleft()
            if queue:
                self._waiting[address] = queue
            self._start(check)

    def _start(self, check: _Check) -> None:
        loop = asyncio.get_running_loop()

        def work() -> None:
            _step_back()
            matches = _matches(check.hashed, check.password)
            with suppress(RuntimeError):  # the event loop has ended
                loop.call_soon_threadsafe(self._ended, check, matches)

        # A thread that an executor owns would hold up the end of the process.
        threading.Thread(target=work, name="bcrypt", daemon=True).start()

    def _ended(self, check: _Check, matches: bool) -> None:
        del self._under_way[check.digest]
        (self._passed if matches else self._failed).add(check.digest)
        check.outcome.set_result(matches)
        self._next()

    def _digest(self, *parts: bytes) -> bytes:
        """Return what stands for a password where it is remembered; useless without the secret."""
        digest = hashlib.blake2b(key=self._secret, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.digest()


def _step_back() -> None:
    """Let the event loop go first where there are fewer processors than threads."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _matches(hashed: bytes, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_LIMIT], hashed)
    except ValueError:
        return False
