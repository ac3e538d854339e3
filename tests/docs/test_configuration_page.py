"""The reference of the settings is complete, and agrees with the command."""

import re

import pytest

from exporter.settings import Leaf, Settings, leaves
from exporter.settings.schema import item_of
from tests.process import ROOT, finished

PAGE = (ROOT / "docs" / "configuration.md").read_text()
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
KEYS = {row[0].strip("`"): row for row in ROWS if len(row) == 6}


def test_every_key_has_one_row_with_its_meaning() -> None:
    plain = {".".join(leaf.place): leaf for leaf in leaves(Settings) if item_of(leaf.field) is None}
    assert KEYS.keys() == plain.keys()
    for key, row in KEYS.items():
        assert row[5] == plain[key].description.replace("|", r"\|")
        assert row[5]


@pytest.mark.parametrize("section", ["targets", "objectives"])
def test_the_keys_of_lists_have_their_own_table(section: str) -> None:
    item = item_of(Settings.model_fields[section])
    assert item
    _, _, below = PAGE.partition(f"\n## {section}\n")
    table, _, _ = below.partition("\n## ")
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(item.model_fields)
    assert Leaf((section,), Settings.model_fields[section]).variable in table


def test_the_page_has_the_flags_that_the_command_has() -> None:
    helped = set(
        re.findall(r"^  (?:-[hv], )?(--[a-z.-]+)", finished("--help").stdout, re.MULTILINE)
    )
    assert helped == set(re.findall(r"`(--[a-z][a-z.-]+)`", "\n".join(map(" ".join, ROWS))))
