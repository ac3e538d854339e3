"""Notifications: titles, texts, the owner's receiver, and their number in a large outage."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.deploy import hurried
from tests.deploy.conftest import Program
from tests.deploy.receiver import Receiver, listening
from tests.deploy.rules import ALERTS, ROOT
from tests.monitoring import alertmanager
from tests.process import eventually
from tests.yaml_text import loaded

DIRECTORY = ROOT / "deploy" / "alertmanager"
SHIPPED = (DIRECTORY / "alertmanager.yml").read_text()

SCREEN = 30
"""Lines."""

Labels = dict[str, str]


def vm_alert(name: str, vm: str, status: str = "firing", **labels: str) -> dict[str, Any]:
    """Return an alert in a template's form, with the texts of the shipped rule."""
    rule = next(rule for rule in ALERTS if rule["alert"] == name)
    place = {"cluster_uid": "e", "cluster_name": "east", "namespace": "shop", "vm": vm}
    return {
        "status": status,
        "labels": {"alertname": name, **rule["labels"], **place, **labels},
        "annotations": rule["annotations"],
    }


def group(alerts: list[dict[str, Any]]) -> Mapping[str, Any]:
    """Return the data that Alertmanager passes to a template."""
    common = set.intersection(*(set(each["labels"].items()) for each in alerts))
    return {
        "status": "firing",
        "receiver": "on-call",
        "alerts": alerts,
        "groupLabels": {"cluster_uid": "e", "cluster_name": "east"},
        "commonLabels": dict(common),
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example.com",
    }


def rendered(template: str, alerts: list[dict[str, Any]], amtool: Program, directory: Path) -> str:
    data = directory / "data.json"
    data.write_text(json.dumps(group(alerts)))
    return amtool(
        *("template", "render", f"--template.glob={DIRECTORY / '*.tmpl'}"),
        *(f"--template.data={data}", f'--template.text={{{{ template "{template}" . }}}}'),
    ).strip()


MISSED, WITHOUT = "PaletteVMSnapshotObjectiveMissed", "PaletteVMWithoutRestorableSnapshot"


@pytest.mark.parametrize(
    ("alerts", "title"),
    [
        ([vm_alert(MISSED, "db")], f"[1 firing] east: {MISSED} (critical)"),
        (
            [vm_alert(MISSED, "db"), vm_alert(WITHOUT, "web")],
            "[2 firing] east: several VM snapshot alerts",
        ),
        (
            [vm_alert(MISSED, "db"), vm_alert(MISSED, "web", "resolved")],
            f"[1 firing, 1 resolved] east: {MISSED} (critical)",
        ),
        ([vm_alert(MISSED, "db", "resolved")], f"[1 resolved] east: {MISSED} (critical)"),
    ],
)
def test_a_title_has_the_number_and_the_common_labels_of_its_alerts(
    alerts: list[dict[str, Any]], title: str, amtool: Program, tmp_path: Path
) -> None:
    assert rendered("palette.title", alerts, amtool, tmp_path) == title


def test_the_text_of_a_mixed_group_has_every_alert(amtool: Program, tmp_path: Path) -> None:
    alerts = [vm_alert(MISSED, "db"), vm_alert(WITHOUT, "web"), vm_alert(MISSED, "app", "resolved")]
    text = rendered("palette.text", alerts, amtool, tmp_path)
    for each in alerts[:2]:
        assert f"{each['labels']['alertname']}: {each['annotations']['description']}" in text
        assert each["annotations"]["runbook_url"] in text
    assert text.endswith(f"Resolved: 1\n{MISSED} shop/app")


def test_the_text_of_500_alerts_fits_a_screen_and_counts_the_rest(
    amtool: Program, tmp_path: Path
) -> None:
    alerts = [
        vm_alert(MISSED, f"vm-{number}", status)
        for status in ("firing", "resolved")
        for number in range(500)
    ]
    text = rendered("palette.text", alerts, amtool, tmp_path)
    assert len(text) < 20_000
    assert text.count("\n") < SCREEN
    assert "The first 10 of 500 firing alerts are listed" in text
    assert "Resolved: 500" in text


