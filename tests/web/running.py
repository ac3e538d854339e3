"""The exporter inside the test's process: everything is real except its clock."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from structlog.testing import capture_logs

from exporter.clock import Clock
from exporter.runtime.run import run
from exporter.settings import load
from tests.palette_server.server import API_KEY, PaletteServer
from tests.process import eventually, ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """A running exporter; log: the entries of its log so far."""

    url: str
    log: Sequence[MutableMapping[str, Any]]

    async def ready(self) -> None:
        """Wait until every cluster's first refresh has ended."""
        await eventually(lambda: ready(self.url))


@asynccontextmanager
async def exporter_of(
    palette: PaletteServer,
    targets: Sequence[Mapping[str, str]],
    /,
    *,
    wall: Callable[[], float] = time.time,
    **flags: Mapping[str, object],
) -> AsyncIterator[Exporter]:
    """Run an exporter that watches these targets; flags: further settings by section.

    wall: the exporter's time, in seconds since the epoch.
    """
    settings = load(
        flags={
            **flags,
            "palette": {
                "url": palette.url,
                "requests_per_second": 10_000,
                **flags.get("palette", {}),
            },
            "web": {"listen_address": "127.0.0.1:0", **flags.get("web", {})},
        },
        environ={
            "SPECTROCLOUD_APIKEY": API_KEY,
            "PALETTE_EXPORTER_TARGETS": json.dumps(targets),
        },
    )
    with capture_logs() as log:
        task = asyncio.create_task(run(settings, clock=Clock(wall=wall)))

        async def address() -> str:
            if task.done():
                task.result()
            return next((line["listen"] for line in log if line["event"] == "starting"), "")

        try:
            yield Exporter(url=f"http://{await eventually(address)}", log=log)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def target(document: Mapping[str, Any], cluster_uid: str, **more: str) -> dict[str, str]:
    """Return the target that names a snapshot's document."""
    return {
        "cluster_uid": cluster_uid,
        "namespace": document["metadata"]["namespace"],
        "vm": document["spec"]["source"]["name"],
        "snapshot": document["metadata"]["name"],
        **more,
    }
