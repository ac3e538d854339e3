"""docs/configuration.md, from the settings' own descriptions."""

import json
from collections.abc import Iterator
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from exporter.settings import Leaf, Settings, leaves
from exporter.settings.environment import API_KEY, HOST
from exporter.settings.flags import GENERAL
from exporter.settings.schema import description_of, item_of, section_of

INTRODUCTION = f"""\
# Configuration

<!-- Made by `make docs` from exporter/settings/; do not edit. -->

Settings come from flags, from environment variables, from a YAML file that `--config.file` names,
and from defaults. For each key, the first of these that gives it counts; a list is taken whole from
one of them, never joined. Unknown keys and variables are errors.

`config.example.yaml` holds every key with its default. A small file is enough, here for one
cluster:

```yaml
palette:
  api_key_file: /run/secrets/palette
targets:
  - {{cluster_uid: "6540a1b2c3d4e5f600000001"}}
```

Check a file before it is used, and then
whether Palette lets the exporter read what the file asks for:

```sh
palette-snapshot-exporter --config.file=config.yaml --config.check
palette-snapshot-exporter --config.file=config.yaml --config.check.live
```

The first prints the settings as they count, as YAML, and what they mean in comments: the requests
of a round and how long they take at the configured rate, objectives that can match nothing,
discovery, the share of this exporter. Its exit code is 2 where a setting is bad, with a line for
each on standard error that says where and what is allowed. The second also makes a call or two for
each cluster and prints what may be read and a hint for each kind of failure; its exit code is 1
where something could not be read.

## How values are written

- *Durations* as in Prometheus (`90s`, `1m30s`, `26h`, `8d`), or as a number of seconds.
- *Files* as absolute paths, or relative to the directory of the file they stand in (to the working
  directory in flags and variables). What is named must be there and readable.
- *Regular expressions* in Python's language. They match whole names, from end to end.
- *Lists* have no flags. In environment variables they are written as JSON:
  `PALETTE_EXPORTER_DISCOVERY__CLUSTERS='["prod-.*"]'`.
- *Secrets* come from files, or from the variables below, and never from flags.

## The vendor's two variables

`{HOST}` says where Palette is, with or without `https://`, and `{API_KEY}` is the API key; the
vendor's own tools read the same. The first goes before `palette.url` in the file and after
`PALETTE_EXPORTER_PALETTE__URL` and the flag. The second goes before `palette.api_key` and
`palette.api_key_file` in the file; there is no other variable for the key.

With neither a file nor targets, `{API_KEY}` alone is a set-up that works: discovery is then on.
"""

KEYS = "| key | type | default | flag | environment | what it means |"


def configuration_page() -> str:
    """Return docs/configuration.md."""
    lines = [INTRODUCTION, *_general()]
    for name, field in Settings.model_fields.items():
        lines += ["", f"## {name}", "", description_of(field), "", *_table(name, field)]
    return "\n".join(lines) + "\n"


def _general() -> Iterator[str]:
    yield "## Flags that are no settings"
    yield ""
    yield "| flag | what it does |"
    yield "|---|---|"
    for names, options in GENERAL:
        yield f"| {', '.join(f'`{name}`' for name in names)} | {_cell(options['help'])} |"


def _table(name: str, field: FieldInfo) -> Iterator[str]:
    if item := item_of(field):
        yield f"A list of mappings; its variable is `{Leaf((name,), field).variable}`, as JSON."
        yield ""
        yield from _item_table(item)
        return
    section = section_of(field)
    assert section is not None
    yield KEYS
    yield "|---|---|---|---|---|---|"
    for leaf in leaves(section, (name,)):
        yield _row(
            ".".join(leaf.place), _type(leaf), _default(leaf), _flag(leaf), _variable(leaf), leaf
        )


def _item_table(item: type[BaseModel]) -> Iterator[str]:
    yield "| key | type | default | what it means |"
    yield "|---|---|---|---|"
    for leaf in leaves(item):
        yield _row(leaf.place[0], _type(leaf), _default(leaf), leaf)


def _row(key: str, *cells: "str | Leaf") -> str:
    texts = (cell.description if isinstance(cell, Leaf) else cell for cell in cells)
    return " | ".join([f"| `{key}`", *map(_cell, texts)]) + " |"


def _type(leaf: Leaf) -> str:
    kind = leaf.kind.replace("|", " or ")
    if leaf.is_list:
        return f"list of {kind}"
    return f"mapping of text to {kind}" if get_origin(leaf.field.annotation) is dict else kind


def _default(leaf: Leaf) -> str:
    if leaf.field.is_required():
        return "required"
    value: Any = leaf.field.default
    if isinstance(value, tuple | dict):
        return f"`{json.dumps(value, default=lambda pattern: pattern.pattern)}`"
    return f"`{leaf.default}`" if leaf.default else "none"


def _flag(leaf: Leaf) -> str:
    return "none" if leaf.is_list or leaf.is_secret else f"`{leaf.flag}`"


def _variable(leaf: Leaf) -> str:
    return f"`{API_KEY}`" if leaf.place == ("palette", "api_key") else f"`{leaf.variable}`"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