def with_owner_route() -> dict[str, Any]:
    """Return the shipped configuration with its example of an owner's route uncommented."""
    block = re.compile(r"^ {4}# - matchers: \[owner=.*?continue: true\n", re.MULTILINE | re.DOTALL)
    text, times = block.subn(lambda found: found[0].replace("# ", ""), SHIPPED)
    assert times == 1
    config: dict[str, Any] = loaded(text)
    config["receivers"].append({"name": "team-db"})
    return config


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (("owner=team-db", "severity=critical"), "team-db,on-call"),
        (("owner=team-db", "severity=info"), "team-db,digest"),
        (("owner=team-web", "severity=critical"), "on-call"),
        (("severity=warning",), "working-hours"),
    ],
)
def test_the_example_for_owners_adds_their_receiver(
    labels: Iterable[str], receivers: str, amtool: Program, tmp_path: Path
) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(with_owner_route() | {"templates": []}))
    arguments = ("--config.file", path, f"--verify.receivers={receivers}", *labels)
    amtool("config", "routes", "test", *arguments)


def cluster_without_storage(number: int, vms: int) -> tuple[list[Labels], list[Labels]]:
    """Return the alerts about a cluster whose VMs lose their storage class, and about its VMs.

    Those about the cluster fire five minutes before the others.
    """
    place = {"cluster_uid": f"u{number}", "cluster_name": f"prod-{number}"}
    wide = [
        {"alertname": "PaletteClusterVMsAtRisk", "severity": severity, **place}
        for severity in ("critical", "warning")
    ]
    single = [
        {"alertname": name, "severity": severity, "namespace": "shop", "vm": f"vm-{vm}", **place}
        for vm in range(vms)
        for name, severity in (
            (MISSED, "critical"),
            (WITHOUT, "warning"),
            ("PaletteSnapshotFailed", "warning"),
        )
    ]
    return wide, single


async def post(session: aiohttp.ClientSession, alerts: list[Labels], **times: str) -> None:
    """Send alerts as Prometheus does, a few at a time; times: such as endsAt."""
    texts = {rule["alert"]: rule["annotations"] for rule in ALERTS}
    for first in range(0, len(alerts), 64):
        body = [
            {"labels": labels, "annotations": texts[labels["alertname"]], **times}
            for labels in alerts[first : first + 64]
        ]
        async with session.post("/api/v2/alerts", json=body) as answer:
            answer.raise_for_status()


async def test_5000_vms_without_storage_are_one_notification_for_each_cluster(
    tmp_path: Path,
) -> None:
    receiver = Receiver()
    last = cluster_without_storage(99, 1)[1]
    async with (
        listening(receiver) as at,
        alertmanager(tmp_path, hurried.routing(at)) as url,
        aiohttp.ClientSession(url) as session,
    ):
        fleet = [cluster_without_storage(number, 500) for number in range(10)]
        await post(session, [labels for wide, _ in fleet for labels in wide])
        await post(session, [labels for _, single in fleet for labels in single])
        # When these have arrived and are resolved, everything with the same wait has arrived.
        await post(session, last)
        await eventually(lambda: heard_of(receiver, "firing"), within=60)
        await post(session, last, endsAt="2020-01-01T00:00:00Z")
        await eventually(lambda: heard_of(receiver, "resolved"), within=60)
    sizes = {key: sizes for key, sizes in receiver.sizes.items() if key[1] not in ("", "u99")}
    assert sizes.keys() == {("on-call", f"u{number}") for number in range(10)}
    assert all(len(each) == 1 and each[0] < 20_000 for each in sizes.values())


async def heard_of(receiver: Receiver, status: str) -> bool:
    """Return whether both receivers got the alert of the last cluster."""
    heard = receiver.heard(status).items()
    return {name for labels, name in heard if ("cluster_uid", "u99") in labels} == {
        "on-call",
        "working-hours",
    }
