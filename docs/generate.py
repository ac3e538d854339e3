"""Writes the documents that follow from the code; with ``--check`` only compares them."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from configuration_page import configuration_page
from problems_page import problems_page

from exporter.metrics.exposition import TABLES
from exporter.metrics.family import AnyFamily
from exporter.metrics.own_families import OWN_FAMILIES, PROBE_FAMILIES, OwnFamily

DOCS = Path(__file__).parent

METRICS_INTRODUCTION = """\
# Metrics

<!-- Made by `make docs` from exporter/metrics/; do not edit. -->

- Series show the state of the last refresh. What is deleted in Palette leaves `/metrics` at the
  next refresh.
- A value that is not known has no series: absent is not zero.
- Booleans are 0 or 1. All families are gauges unless the table says otherwise.
- The text of an error is never a label.
- With `labels.owner`, every series of a VM and of a snapshot has the label `owner` in addition. The
  label is missing where the VM or its Kubernetes label is missing.
- `metrics.deny` leaves out families. `palette_exporter_series` is the number of series in a scrape.

`palette_vm_snapshot_age_seconds` is the time from `status.creationTime` to the scrape. The exporter
calculates it for each scrape, so it grows between two refreshes and while Palette is away.
Prometheus recommends timestamps instead of ages:
`time() - palette_vm_snapshot_creation_timestamp_seconds` gives the same age at the time of the
query, and is the better choice in alerts. The age exists because it is readable without
calculation, in the text of `/metrics`, in `/probe` and in tools that do not have PromQL.
"""

PROBE_TITLE = "A probe"
PROBE_NOTE = """\
Only on `/probe`, without identity labels. The families of the snapshots and VMs that the probe read
follow.
"""

OWN_TITLE = "The exporter itself"
PROCESS_NOTE = """\
In addition, `/metrics` has prometheus-client's `process_*` metrics and `python_info`.
"""


def metrics_page() -> str:
    """Return docs/metrics.md, from the tables of families."""
    lines = [METRICS_INTRODUCTION]
    for title, identity, families in TABLES:
        lines += [f"## {title}\n", f"Identity labels: {_code(identity)}.\n", *_table(families), ""]
    lines += [f"## {PROBE_TITLE}\n", PROBE_NOTE, *_own_table(PROBE_FAMILIES), ""]
    lines += [f"## {OWN_TITLE}\n", *_own_table(OWN_FAMILIES), "", PROCESS_NOTE]
    return "\n".join(lines)


def _table(families: Sequence[AnyFamily[Any]]) -> Iterator[str]:
    yield "| name | further labels | meaning | source |"
    yield "|---|---|---|---|"
    for family in families:
        meaning, source = _cell(family.help), _cell(family.source)
        yield f"| `{family.name}` | {_code(family.labels)} | {meaning} | {source} |"


def _own_table(families: Sequence[OwnFamily]) -> Iterator[str]:
    yield "| name | type | labels | meaning |"
    yield "|---|---|---|---|"
    for family in families:
        labels = _code(family.labels)
        yield f"| `{family.name}` | {family.type} | {labels} | {_cell(family.help)} |"


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


PAGES = {
    "configuration.md": configuration_page,
    "metrics.md": metrics_page,
    "problems.md": problems_page,
}


def main() -> int:
    """Write the pages, or with ``--check`` name those that are not what they should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path = DOCS / name
        if check and (not path.exists() or path.read_text() != page()):
            stale.append(name)
        elif not check:
            path.write_text(page())
    for name in stale:
        print(f"docs/{name} is not what the code says: run make docs", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
