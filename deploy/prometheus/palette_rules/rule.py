"""Rules as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alerting rule.

    key: what the options of the generator call it; the problem of exporter/verdict.py where it
        reports one.
    expr: PromQL; ``wait``: how long it has to hold; ``keep``: how long the alert goes on firing
        after it no longer holds.
    severity, wait: as shipped; the options can change them. critical wakes somebody, warning is
        read during working hours, info is a digest.
    page: the path of the exporter's status page about the subject; "" where there is none.
    """

    key: str
    name: str
    expr: str
    severity: str
    summary: str
    description: str
    wait: str = "10m"
    keep: str = "15m"
    page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One recording rule; its name is level:metric:operation, its labels are added."""

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rules of one file, which Prometheus evaluates one after the other."""

    name: str
    comment: str
    rules: tuple[Alert | Recording, ...]
