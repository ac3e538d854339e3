"""The configuration file: YAML, read strictly, and never quoted in an error."""

import re
from pathlib import Path
from typing import Any

import yaml

from exporter.settings.faults import SettingsError
from exporter.settings.files import contents


def mapping(path: Path, name: str = "") -> dict[str, Any]:
    """Read a document; raises SettingsError, with the name, unless it is a mapping in YAML."""
    # Raised outside of except blocks, so that no error drags the content along.
    document: object = None
    try:
        # The loader in C is faster, but deep nesting crashes it, and with it the process.
        document = _Loader(contents(path).decode("utf-8-sig")).get_single_data()
    except UnicodeDecodeError:
        reason = "should be text in UTF-8"
    except ValueError as error:
        reason, name = str(error), ""  # which names the file
    except yaml.YAMLError as error:
        reason = _describe(error)
    except RecursionError:
        reason = "nested too deeply"
    else:
        if isinstance(document, dict | None):
            return document or {}
        reason = "should be a mapping of keys to values at the top"
    raise SettingsError([f"{reason}: {name}" if name else reason])


class _Loader(yaml.SafeLoader):
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Report the place of a value that only looks like a date or a number, too."""
        ambiguous = isinstance(node, yaml.ScalarNode) and _is_ambiguous(node)
        if not ambiguous:
            try:
                return super().construct_object(node, deep)
            except (ValueError, OverflowError, ArithmeticError, TypeError, AttributeError):
                pass  # what int(), date() and their like raise
        problem = "ambiguous value. Put it in quotes, or write the number in plain decimal"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        """Refuse a key that is twice in one mapping, where YAML lets the last one win."""
        first: dict[tuple[str, str], int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in first:
                problem = f"the same key as in line {first[name]}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            first[name] = line
        return super().construct_mapping(node, deep)


def _is_ambiguous(node: yaml.ScalarNode) -> bool:
    """Find numbers that YAML 1.1 reads as base 8 or 60: 0600 is 384, and 26:00 is 1560."""
    number = node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
    return number and (":" in node.value or re.match(r"[-+]?0_*[0-9]", node.value) is not None)


def _describe(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f"character {error.position + 1} is one that YAML does not allow"
    if not isinstance(error, yaml.MarkedYAMLError):
        return "not valid YAML"
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}{_harmless(error.problem or 'not valid YAML')}"


# PyYAML quotes tokens and single characters, which say what to look for, but tags and aliases
# too: a key that starts with ! or * would be shown to everyone.
_QUOTES_TOKENS_ONLY = re.compile(r"""(?:[^'"]|'\\?[^'"]'|'<[a-z ]+>')*""")


def _harmless(problem: str) -> str:
    if _QUOTES_TOKENS_ONLY.fullmatch(problem):
        return problem
    return re.split("['\"]", problem)[0].rstrip()
