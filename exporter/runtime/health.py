"""The health check of ``--health``: asks the exporter that settings describe for /-/healthy."""

import http.client
import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from exporter.settings import Settings, SettingsError, load
from exporter.settings.flags import parse

LISTEN_ADDRESS = "PALETTE_EXPORTER_WEB__LISTEN_ADDRESS"

ALERT, HANDSHAKE = b"\x15", b"\x16"  # the first byte of a TLS record, by its type

TIMEOUT = 2.0  # seconds to wait for each address and each protocol

REACHED_BY = {
    "": ("127.0.0.1", "::1"),
    "0.0.0.0": ("127.0.0.1",),  # noqa: S104 - compared, not bound
    "::": ("::1", "127.0.0.1"),
}
"""A listen address that stands for all of the machine -> those that reach it."""


def unhealthy(arguments: Sequence[str]) -> str:
    """Return why the exporter that the arguments describe does not answer; "" where it does.

    Any HTTP answer counts, 401 too: it shows that the event loop runs. The connection is direct,
    whatever proxy is configured, and no certificate is verified: the peer is this machine.
    """
    try:
        settings = _described(arguments)
    except SettingsError as error:
        return str(error)
    host, port = settings.web.address
    if not port:
        return "web.listen_address: port 0 is unknown from outside. Set a port."
    name, problems = host or "", []
    for address in REACHED_BY.get(name, (name,)):
        # A web.config_file usually means TLS; it can also hold only users.
        for secure in (True, False) if settings.web.config_file else (False, True):
            problem = _problem(address, port, secure=secure)
            if not problem:
                return ""
            problems.append(f"{'https' if secure else 'http'}://{address}:{port}: {problem}")
    return "; ".join(problems)


def _described(arguments: Sequence[str]) -> Settings:
    """Return settings that have the exporter's address, by the arguments of the command.

    A running exporter keeps its settings when their file becomes invalid, and stays healthy; then
    flags and environment have to give the address. Raises SettingsError.
    """
    flags = parse(_of_container() if list(arguments) == ["--health"] else arguments)
    try:
        return load(flags=flags.settings, config_file=flags.config_file, demo=flags.demo)
    except (SettingsError, OSError):
        web = flags.settings.get("web")
        address = web.get("listen_address") if isinstance(web, Mapping) else None
        return load(
            flags={"web": {"listen_address": address}} if address else {},
            environ={key: value for key, value in os.environ.items() if key == LISTEN_ADDRESS},
            demo=True,
            directory=Path("/"),
        )


def _of_container() -> Sequence[str]:
    """Return the arguments of the exporter that is the first process of a container.

    A health check runs without them. Returns none where the first process is another program.
    """
    try:
        command = Path("/proc/1/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return ()
    for index, argument in enumerate(command):
        if Path(argument).name == "palette-snapshot-exporter":
            return command[index + 1 :]
        if command[index : index + 2] == ["-m", "exporter"]:
            return command[index + 2 :]
    return ()


def _problem(host: str, port: int, *, secure: bool) -> str:
    """Return why there is no answer; "" where there is one."""
    try:
        with closing(http.client.HTTPConnection(host, port, timeout=TIMEOUT)) as connection:
            connection.connect()
            if secure:
                return _tls_problem(connection.sock)
            connection.request("GET", "/-/healthy")
            connection.getresponse()
    except http.client.HTTPException:
        return "the answer is not HTTP"
    except OSError as error:
        return error.strerror or "no answer"
    return ""


def _tls_problem(connection: socket.socket) -> str:
    """Begin a TLS handshake: its first answer needs no certificate of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    connection.sendall(outgoing.read())
    return "" if connection.recv(1) in (HANDSHAKE, ALERT) else "the answer is not TLS"
