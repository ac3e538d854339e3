"""The listen address, on machines with both families of addresses, or with less."""

import asyncio
import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from exporter.web.app import served
from exporter.web.guard.listener import ListenError
from exporter.web.guard.web_config import WebConfig
from tests.process import ROOT, binary
from tests.web.guard import listening
from tests.web.guard.guarded import guarded

BOTH = ("ipv4", "ipv6")


@dataclass(frozen=True, slots=True)
class Case:
    """The expected result; reached: () if it cannot listen."""

    host: str
    different: str
    reached: tuple[str, ...]
    warns: bool = False


CASES = [
    Case("localhost", "none", BOTH),
    Case("localhost", "no-ipv6-address", ("ipv4",), warns=True),
    Case("localhost", "ipv6-off", ("ipv4",), warns=True),
    Case("localhost", "ipv4-taken", ("ipv6",), warns=True),
    Case("localhost", "ipv6-taken", ("ipv4",), warns=True),
    *(
        case
        for host in ("", "[::]")
        for case in (
            Case(host, "none", BOTH),
            Case(host, "no-ipv6-address", ("ipv4",)),
            Case(host, "ipv6-off", ("ipv4",)),
            Case(host, "ipv4-taken", ()),
            Case(host, "ipv6-taken", ()),
        )
    ),
    Case("0.0.0.0", "none", ("ipv4",)),
    Case("[::1]", "none", ("ipv6",)),
    Case("[::1]", "ipv6-off", ()),
    Case("127.0.0.1", "ipv4-taken", ()),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the reports of all cases, in order; skips if namespaces cannot be created."""
    unshare = [binary("unshare"), "--net", "--mount", binary("ip"), "link", "set", "lo", "up"]
    if subprocess.run(unshare, capture_output=True, check=False).returncode:
        pytest.skip("network namespaces cannot be made here")
    hosts = tmp_path_factory.mktemp("listening") / "hosts"
    cases = [f"{case.host}:10180={case.different}" for case in CASES]
    found = subprocess.run(
        [sys.executable, "-m", listening.__name__, str(hosts), *cases],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return list(map(json.loads, found.stdout.splitlines()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.host}-{case.different}")
def test_it_listens_where_it_can(case: Case, results: list[dict[str, Any]]) -> None:
    result = results[CASES.index(case)]
    if case.reached:
        assert result["reached"] == list(case.reached), result
    else:
        assert result["refused"].startswith(f"{case.host.strip('[]')}:10180: "), result
    warnings = [line for line in result["log"] if line["event"] == "address not listened on"]
    assert bool(warnings) is case.warns, result


@pytest.mark.parametrize("host", ["a..b", f"{'x' * 64}.example"])
async def test_a_name_that_cannot_exist_is_refused(host: str) -> None:
    serving = served(web.Application(), WebConfig, host, 0)
    with pytest.raises(ListenError, match=f"{host}:0: not a host name"):
        await serving.__aenter__()


async def test_an_address_of_ipv6_is_logged_in_brackets() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    async with guarded(listen_address="[::1]:0") as exporter:
        assert exporter.url.startswith("http://[::1]:")
        _, writer = await asyncio.open_connection("::1", int(exporter.url.rpartition(":")[2]))
        writer.close()
