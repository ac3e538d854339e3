"""Settings as the values of the modules that do not import them."""

from collections.abc import Callable, Sequence
from typing import Any

from exporter import settings as configuration
from exporter.palette import auth
from exporter.refresh.cluster import RefreshContext
from exporter.refresh.discovery import Search
from exporter.refresh.targets import ClusterTargets, Names, Target
from exporter.rollup import Objective
from exporter.settings import SettingsError, read_web_file
from exporter.web.guard.web_config import WebConfig, normalized

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


def search(
    settings: configuration.Settings,
    context: RefreshContext,
    configured: Sequence[ClusterTargets],
) -> Search | None:
    """Return which clusters to discover, in addition to the configured ones; None for none."""
    wanted = settings.discovery
    if not wanted.enabled:
        return None
    return Search(
        directory=context.directory,
        interval=wanted.interval,
        retry_for=context.retry_for,
        project_uid=context.project_uid,
        clusters=Names(wanted.clusters, wanted.exclude_clusters),
        namespaces=Names(wanted.namespaces, wanted.exclude_namespaces),
        configured=configured,
    )


def objective(setting: configuration.Objective) -> Objective:
    """Return an objective as the roll-up of VMs takes it."""
    # Plain numbers, without the text that the user wrote them as.
    given: dict[str, Any] = {
        key: float(value) if isinstance(value, float) else value for key, value in setting
    }
    return Objective(**{**given, "labels": tuple(setting.labels.items())})


def web_config(settings: configuration.Settings) -> WebConfig:
    """Return what the web settings and their files mean. Raises SettingsError."""
    web = settings.web
    try:
        file = (
            configuration.WebFile() if web.config_file is None else read_web_file(web.config_file)
        )
        tls = file.tls_server_config
        context = tls.context() if tls.enabled else None
    except SettingsError as error:
        raise SettingsError(f"web.config_file: {fault}" for fault in error.faults) from None
    except ValueError as error:
        raise SettingsError([f"web.config_file: tls_server_config.{error}"]) from None
    hosts = (web.address[0] or "", *web.allowed_hosts)
    sans = tls.client_allowed_sans
    return WebConfig(
        users={
            name: hashed.get_secret_value().encode()
            for name, hashed in file.basic_auth_users.items()
        },
        headers=file.http_server_config.headers,
        context=context,
        allowed_names=None if sans is None else frozenset(map(normalized, sans)),
        interval=file.rate_limit.interval,
        burst=file.rate_limit.burst,
        open_health_paths=web.open_health_paths,
        max_requests=web.max_requests,
        allowed_hosts=frozenset(host.lower() for host in hosts),
        enable_lifecycle=web.enable_lifecycle,
    )
