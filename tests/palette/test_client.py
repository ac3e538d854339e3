import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from exporter.palette.client import Palette, whole_list
from exporter.palette.decoding import MOST_VALUES
from exporter.palette.errors import Expired, InvalidResponse, NotFound, ServerError
from exporter.palette.wire import Fault, Page
from exporter.snapshot import VirtualMachine
from tests.palette.conftest import MakeTransport, Serve, answers, ok, status


@pytest.fixture
def faults() -> list[Fault]:
    return []


@pytest.fixture
def palette_at(transport_to: MakeTransport, faults: list[Fault]) -> Callable[[str], Palette]:
    return lambda base_url: Palette(transport_to(base_url), faults.append)


def document(name: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "vms"}
    return {"metadata": metadata, "spec": {"source": {"name": "db-01"}}} | more


def page(*names: str, token: str | None = None, **more: Any) -> Callable[[], web.Response]:
    metadata = {"continue": token} if token is not None else {}
    items = [document(name, **more) for name in names]
    return ok(json.dumps({"metadata": metadata, "items": items}).encode())


async def test_one_snapshot_is_requested_by_its_whole_path(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    handler, seen = answers(ok(json.dumps(document("before upgrade")).encode()))
    palette = palette_at(await serve(handler))
    snapshot = await replace(palette, project_uid="p1").snapshot(
        "u1", ("vms", "db-01", "before upgrade")
    )
    assert snapshot.key == ("vms", "before upgrade")
    assert seen[0].raw_path == (
        "/v1/spectroclusters/u1/vms/db-01/snapshot/before%20upgrade?namespace=vms"
    )
    assert seen[0].headers["ProjectUid"] == "p1"


async def test_a_list_requests_each_page_with_its_filters(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    handler, seen = answers(page("a", "b", token="t+1/2"), page("c"))
    palette = replace(palette_at(await serve(handler)), project_uid="p1")
    found = await palette.snapshots("u1", namespaces=["vms", "lab"], vms=["db-01", "db-02"])
    assert [snapshot.name for snapshot in found] == ["a", "b", "c"]
    filters = {"namespace": "vms,lab", "vmName": "db-01,db-02", "limit": "50"}
    assert [dict(request.query) for request in seen] == [filters, filters | {"continue": "t+1/2"}]
    assert {request.path for request in seen} == {"/v1/spectroclusters/u1/vms/snapshot"}
    assert all(request.headers["ProjectUid"] == "p1" for request in seen)


async def test_without_filters_none_are_sent(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    handler, seen = answers(page("a"))
    found = await palette_at(await serve(handler)).virtual_machines("u1")
    assert [vm.name for vm in found] == ["a"]
    assert seen[0].path_qs == "/v1/spectroclusters/u1/vms?limit=50"


async def test_the_only_filter_completes_the_identity_of_an_item(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    handler, _ = answers(ok(b'{"metadata": {}, "items": [{"metadata": {"name": "a"}}]}'))
    palette = palette_at(await serve(handler))
    (snapshot,) = await palette.snapshots("u1", namespaces=["vms"], vms=["db-01"])
    assert (snapshot.namespace, snapshot.vm) == ("vms", "db-01")


async def test_clusters_are_read_from_the_dashboard(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    body = b'{"items": [{"metadata": {"name": "prod", "uid": "u1", "projectUid": "p1"}}]}'
    handler, seen = answers(ok(body))
    (cluster,) = await palette_at(await serve(handler)).clusters()
    assert (cluster.uid, cluster.name, cluster.project_uid) == ("u1", "prod", "p1")
    assert seen[0].path_qs == "/v1/dashboard/spectroclusters/vms"


async def test_the_same_snapshot_on_two_pages_counts_once_as_last_seen(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    handler, _ = answers(page("a", "b", token="1"), page("b", "c", status={"readyToUse": True}))
    found = await palette_at(await serve(handler)).snapshots("u1")
    assert [(s.name, s.ready_to_use) for s in found] == [("a", False), ("b", True), ("c", True)]


@pytest.mark.parametrize(
    ("pages", "requests"),
    [
        ([page("a", token="1"), page("b", token="1")], 2),
        ([page("a", token="1"), page("b", token="2"), page("c", token="1")], 3),
        ([page("a", token="1"), page("a", token="2")], 2),
        ([page(token="1")], 1),
    ],
    ids=["same token", "token in a circle", "nothing new", "empty page with a token"],
)
async def test_a_list_that_would_not_end_is_an_error(
    serve: Serve,
    palette_at: Callable[[str], Palette],
    pages: list[Callable[[], web.Response]],
    requests: int,
) -> None:
    handler, seen = answers(*pages)
    with pytest.raises(InvalidResponse):
        await palette_at(await serve(handler)).snapshots("u1")
    assert len(seen) == requests


@pytest.mark.parametrize(
    ("items_on_a_page", "pages", "words"),
    [(1, 10_000, "more than 10000 pages"), (30_000, 4, "more than 100000 items")],
)
async def test_an_endless_list_is_ended_at_the_limit(
    items_on_a_page: int, pages: int, words: str
) -> None:
    fetched = 0

    async def fetch(token: str | None) -> Page[VirtualMachine]:
        nonlocal fetched
        first, fetched = fetched * items_on_a_page, fetched + 1
        items = tuple(
            VirtualMachine(namespace="vms", name=str(first + number))
            for number in range(items_on_a_page)
        )
        return Page(items=items, continue_token=str(fetched))

    with pytest.raises(InvalidResponse, match=words):
        await whole_list(fetch)
    assert fetched == pages


async def test_an_expired_token_starts_the_list_again_and_mixes_nothing(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    handler, seen = answers(
        page("gone", "a", token="1"), status(410), page("a", token="2"), page("b")
    )
    found = await palette_at(await serve(handler)).snapshots("u1")
    assert [snapshot.name for snapshot in found] == ["a", "b"]
    assert [request.query.get("continue") for request in seen] == [None, "1", None, "2"]


async def test_a_token_that_expires_again_and_again_is_an_error(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    handler, seen = answers(
        page("a", token="1"), status(410), page("a", token="2"), status(410), page("a")
    )
    with pytest.raises(Expired):
        await palette_at(await serve(handler)).snapshots("u1")
    assert len(seen) == 4


async def test_a_410_to_the_first_page_is_no_expired_token(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    handler, seen = answers(status(410))
    with pytest.raises(Expired):
        await palette_at(await serve(handler)).snapshots("u1")
    assert len(seen) == 1


async def test_a_failed_page_fails_the_list(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    handler, _ = answers(page("a", token="1"), status(500))
    with pytest.raises(ServerError):
        await palette_at(await serve(handler)).snapshots("u1")


@pytest.mark.parametrize("body", [b"<html></html>", b'{"items": [', b"[]"])
async def test_an_invalid_list_is_never_an_empty_list(
    serve: Serve, palette_at: Callable[[str], Palette], body: bytes
) -> None:
    handler, _ = answers(ok(body))
    palette = palette_at(await serve(handler))
    with pytest.raises(InvalidResponse):
        await palette.snapshots("u1")
    with pytest.raises(InvalidResponse):
        await palette.virtual_machines("u1")
    with pytest.raises(InvalidResponse):
        await palette.clusters()


async def test_a_missing_snapshot_is_not_found(
    serve: Serve, palette_at: Callable[[str], Palette]
) -> None:
    handler, _ = answers(status(404, b'{"code": "ResourceNotFound"}'))
    with pytest.raises(NotFound, match="ResourceNotFound"):
        await palette_at(await serve(handler)).snapshot("u1", ("vms", "db-01", "s"))


async def test_an_unreadable_value_is_reported_and_affects_nothing_else(
    serve: Serve, palette_at: Callable[[str], Palette], faults: list[Fault]
) -> None:
    handler, _ = answers(page("a", status={"readyToUse": True, "creationTime": 7}))
    (snapshot,) = await palette_at(await serve(handler)).snapshots("u1")
    assert snapshot.ready_to_use
    assert [fault.field for fault in faults] == ["status.creationTime"]


async def test_a_page_of_megabytes_is_read_like_any_other(
    serve: Serve, palette_at: Callable[[str], Palette], faults: list[Fault]
) -> None:
    padding = {"annotations": ["x" * 4096] * 10}
    names = [f"s{number}" for number in range(50)]
    handler, _ = answers(page(*names, more=padding, status={"readyToUse": "yes"}))
    found = await palette_at(await serve(handler)).snapshots("u1")
    assert [snapshot.name for snapshot in found] == names
    assert [fault.field for fault in faults] == ["status.readyToUse"] * 50


async def test_a_page_of_thousands_of_items_is_not_decoded(
    serve: Serve, palette_at: Callable[[str], Palette], faults: list[Fault]
) -> None:
    handler, _ = answers(page(*(f"s{number}" for number in range(10_001))))
    with pytest.raises(InvalidResponse, match="more than 10000 items on a page"):
        await palette_at(await serve(handler)).snapshots("u1")
    assert faults == []


@pytest.mark.parametrize("junk", ["1", "{}", '""'])
async def test_more_values_than_a_page_can_have_are_not_even_decoded(
    serve: Serve, palette_at: Callable[[str], Palette], faults: list[Fault], junk: str
) -> None:
    body = f'{{"metadata":{{}},"items":[{junk}{f",{junk}" * MOST_VALUES}]}}'
    handler, _ = answers(ok(body.encode()))
    palette = palette_at(await serve(handler))
    for call in (palette.snapshots("u1"), palette.virtual_machines("u1"), palette.clusters()):
        with pytest.raises(InvalidResponse, match="more than 250000 values"):
            await call
    assert faults == []
