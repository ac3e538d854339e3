"""Listens in network namespaces, and reports in JSON, a line each, which addresses answer.

Arguments: a file for the names of hosts; then for each namespace the listen address, "=", and what
is different there: none, no-ipv6-address, ipv6-off, ipv4-taken or ipv6-taken.
"""

import asyncio
import ctypes
import json
import multiprocessing
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from aiohttp import web
from structlog.testing import capture_logs

from exporter.settings import Settings
from exporter.web.app import served
from exporter.web.guard.listener import ListenError
from exporter.web.guard.web_config import WebConfig

HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
NEW_NETWORK, NEW_MOUNTS = 0x4000_0000, 0x0002_0000
CHANGES = {
    "no-ipv6-address": ["ip", "-6", "address", "delete", "::1/128", "dev", "lo"],
    "ipv6-off": ["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"],
}
LOOPBACK = {"ipv4": (socket.AF_INET, "127.0.0.1"), "ipv6": (socket.AF_INET6, "::1")}


async def is_reached(family: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK[family][1], port)
    except OSError:
        return False
    writer.close()
    return True


async def listening(address: str, taken: str) -> dict[str, object]:
    host, port = Settings.model_validate({"web": {"listen_address": address}}).web.address
    with ExitStack() as stack:
        if taken in LOOPBACK:
            family, loopback = LOOPBACK[taken]
            stack.enter_context(socket.create_server((loopback, port), family=family))
        try:
            async with served(web.Application(), WebConfig, host, port) as addresses:
                reached = [
                    each for each in LOOPBACK if each != taken and await is_reached(each, port)
                ]
                return {"reached": reached, "addresses": addresses}
        except ListenError as error:
            return {"refused": str(error)}


def in_namespace(address: str, different: str, hosts: str) -> None:
    """Report one case, in its own process."""
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_NETWORK | NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "unshare")
    commands = [
        ["mount", "--make-rprivate", "/"],
        ["mount", "--bind", hosts, "/etc/hosts"],
        ["ip", "link", "set", "lo", "up"],
        CHANGES.get(different, ["true"]),
    ]
    for command in commands:
        subprocess.run(command, check=True)
    with capture_logs() as log:
        found = asyncio.run(listening(address, different.removesuffix("-taken")))
    print(json.dumps({**found, "log": log}), flush=True)  # noqa: T201


def main(hosts: str, *cases: str) -> None:
    Path(hosts).write_text(HOSTS)
    for case in cases:
        # Not spawned: to import the exporter takes longer than the case.
        process = multiprocessing.get_context("fork").Process(
            target=in_namespace, args=(*case.split("="), hosts)
        )
        process.start()
        process.join()
        assert process.exitcode == 0, case


if __name__ == "__main__":
    main(*sys.argv[1:])
