"""An error about a credential in the wrong place of the configuration does not repeat it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli import main
from exporter.settings import Settings, leaves
from tests.canary.forms import KEY, leaks

SHAPES: dict[str, Callable[[], Any]] = {
    "text": lambda: KEY,
    "list": lambda: [KEY],
    "list of mappings": lambda: [{"value": KEY}],
    "mapping": lambda: {"value": KEY},
    "lines": lambda: f"{KEY}\n{KEY}\0",
    "url": lambda: f"http://user:{KEY}@host",
}


def at(place: tuple[str, ...], value: object) -> dict[str, Any]:
    """Return a configuration that is valid without this value."""
    tree: dict[str, Any] = {"palette": {"api_key": "k"}, "discovery": {"enabled": True}}
    section = tree
    for name in place[:-1]:
        section = section.setdefault(name, {})
    section[place[-1]] = value
    return tree


@pytest.mark.parametrize("shape", SHAPES)
def test_no_error_repeats_a_value_in_a_wrong_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: str
) -> None:
    config = tmp_path / "config.yaml"
    for leaf in leaves(Settings):
        config.write_text(yaml.safe_dump(at(leaf.place, SHAPES[shape]())))
        code = main([f"--config.file={config}", "--config.print"])
        said = capsys.readouterr()
        assert code in (0, 2), leaf
        assert not leaks(said.err), leaf
        # A valid value is shown, unless it is a secret.
        assert code == 0 or not said.out, leaf
        assert not (leaf.is_secret and leaks(said.out)), leaf


def test_an_environment_variable_that_is_wrong_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for leaf in leaves(Settings):
        with monkeypatch.context() as context:
            context.setenv(leaf.variable, KEY)
            main(["--config.print"])
        assert not leaks(capsys.readouterr().err), leaf.variable
