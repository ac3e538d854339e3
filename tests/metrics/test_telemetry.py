"""The exporter's own counters."""

from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics.own_families import OWN_FAMILIES, SERIES
from exporter.metrics.telemetry import END_OF_FILE, REASONS, Telemetry
from exporter.palette import errors
from exporter.snapshot import Cluster

PARSERS: dict[bool, Any] = {False: parse_text, True: parse_openmetrics}
EAST, WEST = Cluster(uid="1", name='east "\\\n'), Cluster(uid="2", name="west")


def telemetry() -> Telemetry:
    return Telemetry(version="1", revision="r", now=0.0)


def families(found: Telemetry, *, openmetrics: bool) -> dict[str, Any]:
    text = found.text(openmetrics=openmetrics, allows=lambda name: True)
    text += END_OF_FILE if openmetrics else b""
    return {family.name: family for family in PARSERS[openmetrics](text.decode())}


def failures(found: Telemetry, *, openmetrics: bool = False) -> dict[tuple[str, str], float]:
    family = families(found, openmetrics=openmetrics)["palette_exporter_refresh_failures"]
    assert family.type == "counter"
    return {
        (sample.labels["cluster_name"], sample.labels["reason"]): sample.value
        for sample in family.samples
        if sample.name == "palette_exporter_refresh_failures_total"
    }


@pytest.mark.parametrize("openmetrics", [False, True])
def test_failures_of_each_cluster_and_reason_count_from_zero(*, openmetrics: bool) -> None:
    found = telemetry()
    found.watching(EAST)
    found.watching(WEST)
    zeros = {(cluster.name, reason): 0.0 for cluster in (EAST, WEST) for reason in REASONS}
    assert failures(found, openmetrics=openmetrics) == zeros
    found.refresh_failed(WEST, "timeout")
    found.refresh_failed(WEST, "timeout")
    assert failures(found, openmetrics=openmetrics) == zeros | {("west", "timeout"): 2.0}


def test_a_cluster_that_leaves_takes_its_counters_along() -> None:
    found = telemetry()
    found.watching(EAST)
    found.refresh_failed(WEST, "timeout")
    found.forget(WEST.uid)
    found.forget(WEST.uid)
    assert {name for name, _ in failures(found)} == {EAST.name}
    found.watching(WEST)
    assert failures(found)[WEST.name, "timeout"] == 0.0


def test_every_error_of_palette_has_its_counter() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    found = {reason for kind in kinds if (reason := getattr(kind, "reason", ""))}
    assert found == set(REASONS)


@pytest.mark.parametrize("openmetrics", [False, True])
def test_the_table_holds_every_family_of_the_exporter(*, openmetrics: bool) -> None:
    found = telemetry()
    found.watching(EAST)
    found.discovered(0.0, selected=1, others=2)
    shown = {
        f"{name}_total" if family.type == "counter" else name: (family.type, family.documentation)
        for name, family in families(found, openmetrics=openmetrics).items()
        if name.startswith("palette_")
    }
    table = {family.name: (family.type, family.help) for family in OWN_FAMILIES}
    del table[SERIES.name]
    assert shown == table
