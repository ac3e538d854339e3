"""Several exporters that share the clusters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.refresh.targets import Share
from exporter.settings import SettingsError, load
from tests.harness import NOW, exporting
from tests.palette_server.world import World

uids = st.text("0123456789abcdef", min_size=1, max_size=24)


@given(uids, st.integers(1, 12))
def test_every_cluster_is_one_exporters(uid: str, total: int) -> None:
    assert [uid in Share(ordinal, total) for ordinal in range(total)].count(True) == 1


@given(uids, st.integers(1, 12))
def test_one_exporter_more_takes_clusters_and_moves_none_between_the_others(
    uid: str, total: int
) -> None:
    before = next(ordinal for ordinal in range(total) if uid in Share(ordinal, total))
    after = next(ordinal for ordinal in range(total + 1) if uid in Share(ordinal, total + 1))
    assert after in (before, total)


def test_shares_are_about_equal() -> None:
    clusters = [f"6540a1b2c3d4e5f6{index:08}" for index in range(4000)]
    sizes = [sum(uid in Share(ordinal, 4) for uid in clusters) for ordinal in range(4)]
    assert sum(sizes) == 4000
    assert all(850 < size < 1150 for size in sizes)


async def test_four_exporters_together_report_what_one_reports_for_the_same_requests() -> None:
    def world() -> World:
        return World.fleet(clusters=12, vms=60, snapshots=120, now=NOW)

    found: list[set[str]] = []
    asked: list[set[str]] = []
    for ordinal, total in ((0, 1), (0, 4), (1, 4), (2, 4), (3, 4)):
        async with exporting(
            world(), discovery={"enabled": True}, shard={"ordinal": ordinal, "total": total}
        ) as exporter:
            async with exporter.loops():
                told = await exporter.scrape()
            found.append(told.everything("palette_vm_"))
            asked.append({each.raw_path for each in exporter.asked("list_vms")})
            assert told.value("palette_exporter_shard_ordinal") == ordinal
            assert told.value("palette_exporter_total_shards") == total
    alone, *shards = found
    assert set.union(*shards) == alone
    assert sum(map(len, shards)) == len(alone)
    assert set.union(*asked[1:]) == asked[0]
    assert sum(map(len, asked[1:])) == len(asked[0])


@pytest.mark.parametrize(("host", "index"), [("exporter-0", 0), ("palette-snapshot-exporter-3", 3)])
def test_auto_reads_the_ordinal_off_the_pods_name(
    host: str, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    flags = {"shard": {"ordinal": "auto", "total": "4"}}
    assert load(flags=flags, environ={"SPECTROCLOUD_APIKEY": "k"}).shard.index == index


@pytest.mark.parametrize(
    ("host", "ordinal"), [("laptop", "auto"), ("exporter-4", "auto"), ("x-0", "4"), ("x-0", "one")]
)
def test_an_ordinal_that_cannot_be_is_refused(
    host: str, ordinal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    with pytest.raises(SettingsError, match=r"shard\.ordinal"):
        load(
            flags={"shard": {"ordinal": ordinal, "total": "4"}},
            environ={"SPECTROCLOUD_APIKEY": "k"},
        )
