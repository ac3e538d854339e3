"""Checks passwords against bcrypt hashes, off the event loop and one at a time."""

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import bcrypt

from exporter.single_flight import SingleFlight

REMEMBERED_FOR = 300.0
"""Seconds since its last use for which a right password is remembered."""

MOST_REMEMBERED = 1000

MOST_WAITING = 64
"""Passwords that wait for their check at most, from all clients together."""

BCRYPT_LIMIT = 72
"""Bytes of a password that bcrypt reads, as in every implementation of it."""


class TooManyWaitingError(Exception):
    """Too many passwords wait for their check."""


class Passwords:
    """Checks passwords, and remembers those that were right. clock: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._right_until: OrderedDict[bytes, float] = OrderedDict()
        # A single thread, so that a flood takes one processor at most.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")
        self._checks = SingleFlight[bytes, bool]()
        self._waiting = 0

    def choice(self, name: str, count: int) -> int:
        """Return a number below count: always the same for a name, and unknown to clients."""
        return int.from_bytes(self._digest(name.encode())[:8], "big") % count

    async def match(self, hashed: bytes, password: bytes, *, name: str) -> bool:
        """Return whether a password is that of a hash; name: the user's.

        Raises TooManyWaitingError.
        """
        digest = self._digest(name.encode(), hashed, password)
        if self._is_remembered(digest):
            return True
        if self._waiting >= MOST_WAITING:
            raise TooManyWaitingError
        self._waiting += 1
        try:
            right = await self._checks.do(digest, partial(self._check, hashed, password))
        finally:
            self._waiting -= 1
        if right:
            self._remember(digest)
        return right

    async def _check(self, hashed: bytes, password: bytes) -> bool:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, _matches, hashed, password)

    def _is_remembered(self, digest: bytes) -> bool:
        fresh = self._clock() < self._right_until.get(digest, float("-inf"))
        if fresh:
            self._remember(digest)
        return fresh

    def _remember(self, digest: bytes) -> None:
        self._right_until[digest] = self._clock() + REMEMBERED_FOR
        self._right_until.move_to_end(digest)
        if len(self._right_until) > MOST_REMEMBERED:
            self._right_until.popitem(last=False)

    def _digest(self, *parts: bytes) -> bytes:
        """Return what is remembered of a password; it is useless without the secret."""
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._secret, framed, "sha256")


def _matches(hashed: bytes, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_LIMIT], hashed)
    except ValueError:
        return False
