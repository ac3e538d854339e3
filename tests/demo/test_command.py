"""The simulated Palette as a command, for trying a configuration against it."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from exporter.demo.api import API_KEY
from tests.process import ROOT, environment, eventually, finished, free_port, get, running


def test_it_serves_the_printed_address_until_it_is_interrupted() -> None:
    command = [sys.executable, "-m", "exporter.demo", f"--port={free_port()}"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        said = ""
        while "nothing is kept" not in said:
            line = process.stdout.readline().decode()
            assert line, process.stderr.read()
            said += line
        found = re.search(r"SPECTROCLOUD_HOST=(\S+) SPECTROCLOUD_APIKEY=(\S+)", said)
        assert found
        assert found[2] == API_KEY
        request = urllib.request.Request(
            f"{found[1]}/v1/dashboard/spectroclusters/vms", headers={"ApiKey": API_KEY}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            listed = answer.read().decode()
        uids = re.findall(r"^  ([0-9a-f]{24}) ", said, re.MULTILINE)
        assert uids
        assert all(uid in listed for uid in uids)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read() == b""


def test_a_port_that_is_taken_is_said_in_a_line() -> None:
    module = (sys.executable, "-m", "exporter.demo")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = finished(f"--port={port}", command=module)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"--port: 127\.0\.0\.1:{port}: .+\. Use --port=0 for a free one\.\n", done.stderr
    )


async def test_the_demo_of_the_exporter_prints_where_its_page_is(tmp_path: Path) -> None:
    flags = ("--demo", "--web.listen-address=127.0.0.1:0")
    async with running(*flags, directory=tmp_path) as exporter:

        async def printed() -> str:
            return exporter.stdout.read_text()

        found = re.fullmatch(r"Status page: (\S+) \(Ctrl-C to stop\)\n", await eventually(printed))
        assert found
        assert (await exporter.line("starting"))["status_page"] == found[1]
        status, text = await get(found[1])
        assert status == 200
        assert "<html" in text
