"""The command line: a flag for every scalar setting, from the model, and command-line-only flags.

No error repeats a value: what follows a mistyped flag could be a key.
"""

import argparse
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from exporter.settings.given import Given, Value, tree_of
from exporter.settings.model import Settings
from exporter.settings.schema import Leaf, leaves

PROGRAM = "palette-snapshot-exporter"

GENERAL: Mapping[str, str] = {
    "--config.file": "Configuration file (YAML).",
    "--config.check": "Check the settings and the files they name, print what they mean, and exit.",
    "--config.print": "Check the settings, print all of them as YAML without secrets, and exit.",
    "--config.auto-reload": "Reload when the content of the configuration file, or of a file that "
    "it names, changes.",
    "--config.check.live": "Check the settings, read everything once, print what was found for "
    "each cluster, and exit: 1 if anything could not be read or does not exist.",
    "--report": "Read everything once, print one row for each VM and a summary, and exit: 0 if "
    "every VM that is not exempt is protected, 1 if not or if anything could not be read.",
    "--demo": "Run against a built-in simulated Palette; needs no credential and no targets.",
    "--health": "Ask the exporter that these settings describe for /-/healthy, and exit: 0 if it "
    "answers, 1 if not.",
    "-v, --version": "Print the version and exit.",
    "-h, --help": "Print this help and exit.",
}
"""The flags that are not settings -> what they do."""

_FORMATS = ("text", "json", "csv")
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "--config.file": {"type": Path, "metavar": "FILE"},
    "--report": {
        "nargs": "?",
        "const": "text",
        "choices": _FORMATS,
        "metavar": "|".join(_FORMATS),
    },
    "-h, --help": {"action": "help"},
}
"""How argparse takes those that are not switches."""

_HIDDEN = "unexpected argument (hidden because it could be a secret)"
_A_SECRET = "a secret is never a flag. Use "  # noqa: S105
_SECRETS = {
    "--palette.api-key": f"{_A_SECRET}palette.api_key_file or SPECTROCLOUD_APIKEY",
    "--palette.password": f"{_A_SECRET}palette.password_file in the configuration file",
    "--palette.proxy-url": f"{_A_SECRET}palette.proxy_url in the configuration file or "
    "PALETTE_EXPORTER_PALETTE__PROXY_URL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The command line; ``settings`` is nested by section, for ``settings.load``."""

    config_file: Path | None = None
    config_auto_reload: bool = False
    config_check: bool = False
    config_check_live: bool = False
    config_print: bool = False
    report: str = ""
    demo: bool = False
    health: bool = False
    version: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def prints(self) -> bool:
        """Whether the command prints something and ends, instead of serving."""
        return self.config_check or self.config_check_live or self.config_print or bool(self.report)


def parse(argv: Sequence[str]) -> Flags:
    """Read the arguments behind the program's name.

    Exits with 0 after ``--help``; with 2 and one line on stderr if one is not understood.
    """
    own = [leaf for leaf in leaves(Settings) if not leaf.is_list and not leaf.is_secret]
    parser = _parser(own)
    given, strangers = parser.parse_known_args(argv)
    if strangers:
        known = [*(names.split(", ")[-1] for names in GENERAL), *(leaf.flag for leaf in own)]
        parser.error(_complaint(strangers, known))
    values = vars(given)
    general = {name.name: values.pop(name.name) for name in fields(Flags) if name.name in values}
    settings: Given = {tuple(dotted.split(".")): Value(values[dotted]) for dotted in values}
    return Flags(**general, settings=tree_of(settings))


class _Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one line, without the value."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2; argparse's own messages repeat values, so only their gist is kept."""
        if found := re.match(r"argument (\S+): (expected|ignored|invalid)", message):
            message = f"{found[1]} {_COMPLAINTS[found[2]]}"
        self.exit(2, f"{PROGRAM}: {message} (see --help)\n")


_COMPLAINTS = {
    "expected": "needs a value",
    "ignored": "takes no value",
    "invalid": f"should be one of {', '.join(_FORMATS)}",
}


def _parser(own: Iterable[Leaf]) -> _Parser:
    parser = _Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [flags]",
        description="Prometheus exporter for virtual machine snapshots on Spectro Cloud Palette.",
        epilog="Flags override environment variables (PALETTE_EXPORTER_REFRESH__INTERVAL=30s), "
        "which override the file. Secrets and lists have no flags.",
        # Each flag on a line of its own, its meaning below it, within 80 columns.
        formatter_class=partial(argparse.HelpFormatter, max_help_position=8, width=79),
        allow_abbrev=False,
        add_help=False,
        argument_default=argparse.SUPPRESS,
    )
    general = parser.add_argument_group("general")
    for names, meaning in GENERAL.items():
        options = _OPTIONS.get(names, {"action": "store_true"})
        *_, flag = names.split(", ")
        dest = re.sub(r"[.-]", "_", flag.removeprefix("--"))
        general.add_argument(*names.split(", "), dest=dest, help=meaning, **options)
    groups: dict[str, argparse._ArgumentGroup] = {}
    for leaf in own:
        section = ".".join(leaf.place[:-1])
        if section not in groups:
            groups[section] = parser.add_argument_group(section)
        _add_leaf(groups[section], leaf)
    return parser


def _add_leaf(group: argparse._ArgumentGroup, leaf: Leaf) -> None:
    default = f" (default: {leaf.default})" if leaf.default else ""
    options: dict[str, Any] = {"metavar": leaf.kind if "|" in leaf.kind else leaf.kind.upper()}
    if leaf.kind == "bool":
        options = {"metavar": "true|false", "nargs": "?", "const": "true"}
    group.add_argument(
        leaf.flag,
        dest=".".join(leaf.place),
        help=f"{leaf.description}{default}".replace("%", "%%"),
        **options,
    )


def _complaint(strangers: Sequence[str], known: Sequence[str]) -> str:
    """Say what is wrong with unknown arguments, in words that cannot hold a secret."""
    names = [stranger.partition("=")[0] for stranger in strangers]
    flags = [name for name in names if re.fullmatch(r"--[a-z][a-z0-9._-]{0,40}", name)]
    # What is no flag is then most likely the value of one of these.
    return "; ".join(dict.fromkeys(_unknown_flag(name, known) for name in flags)) or _HIDDEN


def _unknown_flag(name: str, known: Sequence[str]) -> str:
    spelt = name.replace("_", "-")
    for secret, advice in _SECRETS.items():
        if spelt.startswith(secret) and spelt not in known:
            return f"{name}: {advice}"
    near = difflib.get_close_matches(spelt, known, n=1)
    return f"unknown flag {name}" + (f"; did you mean {near[0]}?" if near else "")
