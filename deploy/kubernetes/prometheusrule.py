"""Writes base/prometheusrule.yaml from deploy/prometheus/rules; with ``--check`` only compares."""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RULES = HERE.parent / "prometheus" / "rules"
TARGET = HERE / "base" / "prometheusrule.yaml"

HEAD = "# Made by `make dashboards` from deploy/prometheus/rules; do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that expressions stay readable."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def manifest() -> str:
    """Return the PrometheusRule, with the groups of all files in the order of their names."""
    groups: list[Any] = []
    for path in sorted(RULES.glob("*.yaml")):
        groups += yaml.safe_load(path.read_text())["groups"]
    document = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "palette-snapshot-exporter"},
        "spec": {"groups": groups},
    }
    return HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100)


def main() -> int:
    """Write the file, or with ``--check`` tell whether it is what it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        TARGET.write_text(manifest())
        return 0
    if TARGET.exists() and TARGET.read_text() == manifest():
        return 0
    print("prometheusrule.yaml is not what the rules say: run make dashboards", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
