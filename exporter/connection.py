"""The way to Palette, built from Settings."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from exporter import __version__, from_settings
from exporter.palette.budget import Budget
from exporter.palette.transport import Observer, Transport, open_session
from exporter.settings import Settings

USER_AGENT = f"palette-snapshot-exporter/{__version__}"


async def connect(
    settings: Settings, observer: Observer, monotonic: Callable[[], float], stack: AsyncExitStack
) -> Transport:
    """Return what sends calls within the configured budget; stack: closes it.

    monotonic: seconds. Needs a running loop; raises SettingsError or SectionError where a file
    has changed for the worse since the settings were loaded.
    """
    palette = settings.palette
    session = await stack.enter_async_context(open_session(USER_AGENT))
    return Transport(
        session,
        palette.url,
        from_settings.credential(settings, monotonic),
        Budget(palette.requests_per_second, palette.burst),
        observer,
        timeout=palette.timeout,
        clock=monotonic,
        ssl=palette.tls.context(),
        proxy=palette.proxy_url.get_secret_value() if palette.proxy_url else None,
    )
