"""A receiver in place of a pager: it records Alertmanager's notifications."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Alert = frozenset[tuple[str, str]]
"""The labels of an alert."""


def alert(name: str, severity: str, **labels: str) -> Alert:
    return frozenset({"alertname": name, "severity": severity, **labels}.items())


WATCHDOG = alert("Watchdog", "none")


@dataclass(slots=True)
class Receiver:
    """Records Alertmanager's notifications.

    reported: (receiver, alert, status), in the order of arrival. sizes: of the notifications, in
    bytes, by receiver and cluster_uid.
    """

    reported: list[tuple[str, Alert, str]] = field(default_factory=list)
    sizes: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    async def note(self, request: web.BaseRequest) -> web.Response:
        text = await request.read()
        notification, receiver = json.loads(text), request.path.strip("/")
        cluster = notification["groupLabels"].get("cluster_uid", "")
        self.sizes.setdefault((receiver, cluster), []).append(len(text))
        for each in notification["alerts"]:
            labels = frozenset(each["labels"].items())
            if labels == WATCHDOG:
                continue
            self.reported.append((receiver, labels, each["status"]))
        return web.Response()

    def heard(self, status: str) -> dict[Alert, str]:
        """Return the alerts that arrived with this status, with their receivers."""
        return {labels: name for name, labels, said in self.reported if said == status}


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[str]:
    """Serve the receiver, and yield its base URL."""
    runner = web.ServerRunner(web.Server(receiver.note))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
