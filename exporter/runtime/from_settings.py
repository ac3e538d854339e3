"""Settings, said in the words of the modules that do not know them."""

import re
from collections.abc import Callable
from pathlib import Path

from exporter import settings as configuration
from exporter.palette import auth
from exporter.refresh.targets import Names, Target
from exporter.rollup import Objective
from exporter.web.guard.web_config import Door, DoorError, content_of, in_one_form

LOGIN_RETRY = 0.9
"""The part of the refresh interval that passes before a refused log-in is tried again."""


def login_retry(settings: configuration.Settings) -> float:
    """Return the seconds after which a refused log-in is tried again."""
    return LOGIN_RETRY * settings.refresh.interval


def credential(
    settings: configuration.Settings, given: configuration.Credential, clock: Callable[[], float]
) -> auth.Credential:
    """Return what the client authenticates with; given: as read; clock: seconds."""
    secret = given.secret.get_secret_value()
    if given.username is None:
        return auth.ApiKey(secret)
    return auth.Login(
        given.username,
        secret,
        given.org or "",
        retry_after=login_retry(settings),
        clock=clock,
    )


def targets(settings: configuration.Settings) -> list[Target]:
    """Return the targets."""
    return [Target(**dict(target)) for target in settings.targets]


def names(include: tuple[re.Pattern[str], ...], exclude: tuple[re.Pattern[str], ...] = ()) -> Names:
    """Return the names that match an expression to include and none to exclude."""
    return Names(include, exclude)


def objective(setting: configuration.Objective) -> Objective:
    """Return an objective as the roll-up of VMs takes it."""
    return Objective(
        cluster=setting.cluster,
        namespace=setting.namespace,
        vm=setting.vm,
        labels=tuple(setting.labels.items()),
        exempt=setting.exempt,
        max_age=setting.max_age,
        min_snapshots=setting.min_snapshots,
        max_snapshots=setting.max_snapshots,
        max_snapshot_age=setting.max_snapshot_age,
        quiesced=setting.quiesced,
        ignore_volumes=setting.ignore_volumes,
    )


def door(settings: configuration.Settings) -> Door:
    """Return who is let in and how, its files read anew at each call; raises DoorError."""
    web = settings.web
    if web.config_file is None:
        return Door(open_health_paths=web.open_health_paths)
    try:
        return _door_of(web.config_file, open_health_paths=web.open_health_paths)
    except configuration.FileError as error:
        reason = "; ".join(f"web.config_file: {fault}" for fault in error.faults)
    except ValueError as error:
        reason = f"web.config_file: tls_server_config: {error}"
    raise DoorError(reason)


def _door_of(path: Path, *, open_health_paths: bool) -> Door:
    files = (path, *configuration.read_web_file(path).tls_server_config.files)
    content = content_of(files)
    # Read only now for good, so that no change between the two goes unnoticed.
    said = configuration.read_web_file(path)
    tls, users = said.tls_server_config, said.basic_auth_users
    sans = tls.client_allowed_sans
    return Door(
        users={name: hashed.get_secret_value().encode() for name, hashed in users.items()},
        headers=said.http_server_config.headers,
        context=tls.context() if tls.enabled else None,
        allowed_names=None if sans is None else frozenset(map(in_one_form, sans)),
        interval=said.rate_limit.interval,
        burst=said.rate_limit.burst,
        open_health_paths=open_health_paths,
        files=files,
        content=content,
    )
