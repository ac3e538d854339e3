"""/probe against a simulated Palette over HTTP: its requests and its answers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from exporter.refresh.targets import Share
from tests.harness import (
    EAST,
    EAST_PROJECT,
    NOW,
    WEST,
    WEST_PROJECT,
    Running,
    Scrape,
    exporting,
    put,
    target,
    tenant,
)
from tests.palette_server import faults
from tests.palette_server.faultbook import Match
from tests.palette_server.world import World
from tests.probes import DURATION, SUCCESS, UP, probe

VM = {"cluster_uid": EAST, "namespace": "vms", "vm": "db-01"}
SNAPSHOT = {**VM, "snapshot": "nightly"}
WHOLE_CLUSTER = [target(EAST, cluster_name="prod-east", project_uid=EAST_PROJECT)]
ONE_CALL, LISTS = {"get_snapshot": 1}, {"list_snapshots": 1, "list_vms": 1}


@pytest.fixture
def world() -> World:
    world = tenant()
    put(world, "db-01", "weekly", "nightly")
    put(world, "db-02", "other")
    put(world, "db-03")
    return world


@asynccontextmanager
async def probing(world: World, **sections: Any) -> AsyncIterator[Running]:
    """Run an exporter with its loops; only what probes request is remembered."""
    async with exporting(world, **sections) as exporter, exporter.loops():
        exporter.palette.forget_requests()
        yield exporter


def of_vm(scrape: Scrape, vm: str) -> set[str]:
    return {line for line in scrape.everything() if f'vm="{vm}"' in line}


async def test_a_probe_of_a_snapshot_has_the_same_series_for_one_request(world: World) -> None:
    targets = [target(f"{EAST}/vms/db-01/nightly", cluster_name="prod-east")]
    async with probing(world, targets=targets) as exporter:
        answer = await probe(exporter.url, SNAPSHOT)
        assert exporter.counted() == ONE_CALL
        assert answer.scrape.everything() == (await exporter.scrape()).everything()
    assert answer.success == 1
    assert answer.scrape.rows(UP, "snapshot") == {"nightly": 1}
    assert answer.scrape.rows("palette_vm_snapshot_age_seconds", "snapshot").keys() == {"nightly"}
    assert 0 < (answer.scrape.value(DURATION) or 0) < 10


async def test_without_a_snapshot_the_whole_machine_is_returned_and_no_other(world: World) -> None:
    objectives = [{"max_age": "26h"}]
    async with probing(world, targets=WHOLE_CLUSTER, objectives=objectives) as exporter:
        answer = await probe(exporter.url, VM)
        assert exporter.counted() == LISTS
        (snapshots,) = exporter.asked("list_snapshots")
        assert (snapshots.query["vmName"], snapshots.query["namespace"]) == ("db-01", "vms")
        metrics = await exporter.scrape()
    assert answer.success == 1
    assert answer.scrape.everything() == of_vm(metrics, "db-01")
    assert answer.scrape.value("palette_vm_snapshots") == 2
    assert answer.scrape.value("palette_vm_snapshot_objective_seconds") == 26 * 3600
    assert answer.scrape.value(UP) is None
    assert not any(name.startswith("palette_cluster_") for name in answer.scrape.lines)


async def test_a_machine_without_snapshots_is_a_row_of_zeros(world: World) -> None:
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        answer = await probe(exporter.url, {**VM, "vm": "db-03"})
    assert answer.success == 1
    assert answer.scrape.rows("palette_vm_restorable_snapshots", "vm") == {"db-03": 0}


async def test_lists_that_ignore_their_filters_show_no_other_machines(world: World) -> None:
    put(world, "db-01", "twin", namespace="elsewhere")
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        exporter.palette.faults.add(None, faults.foreign_items())
        answer = await probe(exporter.url, VM)
    assert answer.success == 1
    assert answer.scrape.rows("palette_vm_snapshots", "namespace", "vm") == {("vms", "db-01"): 2}
    assert answer.scrape.rows("palette_vm_snapshot_ready", "snapshot").keys() == {
        "weekly",
        "nightly",
    }


async def test_every_page_is_read_or_nothing_is_returned(world: World) -> None:
    put(world, "big", *(f"s{number:03}" for number in range(120)))
    big = {**VM, "vm": "big"}
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        answer = await probe(exporter.url, big)
        assert exporter.counted() == {"list_snapshots": 3, "list_vms": 1}
        assert answer.scrape.rows("palette_vm_snapshots", "vm") == {"big": 120}
        assert len(answer.scrape.series("palette_vm_snapshot_ready")) == 120
        last = Match(endpoint="list_snapshots", page=3)
        exporter.palette.faults.add(last, faults.status(500))
        failed = await probe(exporter.url, big)
    assert failed.scrape.lines.keys() == {SUCCESS, DURATION}
    assert failed.success == 0


async def test_a_deleted_snapshot_is_no_success_and_leaves_no_old_series(world: World) -> None:
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        assert (await probe(exporter.url, SNAPSHOT)).success == 1
        world.delete_snapshot(EAST, "vms", "nightly")
        gone = await probe(exporter.url, SNAPSHOT)
        assert gone.scrape.lines.keys() == {SUCCESS, DURATION, UP}
        assert (gone.success, gone.scrape.value(UP)) == (0, 0)
        assert "not_found" in [each["reason"] for each in exporter.events("probe failed")]
        nobody = await probe(exporter.url, {**VM, "vm": "no-such"})
        assert nobody.scrape.lines.keys() == {SUCCESS, DURATION}
        assert nobody.success == 0


async def test_snapshots_outlive_their_machine_as_orphans(world: World) -> None:
    world.put_snapshot(EAST, snapshot_document(name="left", vm="gone", requested_at=NOW - 3600))
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        answer = await probe(exporter.url, {**VM, "vm": "gone"})
    assert answer.success == 1
    assert answer.scrape.rows("palette_vm_snapshot_orphan", "snapshot") == {"left": 1}
    assert answer.scrape.value("palette_vm_snapshots") is None


FAULTS = {
    "unauthorized": faults.status(401),
    "forbidden": faults.status(403),
    "rate_limited": faults.status(429),
    "server_error": faults.status(500),
    "connection": faults.reset(),
    "invalid_response": faults.html(),
}


@pytest.mark.parametrize("query", [SNAPSHOT, VM], ids=["snapshot", "vm"])
@pytest.mark.parametrize("reason", FAULTS)
async def test_whatever_palette_does_the_answer_is_200_and_no_success(
    world: World, reason: str, query: Mapping[str, str]
) -> None:
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        before = (await exporter.scrape()).everything("palette_cluster_")
        exporter.palette.faults.add(None, FAULTS[reason])
        answer = await probe(exporter.url, query)
        assert answer.success == 0
        assert answer.scrape.value(UP) == (0 if "snapshot" in query else None)
        assert answer.scrape.lines.keys() <= {SUCCESS, DURATION, UP}
        told = exporter.events("probe failed")
        assert [(each["log_level"], each["reason"]) for each in told] == [("debug", reason)]
        assert (await exporter.scrape()).everything("palette_cluster_") == before


async def test_requests_of_probes_are_counted_with_the_others(world: World) -> None:
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        await probe(exporter.url, SNAPSHOT)
        counts = (await exporter.scrape()).rows(
            "palette_exporter_api_requests_total", "endpoint", "code"
        )
    one = "/v1/spectroclusters/{uid}/vms/{vmName}/snapshot/{snapshotName}"
    assert counts[one, "200"] == 1


@pytest.mark.parametrize(
    ("query", "fault", "says"),
    [
        (SNAPSHOT, None, ("success: 1", "snapshots found: 1", "requests: 1")),
        (VM, None, ("success: 1", "vm found: True", "snapshots found: 2")),
        (SNAPSHOT | {"snapshot": "gone"}, None, ("success: 0", "reason: not_found")),
        (SNAPSHOT, 500, ("success: 0", "reason: server_error", "answered with 500")),
        (VM, 403, ("success: 0", "reason: forbidden", "answered with 403")),
    ],
)
async def test_debug_says_why_in_text(
    world: World, query: Mapping[str, str], fault: int | None, says: tuple[str, ...]
) -> None:
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        if fault:
            exporter.palette.faults.add(None, faults.status(fault))
        url = f"{exporter.url}/probe"
        async with exporter.session.get(url, params={**query, "debug": "true"}) as response:
            text = await response.text()
            assert response.status == 200
            assert response.content_type == "text/plain"
    assert "cluster: prod-east (6540a1)" in text
    for each in says:
        assert each in text


async def test_a_cluster_without_a_target_is_foreign(world: World) -> None:
    put(world, "db-01", "nightly", cluster=WEST)
    foreign = {**SNAPSHOT, "cluster_uid": WEST}
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        answer = await probe(exporter.url, foreign)
        assert not exporter.palette.requests
    assert answer.status == 403
    assert answer.text.startswith("Unknown cluster_uid.")
    assert WEST not in answer.text


async def test_a_foreign_cluster_is_read_where_that_is_allowed(world: World) -> None:
    put(world, "db-01", "nightly", cluster=WEST)
    foreign = {**SNAPSHOT, "cluster_uid": WEST, "project_uid": WEST_PROJECT}
    allowed = {"allow_unconfigured": True}
    async with probing(world, targets=WHOLE_CLUSTER, probe=allowed) as exporter:
        answer = await probe(exporter.url, foreign)
        (request,) = exporter.palette.requests
        assert request.project_uid == WEST_PROJECT
        assert answer.success == 1
        assert answer.scrape.rows("palette_vm_snapshot_ready", "cluster_name") == {WEST: 1}
        assert WEST not in str((await exporter.scrape()).lines)


async def test_a_known_cluster_is_read_in_its_own_project_only(world: World) -> None:
    allowed = {"allow_unconfigured": True}
    async with probing(world, targets=WHOLE_CLUSTER, probe=allowed) as exporter:
        other = await probe(exporter.url, {**SNAPSHOT, "project_uid": WEST_PROJECT})
        assert not exporter.palette.requests
        assert (other.status, EAST_PROJECT in other.text) == (403, False)
        assert other.text.startswith("project_uid is not the project")
        for project in ({}, {"project_uid": EAST_PROJECT}):
            exporter.palette.forget_requests()
            assert (await probe(exporter.url, {**SNAPSHOT, **project})).success == 1
            assert {each.project_uid for each in exporter.palette.requests} == {EAST_PROJECT}


async def test_a_discovered_cluster_is_read_in_its_own_project(world: World) -> None:
    discovery = {"enabled": True, "clusters": ["prod-east"]}
    async with probing(world, discovery=discovery) as exporter:
        answer = await probe(exporter.url, SNAPSHOT)
        assert {each.project_uid for each in exporter.palette.requests} == {EAST_PROJECT}
        assert answer.scrape.rows("palette_vm_snapshot_ready", "cluster_name") == {"prod-east": 1}
        assert (await probe(exporter.url, {**SNAPSHOT, "cluster_uid": WEST})).status == 403


async def test_a_cluster_of_another_shard_is_foreign(world: World) -> None:
    put(world, "db-01", "nightly", cluster=WEST)
    ordinal, total = next(
        (ordinal, total)
        for total in range(2, 10)
        for ordinal in range(total)
        if WEST in Share(ordinal, total) and EAST not in Share(ordinal, total)
    )
    shard = {"ordinal": str(ordinal), "total": total}
    async with probing(world, discovery={"enabled": True}, shard=shard) as exporter:
        assert (await probe(exporter.url, SNAPSHOT)).status == 403
        assert (await probe(exporter.url, {**SNAPSHOT, "cluster_uid": WEST})).success == 1


BAD = {
    "": "cluster_uid is missing; a probe needs cluster_uid, namespace, vm.",
    "cluster_uid=6540a1&vm=db-01": "namespace is missing; a probe needs cluster_uid,",
    "cluster_uid=6540a1&namespace=vms": "vm is missing;",
    "cluster_uid=&namespace=vms&vm=db-01": "cluster_uid should not be empty.",
    "cluster_uid=6540a1&namespace=vms&vm=db-01&snapshot=": "snapshot should not be empty.",
    "cluster_uid=6540a1&namespace=..&vm=db-01": "namespace should be a name, not '.' or '..'.",
    "cluster_uid=%2e&namespace=vms&vm=db-01": "cluster_uid should be a name,",
    "cluster_uid=6540a1&namespace=vms&vm=d%00b": "vm should have no control characters.",
    "cluster_uid=6540a1&namespace=vms&vm=a,b": "vm should have no comma, unless snapshot is given.",
    "cluster_uid=6540a1&namespace=vms&vm=a&vm=b": "vm should be given once.",
    "cluster_uid=6540a1&namespace=vms&vm=a&target=http://evil": "Unknown parameter. The",
    "cluster_uid=6540a1&namespace=vms&vm=a&project_uid=x%0d%0ay": "project_uid should have no",
    "cluster_uid=6540a1&namespace=vms&vm=a&project_uid=a%20b": "project_uid should be printable",
    f"cluster_uid=6540a1&namespace=vms&vm={'x' * 254}": "vm should have at most 253 characters.",
}


async def test_a_query_without_sense_is_400_with_a_sentence(world: World) -> None:
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        for query, sentence in BAD.items():
            answer = await probe(exporter.url, query)
            assert answer.status == 400, query
            assert answer.text.startswith(sentence), query
            assert answer.text.endswith(".\n")
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert "evil" not in answer.text
        assert not exporter.palette.requests


async def test_names_of_any_kind_are_found(world: World) -> None:
    name = 'Grüße "x"..?#&=+ 日本'
    world.put_vm(EAST, vm_document(name=name, namespace=name))
    world.put_snapshot(
        EAST, snapshot_document(name=name, vm=name, namespace=name, requested_at=NOW)
    )
    query = {"cluster_uid": EAST, "namespace": name, "vm": name}
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        assert (await probe(exporter.url, query)).success == 1
        answer = await probe(exporter.url, {**query, "snapshot": name})
    assert answer.scrape.rows(UP, "namespace", "vm", "snapshot") == {(name, name, name): 1}


async def test_switched_off_it_is_404(world: World) -> None:
    off = {"enabled": False, "allow_unconfigured": True}
    async with probing(world, targets=WHOLE_CLUSTER, probe=off) as exporter:
        answer = await probe(exporter.url, SNAPSHOT)
        assert not exporter.palette.requests
    assert (answer.status, answer.text) == (
        404,
        "Probes are disabled. Set probe.enabled to enable them.\n",
    )


async def test_head_is_the_answer_without_its_body_and_post_is_refused(world: World) -> None:
    async with probing(world, targets=WHOLE_CLUSTER) as exporter:
        head = await probe(exporter.url, SNAPSHOT, method="HEAD")
        assert (head.status, head.text) == (200, "")
        assert int(head.headers["Content-Length"]) > 0
        for method in ("POST", "PUT", "DELETE"):
            refused = await probe(exporter.url, SNAPSHOT, method=method)
            assert (refused.status, refused.headers["Allow"]) == (405, "GET,HEAD")
