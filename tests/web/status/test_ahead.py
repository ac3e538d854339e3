"""What has changed is assessed before somebody looks."""

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from exporter.snapshot import Cluster, ClusterState
from exporter.store import Published
from exporter.web.status import handlers
from tests.web.status.test_query import NOW, facts


async def test_changes_are_assessed_before_somebody_looks_and_after_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, assessed = asyncio.get_running_loop(), asyncio.Event()

    class Noted:
        """A text whose content is read when its cluster is assessed; that fails at first."""

        reads = 0

        @property
        def content(self) -> object:
            self.reads += 1
            if self.reads == 1:
                raise ValueError
            loop.call_soon_threadsafe(assessed.set)
            return self

    state = ClusterState(cluster=Cluster(uid="a", name="a"), up=True)
    published = Published(state=state, last_known=state, text=Noted())
    monkeypatch.setattr(handlers, "ASSESSED_EVERY", 0.001)
    monkeypatch.setattr(handlers, "AFTER_A_FAULT", 0.001)
    status = handlers.StatusHandlers(
        facts=lambda: replace(facts(), published=[published]),
        wall=lambda: NOW,
        secrets=list,
        configuration=str,
        version="1",
        telemetry_path=str,
    )
    with capture_logs() as log:
        running = asyncio.create_task(status.run())
        await asyncio.wait_for(assessed.wait(), 10)
        running.cancel()
    assert [line["event"] for line in log] == ["VMs not assessed"]
