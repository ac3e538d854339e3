"""Every command and configuration in the documents works."""

import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from exporter.metrics.exposition import TABLES
from exporter.metrics.own_families import OWN_FAMILIES, PROBE_FAMILIES
from exporter.settings import Settings, leaves
from tests.docs import commands, configurations
from tests.docs.blocks import DOCUMENTS, Block, blocks, of_language
from tests.docs.sandbox import Sandbox
from tests.process import ROOT, SCRIPT, binary
from tests.yaml_text import loaded

RUN = {"sh", "console", "yaml", "promql", "python"}
SHOWN = {"text"}
"""Languages that are run, and the one that is only shown: output, and drawings."""

each_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def each_block(*languages: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", of_language(*languages), ids=str)


@each_document
def test_each_block_says_in_which_language_it_is(path: Path) -> None:
    for block in blocks(path):
        assert block.language in RUN | SHOWN, f"{block}: nothing runs '{block.language}'"
        hidden = block.language in SHOWN and re.search(r"^\$ ", block.text, re.MULTILINE)
        assert not hidden, f"{block}: a command in what is only read"


@each_block("yaml")
def test_a_configuration_is_taken_by_the_program_it_is_for(block: Block) -> None:
    configurations.assert_accepted(block.text)


@each_block("sh")
def test_commands_run_as_documented(
    block: Block, sandbox_of: Callable[[Path], Sandbox], tmp_path: Path
) -> None:
    if "amtool" in block.text:
        binary("amtool")
        binary("prometheus-alertmanager")
    sandbox = sandbox_of(block.path)
    tree = loaded(commands.config_before(block.path, block.line))
    prepared = configurations.exporter_settings(tree, tmp_path)
    (sandbox.root / "config.yaml").write_text(prepared.read_text())
    commands.run(commands.variables_before(block.path, block.line) + block.text, sandbox)


@each_block("console")
def test_a_transcript_matches_the_real_output(
    block: Block, sandbox_of: Callable[[Path], Sandbox]
) -> None:
    for command, shown in _transcript(block.text):
        came = commands.run(command, sandbox_of(block.path))
        # A document can leave out the output, but there has to be some.
        assert _shape(came) == _shape(shown) if shown.strip() else came, came


def _transcript(text: str) -> list[tuple[str, str]]:
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not parts[0], "output before the first command"
    pairs = (part.partition("\n") for part in parts[1:])
    return [(command, shown) for command, _, shown in pairs]


def _shape(text: str) -> list[str]:
    """Return lines without numbers outside of names, which differ each time."""
    return [re.sub(r"(?<![\w-])[0-9][0-9.e+:-]*", "#", line).strip() for line in text.splitlines()]


def _assert_promtool_accepts(expressions: list[str], directory: Path) -> None:
    rules = [{"record": f"x:{number}", "expr": each} for number, each in enumerate(expressions)]
    path = directory / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "docs", "rules": rules}]}))
    words = [binary("promtool"), "check", "rules", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@each_block("promql")
def test_a_query_parses(block: Block, tmp_path: Path) -> None:
    _assert_promtool_accepts(_expressions(block.text), tmp_path)


def _expressions(text: str) -> list[str]:
    """Split a block of queries: each line that does not continue the last one begins a query."""
    found = [""]
    for line in re.sub(r"#.*$", "", text, flags=re.MULTILINE).splitlines():
        inside = found[-1].count("(") > found[-1].count(")")
        goes_on = inside or re.match(r"\s|and |or |unless |[-+*/<>=]", line)
        if not goes_on:
            found.append("")
        found[-1] += line + "\n"
    return [each for each in found if each.strip()]


@each_document
def test_queries_in_tables_parse(path: Path, tmp_path: Path) -> None:
    inline = re.findall(r"`([^`\n]*\bpalette_[^`\n]*)`", path.read_text())
    queries = [each for each in inline if re.search(r" (?:==|>|<|and|unless|or) ", each)]
    if queries:
        _assert_promtool_accepts(queries, tmp_path)


@each_block("python")
def test_an_example_in_python_runs(block: Block) -> None:
    code = compile("\n" * block.line + block.text, str(block.path), "exec")
    exec(code, {"__name__": "__docs__"})


NAMES = {
    *(family.name for _, _, families in TABLES for family in families),
    *(family.name for family in OWN_FAMILIES),
    *(family.name for family in PROBE_FAMILIES),
}
SUFFIXES = ("_bucket", "_sum", "_count", "_total")


@each_document
def test_each_metric_in_a_document_exists(path: Path) -> None:
    text = re.sub(r"\{[^}]*\}", "", path.read_text())
    for name in set(re.findall(r"(?<![\w:/.-])palette_[a-z_]+[a-z](?![\w*]|_\*|\.)", text)):
        stem = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
        # A command can search for the beginning of a name.
        known = name in NAMES | INVENTED or stem in NAMES
        assert known or any(each.startswith(f"{name}_") for each in NAMES), f"{path.name}: {name}"


INVENTED = {"palette_vm_failed_snapshots_ratio"}
"""The example in docs/architecture.md."""


@each_document
def test_each_flag_and_variable_in_a_document_exists(path: Path) -> None:
    text = path.read_text()
    ours = re.findall(
        r"(?<![\w-])--(?:config|palette|refresh|web|log|shard|probe)\.[a-z.-]*[a-z]", text
    )
    assert set(ours) <= flags() | MADE_UP
    variables = {leaf.variable for leaf in leaves(Settings)}
    named = set(re.findall(r"PALETTE_EXPORTER_[A-Z_]*[A-Z]", text))
    assert named <= variables | MADE_UP


@cache
def flags() -> frozenset[str]:
    helped = subprocess.run(
        [*SCRIPT, "--help"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    return frozenset(re.findall(r"--[a-z-]+\.[a-z.-]*[a-z]", helped))


MADE_UP = {"PALETTE_EXPORTER_WEB__PATIENCE", "--web.patience"}


@each_document
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), f"{path.name}: {target}"
        assert not anchor or anchor in _anchors(file), f"{path.name}: {target}"


def _anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(
    "image", sorted((ROOT / "docs").rglob("*.png")), ids=lambda path: path.name
)
def test_an_image_is_small_and_shown_somewhere(image: Path) -> None:
    assert image.stat().st_size < 200_000
    assert image.read_bytes().startswith(b"\x89PNG")
    assert any(f"{image.name})" in document.read_text() for document in DOCUMENTS)
