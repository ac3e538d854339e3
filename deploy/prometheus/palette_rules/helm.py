"""The rules as a template of the Helm chart, whose values are the options of the generator."""

import re
from collections.abc import Callable, Iterable

from palette_rules.options import THRESHOLDS, Options
from palette_rules.render import dumped, plain
from palette_rules.rule import Group

HEAD = """\
{{- if .Values.prometheusRule.enabled }}
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {{ include "palette-snapshot-exporter.fullname" . }}
  namespace: {{ default (include "palette-snapshot-exporter.namespace" .) \
.Values.prometheusRule.namespace }}
  labels:
    {{- include "palette-snapshot-exporter.labels" . | nindent 4 }}
    {{- with .Values.prometheusRule.additionalLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.prometheusRule.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
"""

FOOT = "{{- end }}\n"

_MARK = re.compile(r"@(\w+):([\w.]*):([\w.+]*)@")

VALUES: dict[str, Callable[[str, str], str]] = {
    "threshold": lambda name, shipped: _dug("thresholds", name, shipped),
    "severity": lambda key, shipped: _dug("severities", key, f'"{shipped}"'),
    "wait": lambda key, shipped: _dug("for", key, f'"{shipped}"'),
    "job": lambda _, __: (
        '{{ default (include "palette-snapshot-exporter.name" .) .Values.prometheusRule.job }}'
    ),
    "runbook": lambda _, __: "{{ .Values.prometheusRule.runbookUrl }}",
    "status": lambda _, __: "{{ .Values.prometheusRule.statusUrl }}",
}
"""A mark in the rules -> its text in the template."""


def _dug(section: str, name: str, shipped: str) -> str:
    return f'{{{{ dig "{name}" {shipped} .Values.prometheusRule.{section} }}}}'


class _Marks(dict[str, str]):
    """Marks in the place of values, by any name."""

    def __init__(self, kind: str, shipped: Callable[[str], str]) -> None:
        super().__init__()
        self._kind, self._shipped = kind, shipped

    def get(self, name: str, default: str | None = None) -> str:  # type: ignore[override]
        """Return the mark that stands for a value."""
        return f"@{self._kind}:{name}:{default or self._shipped(name)}@"


def options() -> Options:
    """Return options whose values are marks."""
    shipped = {name: f"{value:g}" for name, value in THRESHOLDS.items()}
    return Options(
        job="@job::@",
        runbook_url="@runbook::@",
        status_url="@status::@",
        thresholds=_Marks("threshold", shipped.__getitem__),
        severities=_Marks("severity", str),
        waits=_Marks("wait", str),
    )


def template(groups: Iterable[Group]) -> str:
    """Return the template of rules that were made with ``options``."""
    document = {"groups": [plain(group, options()) for group in groups]}
    text = dumped(document, float("inf"))
    text = text.replace("{{", "\0").replace("}}", '{{ "}}" }}').replace("\0", '{{ "{{" }}')
    lines = [line for each in text.splitlines() for line in _lines(each)]
    body = "".join(f"  {line}\n" for line in lines)
    return HEAD + _MARK.sub(lambda mark: VALUES[mark[1]](mark[2], mark[3]), body) + FOOT


def _lines(line: str) -> list[str]:
    """Return a line, and what surrounds it where values decide about it."""
    if line.lstrip().startswith("severity: "):
        labels = "{{- with .Values.prometheusRule.labels }}{{ toYaml . | nindent 8 }}{{- end }}"
        return [line, f"      {labels}"]
    if line.lstrip().startswith("status_url: "):
        return ["{{- if .Values.prometheusRule.statusUrl }}", line, "{{- end }}"]
    return [line]
