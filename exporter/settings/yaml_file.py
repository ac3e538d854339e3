"""The configuration file: YAML, read strictly, and never quoted in an error."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import BaseSettings, YamlConfigSettingsSource

from exporter.settings.faults import Fault
from exporter.settings.files import LARGEST, contents

_PLACE = ("config", "file")


class ConfigFileError(Exception):
    """The file is not YAML that could be looked at further; reasons: a line each."""

    def __init__(self, *faults: str) -> None:
        self.reasons = faults
        self.faults = tuple(Fault(_PLACE, fault) for fault in faults)
        super().__init__()


class YamlFile(YamlConfigSettingsSource):
    """A configuration file as a source of settings.

    Raises ConfigFileError where there is none, or not a mapping in valid YAML.
    """

    def __init__(self, settings_cls: type[BaseSettings], path: Path) -> None:
        self._content = content(path)
        super().__init__(settings_cls, yaml_file=path.absolute())  # else a leading ~ is expanded

    def _read_file(self, file_path: object) -> dict[str, Any]:
        return mapping(self._content)


def content(path: Path) -> str:
    """Read a file as text; raises ConfigFileError."""
    try:
        return contents(path, LARGEST).decode("utf-8-sig")
    except UnicodeDecodeError:
        reason = "should be text in UTF-8"
    except ValueError as error:
        reason = str(error)
    raise ConfigFileError(reason)


def mapping(text: str) -> dict[str, Any]:
    """Parse a document; raises ConfigFileError where it is not a mapping in valid YAML."""
    # Raised outside of except blocks, so that no error drags the content along.
    faults: tuple[str, ...] = ()
    document: object = None
    try:
        # The loader in C is faster, but deep nesting crashes it, and with it the process.
        loader = _Loader(text)
        node = loader.get_single_node()
        faults = tuple(_repeated_keys(node)) if node else ()
        document = loader.construct_document(node) if node else {}
    except yaml.YAMLError as error:
        faults = (_describe(error),)
    except RecursionError:
        faults = ("nested too deeply",)
    document = {} if document is None else document
    if isinstance(document, dict) and not faults:
        return document
    raise ConfigFileError(*faults or ("should be a mapping of keys to values at the top",))


class _Loader(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Give the place of values that only look like a date or a number, too."""
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception:  # whatever int() and its like make of strange text
            problem = "a value that is not what it looks like; put it in quotes"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _repeated_keys(root: yaml.Node) -> Iterator[str]:
    """Describe the keys that stand twice in one mapping, where YAML lets the last one win."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield from _repeated_in(node)
            waiting.extend(part for pair in node.value for part in pair)
        else:
            waiting.extend(node.value)


def _repeated_in(node: yaml.MappingNode) -> Iterator[str]:
    first: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        line = key.start_mark.line + 1
        if (key.tag, key.value) in first:
            yield f"line {line}: the same key as in line {first[key.tag, key.value]}"
        first.setdefault((key.tag, key.value), line)


def _describe(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f"character {error.position + 1} is one that YAML does not allow"
    if not isinstance(error, yaml.MarkedYAMLError):
        return "not valid YAML"
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}{_harmless(error.problem or 'not valid YAML')}"


# PyYAML quotes tokens and single characters, which say what to look for, but tags and aliases
# too: a key that starts with ! or * would be told to everyone.
_QUOTES_TOKENS_ONLY = re.compile(r"""(?:[^'"]|'\\?[^'"]'|'<[a-z ]+>')*""")


def _harmless(problem: str) -> str:
    if _QUOTES_TOKENS_ONLY.fullmatch(problem):
        return problem
    return re.split("['\"]", problem)[0].rstrip()
