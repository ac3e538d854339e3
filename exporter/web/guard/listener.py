"""Listens, accepts connections, and always keeps room for one more."""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import structlog
from aiohttp import web

from exporter.web.guard.connections import Connection, most_connections
from exporter.web.guard.web_config import WebConfig
from exporter.wording import host_port

BACKLOG = 1024  # connections that wait for an accept
RECEIVE_BUFFER = 64 * 1024  # bytes that the kernel keeps for a connection; requests are small

# Seconds.
HANDSHAKE_WITHIN = 10.0  # for a TLS handshake
TLS_CLOSED_WITHIN = 2.0  # for the end of a TLS session
PAUSE = 0.1  # until the next accept after the system refused one

NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

log = structlog.get_logger()


class ListenError(Exception):
    """The address cannot be listened on; the message says which and why."""


class Listener:
    """Accepts connections; a context manager, which owns the tasks.

    server: answers the requests; config: returns the configuration of the next connection.
    """

    def __init__(self, server: web.Server, config: Callable[[], WebConfig]) -> None:
        self._server = server
        self._config = config
        self._most = most_connections()
        self._open: dict[Connection, socket.socket] = {}  # the oldest first
        self._accepting: dict[socket.socket, asyncio.Task[None]] = {}
        self._logged: set[str] = set()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for listening, task in self._accepting.items():
            task.cancel()
            listening.close()
        for connection in [each for each in self._open if each.transport is None]:
            self._close(connection)
        await self._tasks.__aexit__(None, None, None)

    async def listen(self, host: str | None, port: int) -> list[str]:
        """Begin to accept connections; host None is every address of the machine.

        Return the addresses, as host:port. Raises ListenError where there is none.
        """
        for listening in await _bound(host, port):
            self._accepting[listening] = self._tasks.create_task(self._accept(listening))
        return [host_port(*each.getsockname()[:2]) for each in self._accepting]

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:
                self._log_once("connections cannot be accepted", error.strerror or "")
                self._close_idle()
                await asyncio.sleep(PAUSE)
                continue
            if len(self._open) < self._most or self._close_idle():
                connection = Connection(self._server, self._forget, self._config)
                self._open[connection] = accepted
                self._tasks.create_task(self._serve(connection, accepted))
            else:
                accepted.close()

    async def _serve(self, connection: Connection, accepted: socket.socket) -> None:
        """Make the connection, TLS included; from then on the connection serves itself.

        It is never cancelled: a connection that is cancelled just after it was made would not
        learn that it is lost.
        """
        context = self._config().context
        limits = {
            "ssl_handshake_timeout": HANDSHAKE_WITHIN,
            "ssl_shutdown_timeout": TLS_CLOSED_WITHIN,
        }
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=context, **(limits if context else {})
            )
        except (OSError, RuntimeError) as error:  # uvloop: RuntimeError where it is closed already
            accepted.close()
            # A client that only checks whether the port is open leaves with a reset.
            left = isinstance(error, ConnectionResetError | RuntimeError)
            if connection in self._open and not left:
                reason = getattr(error, "reason", None) or type(error).__name__
                self._log_once("TLS handshake failed", reason)
        finally:
            if connection.transport is None:
                self._forget(connection)

    def _close_idle(self) -> bool:
        """Close the oldest connection on which no request waits; return whether there is one."""
        oldest = next((each for each in self._open if each.idle), None)
        if oldest is not None:
            self._close(oldest)
        return oldest is not None

    def _close(self, connection: Connection) -> None:
        accepted = self._open.pop(connection)
        connection.abort()
        with suppress(OSError):
            accepted.shutdown(socket.SHUT_RDWR)  # ends a TLS handshake, too

    def _forget(self, connection: Connection) -> None:
        self._open.pop(connection, None)

    def _log_once(self, event: str, reason: str) -> None:
        """Log an event once for each reason."""
        if (line := f"{event}: {reason}") not in self._logged:
            self._logged.add(line)
            log.warning(event, reason=reason, more="not logged again")


async def _bound(host: str | None, port: int) -> list[socket.socket]:
    """Return a socket for each address of a host that can be listened on."""
    found: list[socket.socket] = []
    refused: dict[str, str] = {}
    for family, address in await _addresses(host, port):
        try:
            found.append(_listening(family, address, port))
        except OSError as error:
            refused[address] = _reason(error)
    if not found:
        reason = next(iter(refused.values()))
        raise ListenError(f"{host or ''}:{port}: {reason}")
    for address, reason in refused.items():
        log.warning("address not listened on", host=host, address=address, reason=reason)
    return found


async def _addresses(host: str | None, port: int) -> list[tuple[int, str]]:
    """Return the families and addresses of a host; IPv4 first, as every machine has it."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host or "::", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise ListenError(f"{host or ''}:{port}: {_reason(error)}") from None
    distinct = {(int(family), str(address[0])) for family, _, _, _, address in found}
    return sorted(distinct, key=lambda each: each[0] != socket.AF_INET)


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "not a host name: a part of it is empty or longer than 63 characters"
    reason = error.strerror or str(error)
    # What Python adds to the system's message is the address again.
    return reason.partition(" (while")[0].lower()


def _listening(family: int, address: str, port: int) -> socket.socket:
    """Listen; "::" is every address of both families, as it is in Go."""
    try:
        both = address == "::" and socket.has_dualstack_ipv6()
        listening = socket.create_server(
            (address, port), family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        if address != "::" or error.errno not in NO_IPV6:
            raise
        listening = socket.create_server(("", port), backlog=BACKLOG)
    listening.setblocking(False)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)  # inherited
    return listening
