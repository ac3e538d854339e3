"""Alerts over hours: clusters and VMs that leave, flap, restart, are unknown or noisy."""

from pathlib import Path

import pytest

from tests.deploy.conftest import Program
from tests.deploy.situations import (
    DAY,
    JOB,
    Expected,
    Labels,
    Situation,
    complaints,
    constant,
    count,
)

ANY = 'alertname=~"Palette.+"'
MISSED = 'alertname="PaletteVMSnapshotObjectiveMissed"'
NOTHING = 'alertname="PaletteVMWithoutRestorableSnapshot"'
UNREADABLE = 'alertname="PaletteClusterUnreadable"'
STALE = 'alertname="PaletteClusterStale"'
GONE = 'alertname="PaletteClusterGone"'
DOWN = 'alertname="PaletteExporterDown"'
LOST = 'alertname="PaletteSnapshotDataLost"'

HOURS = 240
"""The length of a situation in minutes."""


def exporter(letter: str, **labels: str) -> Labels:
    return {"job": JOB, "instance": f"{letter}:10180", **labels}


def repeated(pattern: str, minutes: int = HOURS) -> str:
    return " ".join([pattern] * (minutes // len(pattern.split())))


def failing(
    situation: Situation, cluster: Labels, minutes: int = HOURS, then: str = "", **labels: str
) -> None:
    """Add a VM that misses its objective."""
    machine = {**cluster, "namespace": "shop", "vm": "db", **labels}
    for metric, value in {
        "restorable_snapshots": 0,
        "created_timestamp_seconds": -900_000,
        "snapshot_objective_seconds": 3600,
        "snapshot_objective_deadline_timestamp_seconds": -896_400,
    }.items():
        situation.add(f"palette_vm_{metric}", machine, f"{value}+0x{minutes}{then}")


def healthy(situation: Situation, uid: str = "u1", name: str = "prod") -> Labels:
    return situation.cluster(uid, name, up=constant(1, HOURS), last_success=f"0+60x{HOURS}")


def test_a_cluster_that_leaves_the_list_is_reported_and_its_alerts_go_on(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    healthy(situation)
    left = situation.cluster("u2", "test", up="1+0x30 stale", last_success="0+60x30 stale")
    failing(situation, left, 30, " stale")
    expected = [
        *count(MISSED, ["25m", "50m", "2h", "4h"], "== 1"),
        *count(GONE, ["50m", "2h", "4h"], "== 1"),
        *count(GONE, ["25m"], "== 0"),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_an_alert_that_was_paged_is_resolved_after_its_cluster_is_read_again(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    cluster = situation.cluster(
        up="1+0x40 0+0x59 1+0x140", last_success="0+60x40 2400+0x59 6000+60x140"
    )
    for metric, value in {
        "restorable_snapshots": "0+0x46 stale _x53 3+0x140",
        "created_timestamp_seconds": "-900000+0x46 stale _x53 -900000+0x140",
        "snapshot_objective_seconds": "3600+0x46 stale _x53 3600+0x140",
        "snapshot_objective_deadline_timestamp_seconds": "-9000+0x46 stale _x53 90000+0x140",
    }.items():
        situation.add(f"palette_vm_{metric}", {**cluster, "namespace": "n", "vm": "db"}, value)
    during = [f"{minutes}m" for minutes in range(20, 105, 3)]
    expected = [
        *count(MISSED, during, "== 1"),
        *count(UNREADABLE, ["60m", "90m"], "== 1"),
        # The outage's alert ends first: while it fires, it inhibits the "resolved" of others.
        *count(UNREADABLE, ["2h15m"], "== 0"),
        *count(MISSED, ["2h45m"], "== 0"),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_an_empty_list_of_clusters_is_reported(promtool: Program, tmp_path: Path) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    situation.add("palette_discovery_up", {}, constant(1, HOURS))
    situation.cluster(up="1+0x30 stale", last_success="0+60x30 stale")
    nothing = 'alertname="PaletteNothingWatched", severity="critical"'
    expected = [*count(nothing, ["1h", "2h"], "== 1"), *count(nothing, ["30m"], "== 0")]
    assert complaints(tmp_path, situation, expected) == ""


def test_a_key_that_is_refused_from_the_start_fires_a_critical_alert(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    situation.add("palette_discovery_up", {}, constant(0, HOURS))
    expected = [
        *count('alertname="PaletteDiscoveryFailing"', ["30m", "2h"], "== 1"),
        *count(f'{ANY}, severity="critical"', ["30m", "2h"], ">= 1"),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_a_shard_whose_discovery_fails_is_not_hidden_by_the_others(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    for ordinal, letter in enumerate("ab"):
        situation.exporter = exporter(letter)
        situation.up(constant(1, HOURS))
        situation.add("palette_exporter_shard_ordinal", {}, constant(ordinal, HOURS))
        situation.add("palette_exporter_total_shards", {}, constant(2, HOURS))
        situation.add("palette_discovery_up", {}, constant(1 - ordinal, HOURS))
    situation.exporter = exporter("a")
    healthy(situation)
    expected = count('alertname="PaletteDiscoveryFailing"', ["30m", "2h"], "== 1")
    assert complaints(tmp_path, situation, expected) == ""


def test_a_pair_whose_second_discovers_for_the_first_is_quiet(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    for up, letter in enumerate("ab"):
        situation.exporter = exporter(letter)
        situation.up(constant(1, HOURS))
        situation.add("palette_exporter_shard_ordinal", {}, constant(0, HOURS))
        situation.add("palette_exporter_total_shards", {}, constant(1, HOURS))
        situation.add("palette_discovery_up", {}, constant(up, HOURS))
        healthy(situation)
    assert complaints(tmp_path, situation, count(ANY, ["90m"], "== 0")) == ""


@pytest.mark.parametrize("pattern", ["1 0 0 0 0", "1 0", "0 1 0", "1 1 stale _ _ _ _"])
def test_an_exporter_that_restarts_again_and_again_counts_as_down(
    pattern: str, promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(repeated(pattern))
    expected = count(f'{DOWN}, severity="critical"', ["30m", "2h", "2h1m", "2h2m"], "== 1")
    assert complaints(tmp_path, situation, expected) == ""


@pytest.mark.parametrize(
    "up",
    [
        "1+0x60 0+0x4 1+0x170",
        "1+0x60 stale _x4 1+0x170",
        repeated("1 1 1 1 0"),
        "1+0x40 " + repeated("1 1 1 1 1 stale _", 196),
        "_ _ 1+0x200",
    ],
)
def test_an_exporter_that_is_replaced_does_not_count_as_down(
    up: str, promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(up)
    healthy(situation)
    expected = count(DOWN, [f"{minute}m" for minute in range(4, 180, 4)], "== 0")
    assert complaints(tmp_path, situation, expected) == ""


def test_alerts_fire_through_scrapes_that_fail_every_other_time(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(repeated("1 0"))
    cluster = situation.cluster(up=repeated("1 stale"), last_success=None)
    made = {**cluster, "namespace": "shop", "vm": "db", "snapshot": "s1"}
    for name, value in {
        "ready": "0 stale",
        "creation_timestamp_seconds": "-9000 stale",
    }.items():
        situation.add(f"palette_vm_snapshot_{name}", made, repeated(value))
    phase = {**made, "phase": "Succeeded"}
    situation.add("palette_vm_snapshot_phase", phase, repeated("1 stale"))
    expected = [*count(LOST, ["2h", "2h1m"], "== 1"), *count(DOWN, ["2h", "2h1m"], "== 1")]
    assert complaints(tmp_path, situation, expected) == ""


def test_a_restart_does_not_end_the_alert_about_a_stale_cluster(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up("1+0x120 0 1+0x120")
    situation.cluster(up="0+0x120 stale 0+0x120", last_success="0+0x120 stale")
    expected = count(STALE, ["2h", "2h1m", "2h3m", "2h6m", "2h8m", "3h55m"], "== 1")
    assert complaints(tmp_path, situation, expected) == ""


def test_a_cluster_that_was_never_read_is_stale_after_an_hour(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    situation.cluster(up=constant(0, HOURS), last_success=None)
    expected = [*count(STALE, ["50m"], "== 0"), *count(STALE, ["1h30m", "2h"], "== 1")]
    assert complaints(tmp_path, situation, expected) == ""


@pytest.mark.parametrize("state", ["Deleting", "Provisioning"])
def test_a_cluster_that_does_not_run_fires_no_critical_alert(
    state: str, promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    cluster = situation.cluster(up=constant(0, HOURS), last_success=None)
    situation.add("palette_cluster_state", {**cluster, "state": state}, constant(1, HOURS))
    expected = [
        *count(f'{ANY}, severity="critical"', ["90m"], "== 0"),
        *count(f'{STALE}, severity="warning"', ["90m"], "== 1"),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_most_refreshes_failing_is_reported_and_silences_no_vm(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    success = " ".join(str((minute // 5) * 300) for minute in range(HOURS))
    cluster = situation.cluster(up=repeated("1 0 0 0 0"), last_success=success)
    failing(situation, cluster)
    moments = [f"{minute}m" for minute in range(60, HOURS, 7)]
    expected = [*count(MISSED, moments, "== 1"), *count(UNREADABLE, moments, "== 1")]
    assert complaints(tmp_path, situation, expected) == ""


def test_one_failed_refresh_in_five_is_quiet(promtool: Program, tmp_path: Path) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    situation.cluster(up=repeated("0 1 1 1 1"), last_success=f"0+60x{HOURS}")
    assert complaints(tmp_path, situation, count(ANY, ["1h", "90m"], "== 0")) == ""


def test_a_long_refresh_interval_is_not_taken_for_old_data(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    situation.add("palette_exporter_refresh_interval_seconds", {}, constant(1800, HOURS))
    situation.add("palette_exporter_round_seconds", {}, constant(60, HOURS))
    success = " ".join(str((minute // 30) * 1800) for minute in range(HOURS))
    cluster = situation.cluster(up=constant(1, HOURS), last_success=success)
    failing(situation, cluster)
    expected = [
        *count('alertname=~"PaletteCluster.+"', ["1h", "2h"], "== 0"),
        *count(MISSED, ["1h", "2h"], "== 1"),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_a_refresh_that_hangs_is_reported_before_the_hour(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    situation.add("palette_exporter_refresh_interval_seconds", {}, constant(60, HOURS))
    situation.add("palette_exporter_round_seconds", {}, constant(5, HOURS))
    situation.cluster(up=constant(1, HOURS), last_success=constant(0, HOURS))
    expected = [*count(UNREADABLE, ["45m"], "== 1"), *count(STALE, ["1h30m"], "== 1")]
    assert complaints(tmp_path, situation, expected) == ""


@pytest.mark.parametrize(
    ("second", "extra"),
    [
        ({"cluster_uid": "u1", "cluster_name": "prod"}, {}),
        ({"cluster_uid": "u1", "cluster_name": "u1"}, {}),
        ({"cluster_uid": "u1", "cluster_name": "prod"}, {"prometheus_replica": "b"}),
    ],
    ids=["pair", "pair that knows only the uid", "agent label"],
)
def test_several_exporters_give_one_alert_each(
    second: Labels, extra: Labels, promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    for letter, cluster, labels in (("a", {}, {}), ("b", second, extra)):
        situation.exporter = exporter(letter, **labels)
        situation.up()
        found = situation.cluster(**_named(cluster))
        failing(situation, found, 60)
    expected = [
        *count(MISSED, ["30m"], "== 1"),
        *count(f'{MISSED}, cluster_name="prod"', ["30m"], "== 1"),
        *count(NOTHING, ["30m"], "== 1"),
        Expected(at="30m", expr="fleet:palette_vms:count == bool 1", samples={"": 1}),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def _named(cluster: Labels) -> dict[str, str]:
    if not cluster:
        return {}
    return {"uid": cluster["cluster_uid"], "name": cluster["cluster_name"]}


@pytest.mark.parametrize("before", ["u1", "old"], ids=["uid", "name"])
def test_an_alert_has_no_gap_while_the_name_of_its_cluster_changes(
    before: str, promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    for name, form, success in (
        (before, "{}+0x60 stale", "0+60x60 stale"),
        ("prod", "_x61 {}+0x178", "_x61 3660+60x178"),
    ):
        cluster = situation.cluster("u1", name, up=form.format(1), last_success=success)
        for metric, value in {
            "restorable_snapshots": 0,
            "created_timestamp_seconds": -900_000,
            "snapshot_objective_seconds": 3600,
        }.items():
            machine = {**cluster, "namespace": "shop", "vm": "db"}
            situation.add(f"palette_vm_{metric}", machine, form.format(value))
    expected = [
        *count(MISSED, [f"{minute}m" for minute in range(30, 120, 2)], ">= 1"),
        *count(f'{MISSED}, cluster_name="prod"', ["2h", "3h"], "== 1"),
        *count(MISSED, ["2h", "3h"], "== 1"),
        *count(GONE, ["2h", "3h"], "== 0"),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_vms_of_one_name_are_apart_where_honor_labels_is_lost(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.exporter = exporter("a", namespace="monitoring")
    situation.up()
    cluster = situation.cluster()
    for namespace in ("shop", "erp"):
        machine = {**cluster, "exported_namespace": namespace, "vm": "db"}
        situation.add("palette_vm_restorable_snapshots", machine, 0)
        situation.add("palette_vm_created_timestamp_seconds", machine, -9e6)
    by = "exported_namespace, namespace"
    expected = [
        Expected(
            at="30m",
            expr=f'count by ({by}) (ALERTS{{{NOTHING}, alertstate="firing"}})',
            samples={
                'exported_namespace="shop", namespace="monitoring"': 1,
                'exported_namespace="erp", namespace="monitoring"': 1,
            },
        )
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_an_alert_carries_the_owner_of_its_vm(promtool: Program, tmp_path: Path) -> None:
    situation = Situation()
    situation.up()
    failing(situation, situation.cluster(), 60, owner="team-db")
    expected = [*count(f'{MISSED}, owner="team-db"', ["30m"], "== 1")]
    assert complaints(tmp_path, situation, expected) == ""


def test_values_that_become_unreadable_are_reported(promtool: Program, tmp_path: Path) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    healthy(situation)
    field = {"field": "status.creationTime"}
    situation.add("palette_exporter_decode_errors_total", field, f"0+1000x{HOURS}")
    expected = count('alertname="PaletteValuesUnreadable"', ["2h", "4h"], "== 1")
    assert complaints(tmp_path, situation, expected) == ""


def test_vms_that_vanish_from_a_cluster_that_is_read_are_reported(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    for uid, gone, kept in (("u1", 9, 1), ("u2", 1, 9)):
        cluster = healthy(situation, uid, f"c-{uid}")
        for number in range(gone):
            machine = {**cluster, "namespace": "shop", "vm": f"gone-{number}"}
            situation.add("palette_vm_restorable_snapshots", machine, "1+0x90 stale")
        for number in range(kept):
            machine = {**cluster, "namespace": "shop", "vm": f"kept-{number}"}
            situation.add("palette_vm_restorable_snapshots", machine, constant(1, HOURS))
    vanished = 'alertname="PaletteClusterVMsVanished"'
    expected = [
        *count(f'{vanished}, cluster_uid="u1"', ["2h"], "== 1"),
        *count(f'{vanished}, cluster_uid="u2"', ["2h"], "== 0"),
        *count(vanished, ["1h25m"], "== 0"),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_a_cause_of_a_whole_cluster_is_one_alert_first(promtool: Program, tmp_path: Path) -> None:
    situation = Situation()
    situation.up()
    cluster = situation.cluster()
    few = situation.cluster("u2", "test")
    for number in range(20):
        failing(situation, cluster, 60, vm=f"vm-{number}")
        situation.vm(few, f"vm-{number}", last_snapshot_failed=int(number < 6))
    wide = 'alertname="PaletteClusterVMsAtRisk"'
    expected = [
        *count(f'{wide}, severity="critical", cluster_uid="u1"', ["12m"], "== 1"),
        *count(f'{wide}, severity="warning", cluster_uid="u1"', ["12m"], "== 1"),
        *count(f'{wide}, cluster_uid="u2"', ["12m", "40m"], "== 0"),
        # Before the single ones, so that it can inhibit them.
        *count(MISSED, ["12m"], "== 0"),
        *count(MISSED, ["20m"], "== 20"),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_exempt_vms_make_no_cause_of_a_cluster(promtool: Program, tmp_path: Path) -> None:
    situation = Situation()
    situation.up()
    cluster = situation.cluster()
    for number in range(20):
        situation.vm(cluster, f"vm-{number}", restorable_snapshots=0, exempt=1)
    assert complaints(tmp_path, situation, count(ANY, ["40m"], "== 0")) == ""


def test_a_clock_that_is_wrong_is_reported(promtool: Program, tmp_path: Path) -> None:
    situation = Situation()
    for letter, off in (("a", 0), ("b", 600), ("c", -600)):
        situation.exporter = exporter(letter)
        situation.up()
        cluster = situation.cluster(last_success=None)
        made = situation.snapshot(situation.vm(cluster, letter), creation_timestamp_seconds=-DAY)
        situation.add("palette_vm_snapshot_age_seconds", made, f"{DAY + off}+60x60")
    wrong = 'alertname="PaletteExporterClockWrong"'
    expected = [
        *count(f'{wrong}, instance="a:10180"', ["30m"], "== 0"),
        *count(wrong, ["30m"], "== 2"),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_probes_that_fail_mostly_are_reported(promtool: Program, tmp_path: Path) -> None:
    situation = Situation()
    for vm, success in (("db", repeated("0 0 1")), ("web", repeated("1 1 0"))):
        situation.add("palette_probe_success", {"vm": vm}, success)
    failing_probe = 'alertname="PaletteProbeFailing"'
    expected = [
        *count(f'{failing_probe}, vm="db"', ["1h"], "== 1"),
        *count(f'{failing_probe}, vm="web"', ["1h"], "== 0"),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_other_alerts_about_the_exporters(promtool: Program, tmp_path: Path) -> None:
    situation = Situation()
    situation.up()
    healthy(situation)
    situation.add("palette_exporter_config_last_reload_successful", {}, 0)
    situation.add("palette_exporter_refresh_interval_seconds", {}, 60)
    situation.add("palette_exporter_round_seconds", {}, 90)
    for code, per_minute in (("200", 900), ("429", 100)):
        situation.add("palette_exporter_api_requests_total", {"code": code}, f"0+{per_minute}x60")
    for name in ("ConfigReloadFailed", "RateLimited", "RoundTooLong"):
        alert = f'alertname="PaletteExporter{name}"'
        assert complaints(tmp_path, situation, count(alert, ["50m"], "== 1")) == ""


@pytest.mark.parametrize(("total", "alerts"), [(2, 0), (3, 1)])
def test_a_shard_that_no_exporter_has_is_reported(
    total: int, alerts: int, promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    for ordinal, letter in ((0, "a"), (1, "b"), (1, "c")):
        situation.exporter = exporter(letter)
        situation.up()
        situation.add("palette_exporter_shard_ordinal", {}, ordinal)
        situation.add("palette_exporter_total_shards", {}, total)
    expected = count('alertname="PaletteExporterShardMissing"', ["30m"], f"== {alerts}")
    assert complaints(tmp_path, situation, expected) == ""


def test_a_named_snapshot_that_does_not_exist_is_reported(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.up()
    cluster = situation.cluster()
    for name, up in (("missing", 0), ("there", 1)):
        labels = {**cluster, "namespace": "shop", "vm": "db", "snapshot": name}
        situation.add("palette_vm_snapshot_up", labels, up)
    kept = {**cluster, "namespace": "shop", "vm": "db", "snapshot": "unread"}
    situation.add("palette_vm_snapshot_up", kept, 0)
    situation.add("palette_vm_snapshot_ready", kept, 1)
    expected = [
        Expected(
            at="30m",
            expr="count by (snapshot) "
            '(ALERTS{alertname="PaletteNamedSnapshotMissing", alertstate="firing"})',
            samples={'snapshot="missing"': 1},
        )
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_data_that_is_old_starts_no_alert(promtool: Program, tmp_path: Path) -> None:
    situation = Situation()
    situation.up(constant(1, HOURS))
    cluster = situation.cluster(up=constant(0, HOURS), last_success=constant(0, HOURS))
    deadline = {"snapshot_objective_seconds": 3600.0}
    machine = situation.vm(cluster, "db", **deadline)
    situation.add(
        "palette_vm_snapshot_objective_deadline_timestamp_seconds", machine, constant(3600, HOURS)
    )
    assert complaints(tmp_path, situation, count(MISSED, ["2h", "3h"], "== 0")) == ""


def test_recording_rules_count_each_vm_once_and_keep_a_lost_cluster(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    for letter in "ab":
        situation.exporter = exporter(letter)
        east = situation.cluster("e", "east", up=constant(1, HOURS), last_success=None)
        west = situation.cluster("w", "west", up="1+0x60 0+0x180", last_success=None)
        for cluster, minutes, then in ((east, HOURS, ""), (west, 60, " stale")):
            for number in range(4):
                machine = {**cluster, "namespace": "shop", "vm": f"vm-{number}"}
                bad = number == 0 and cluster is west
                for metric, value in {
                    "restorable_snapshots": 0 if bad else 2,
                    "snapshot_objective_seconds": 3600,
                    "snapshot_objective_deadline_timestamp_seconds": 0 if bad else 9e9,
                }.items():
                    situation.add(f"palette_vm_{metric}", machine, f"{value}+0x{minutes}{then}")
                for reason in ("unsnapshottable", "excluded", "newer"):
                    left = int(number == 1 and reason == "newer")
                    labels = {**machine, "reason": reason}
                    situation.add(
                        "palette_vm_unprotected_volumes", labels, f"{left}+0x{minutes}{then}"
                    )
        exempt = {**east, "namespace": "shop", "vm": "scratch"}
        situation.add("palette_vm_restorable_snapshots", exempt, constant(0, HOURS))
        situation.add("palette_vm_exempt", exempt, constant(1, HOURS))

    def record(name: str, before: float, after: float) -> list[Expected]:
        return [
            Expected(at=at, expr=f"{name} + 0", samples={"": value})
            for at, value in (("50m", before), ("2h", after))
        ]

    expected = [
        *record("fleet:palette_vms:count", 8, 8),
        *record("fleet:palette_vms_protected:sum", 5, 3),
        *record("fleet:palette_vm_protection:ratio", 5 / 8, 3 / 8),
        *record("fleet:palette_vms_with_objective:count", 8, 8),
        *record("fleet:palette_vms_within_objective:sum", 7, 4),
        *record("fleet:palette_vm_objective_compliance:ratio", 7 / 8, 1 / 2),
        *record("fleet:palette_unprotected_volumes:sum", 2, 2),
        *record("fleet:palette_clusters_read:ratio", 1, 1 / 2),
        *record('sum(cluster:palette_vms:count{cluster_name="west"})', 4, 4),
        *record('sum(cluster:palette_vm_protection:ratio{cluster_name="west"})', 1 / 2, 0),
    ]
    assert complaints(tmp_path, situation, expected) == ""


def test_a_vm_whose_volumes_are_not_known_is_not_protected(
    promtool: Program, tmp_path: Path
) -> None:
    situation = Situation()
    situation.vm(situation.cluster(), "db")
    protected = Expected(at="30m", expr="fleet:palette_vms_protected:sum + 0", samples={"": 0})
    assert complaints(tmp_path, situation, [protected]) == ""
