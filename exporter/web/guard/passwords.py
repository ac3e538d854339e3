"""Checks passwords against bcrypt hashes, off the event loop and one at a time."""

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt

REMEMBERED_FOR = 300.0  # seconds since its last use, for a right password
MOST_WAITING = 64  # passwords that wait for their check, from all clients together
BCRYPT_LIMIT = 72  # bytes of a password that bcrypt reads, as in every implementation of it
_HASH_LENGTH = 31


class TooManyWaitingError(Exception):
    """Too many passwords wait for their check."""


class Passwords:
    """Checks the passwords of users, and remembers those that were right. clock: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._used: dict[bytes, float] = {}  # digest of what was right -> when it was used last
        # A single thread, so that a flood takes one processor at most.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")
        self._waiting = 0

    async def is_right(self, users: Mapping[str, bytes], name: str, password: bytes) -> bool:
        """Return whether a user has this password. Raises TooManyWaitingError.

        users: name -> bcrypt hash.
        """
        hashed = users.get(name) or self.decoy(users, name)
        password = password[:BCRYPT_LIMIT]
        digest = self._digest(name.encode(), hashed, password)
        if self._is_remembered(digest):
            return True
        if self._waiting >= MOST_WAITING:
            raise TooManyWaitingError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, self._check, digest, hashed, password
            )
        finally:
            self._waiting -= 1

    def decoy(self, users: Mapping[str, bytes], name: str) -> bytes:
        """Return a hash that no password has, for a user that does not exist.

        Its check takes as long as that of a user's hash, always the same user's for a name, so that
        the time of an answer does not show which users exist.
        """
        pattern = min(users.values(), key=lambda hashed: self._digest(name.encode(), hashed))
        return pattern[:-_HASH_LENGTH] + b"." * _HASH_LENGTH

    def _check(self, digest: bytes, hashed: bytes, password: bytes) -> bool:
        """Return whether a password is right. In the thread, where the same one can be next."""
        if self._is_remembered(digest):
            return True
        try:
            right = bcrypt.checkpw(password, hashed)
        except ValueError:
            return False
        if right:
            # Forget the old ones: some deployments hash the same password again every few minutes.
            now = self._clock()
            known = {each: at for each, at in self._used.items() if now < at + REMEMBERED_FOR}
            self._used = {**known, digest: now}
        return right

    def _is_remembered(self, digest: bytes) -> bool:
        used = self._used.get(digest)
        remembered = used is not None and self._clock() < used + REMEMBERED_FOR
        if remembered:
            self._used[digest] = self._clock()
        return remembered

    def _digest(self, *parts: bytes) -> bytes:
        """Return what is remembered of a password; it is useless without the secret."""
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._secret, framed, "sha256")
