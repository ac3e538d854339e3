"""The HTTP session that calls to Palette go through."""

import aiohttp

KEEPALIVE = 30.0
"""Seconds; below what servers and balancers use, so that the exporter is the one to hang up."""


def open_session(user_agent: str) -> aiohttp.ClientSession:
    """Return the session for a Transport, to be closed by the caller; needs a running loop."""
    return aiohttp.ClientSession(
        # No limit: a cluster that hangs must not hold the connections that others need.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": user_agent},
        trust_env=False,
        middlewares=(_send_once,),
    )


class _Lost(aiohttp.ClientConnectionError):
    """A connection that broke before the answer began."""


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request again by itself, past the budget and uncounted."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost from error
