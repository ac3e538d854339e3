"""Settings, said in the words of the modules that do not know them."""

import re
from collections.abc import Callable, Iterable

from exporter import settings as configuration
from exporter.metrics.rollup import Objective
from exporter.palette import auth
from exporter.targets import Names, Target

LOGIN_RETRY = 0.9
"""The part of the refresh interval that passes before a refused log-in is tried again."""


def credential(settings: configuration.Settings, clock: Callable[[], float]) -> auth.Credential:
    """Return what the client authenticates with; clock: seconds."""
    given = settings.palette.credential()
    if isinstance(given, configuration.Login):
        return auth.Login(
            given.username,
            given.password.get_secret_value(),
            given.org or "",
            retry_after=LOGIN_RETRY * settings.refresh.interval,
            clock=clock,
        )
    return auth.ApiKey(given.key.get_secret_value())


def targets(settings: configuration.Settings) -> list[Target]:
    """Return the targets, "" for what they leave off."""
    return [
        Target(
            cluster_uid=target.cluster_uid,
            cluster_name=target.cluster_name or "",
            project_uid=target.project_uid or "",
            namespace=target.namespace or "",
            vm=target.vm or "",
            snapshot=target.snapshot or "",
        )
        for target in settings.targets
    ]


def names(include: Iterable[str], exclude: Iterable[str]) -> Names:
    """Return the names that match an expression to include and none to exclude."""
    return Names(tuple(map(re.compile, include)), tuple(map(re.compile, exclude)))


def objective(setting: configuration.Objective) -> Objective:
    """Return an objective with its expressions compiled."""

    def compiled(pattern: str | None) -> re.Pattern[str] | None:
        return None if pattern is None else re.compile(pattern)

    return Objective(
        max_age=setting.max_age,
        cluster=compiled(setting.cluster),
        namespace=compiled(setting.namespace),
        vm=compiled(setting.vm),
        labels=tuple((name, re.compile(pattern)) for name, pattern in setting.labels.items()),
    )
