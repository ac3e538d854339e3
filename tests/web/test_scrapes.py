"""The text of a whole scrape: its number of series, and denied families."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from structlog.testing import capture_logs

from exporter.metrics.exposition import RenderedCluster, Renderer, RenderOptions
from exporter.metrics.scrape import plain
from exporter.metrics.telemetry import Telemetry
from exporter.snapshot import Cluster, ClusterState, NamedSnapshot
from exporter.store import Store
from exporter.web.handlers import Scrapes

PARSERS: dict[bool, Any] = {False: parse_text, True: parse_openmetrics}


def scrapes(options: Callable[[], RenderOptions] = RenderOptions) -> Scrapes:
    store = Store[RenderedCluster](
        render=Renderer(options()), expire=lambda state, _: state, monotonic=lambda: 0.0
    )
    named = (NamedSnapshot(namespace="n", vm="v", name="s", up=False),)
    store.publish(ClusterState(cluster=Cluster(uid="c", name='"a\r\\\n'), up=False, named=named))
    telemetry = Telemetry(version="1", revision="r", now=0.0)
    telemetry.refresh_failed(Cluster(uid="c", name='"a\r\\\n'), "timeout")
    telemetry.request("/v1/{uid}", "200", 0.1)
    return Scrapes(store, telemetry, lambda: 0.0, options)


def samples(found: Scrapes, *, openmetrics: bool) -> list[Any]:
    text = b"".join(plain(found.parts(openmetrics=openmetrics))).decode()
    return [sample for family in PARSERS[openmetrics](text) for sample in family.samples]


@pytest.mark.parametrize("openmetrics", [False, True])
@pytest.mark.parametrize("deny", ["palette_exporter_.*seconds.*", "palette_cluster_.*", "none"])
def test_the_number_of_series_is_that_of_the_scrape(deny: str, *, openmetrics: bool) -> None:
    options = RenderOptions(deny=(re.compile(deny),))
    found = samples(scrapes(lambda: options), openmetrics=openmetrics)
    counted = [sample.value for sample in found if sample.name == "palette_exporter_series"]
    assert counted == [len(found)]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_denied_families_of_the_exporter_are_left_out_too(*, openmetrics: bool) -> None:
    options = RenderOptions(deny=(re.compile("palette_exporter_.*|python.*"),))
    names = {sample.name for sample in samples(scrapes(lambda: options), openmetrics=openmetrics)}
    assert not any(name.startswith("palette_exporter_") for name in names)
    assert {"palette_cluster_up", "palette_vm_snapshot_up", "python_info"} <= names


def test_one_warning_follows_each_rise_above_the_limit() -> None:
    limit = 0
    found = scrapes(lambda: RenderOptions(max_series=limit))
    with capture_logs() as lines:
        series = len(samples(found, openmetrics=False))
        for limit in (series, series - 1, series - 1, series, 1):  # noqa: B007 - read above
            samples(found, openmetrics=False)
    assert [(line["log_level"], line["series"], line["max_series"]) for line in lines] == [
        ("warning", series, series - 1),
        ("warning", series, 1),
    ]
