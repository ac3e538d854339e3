"""What the web configuration means: TLS, users, headers, and access to paths."""

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import hdrs

HSTS = "Strict-Transport-Security"
SERVER = "palette-snapshot-exporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """The web configuration, as one value that is replaced as a whole.

    users: name -> bcrypt hash; without any, no password is needed.
    headers: of every answer.
    context: None without TLS.
    allowed_names: a client's certificate must have one of them; None allows every certificate.
    interval, burst: seconds per request, and how many can come at once; interval 0 is no limit.
    open_health_paths: whether the health paths need no password.
    max_requests: answers at the same time.
    allowed_hosts: host names under which the pages answer, in addition to localhost.
    enable_lifecycle: whether /-/reload works.
    """

    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    context: ssl.SSLContext | None = None
    allowed_names: frozenset[str] | None = None
    interval: float = 0.0
    burst: int = 0
    open_health_paths: bool = False
    max_requests: int = 40
    allowed_hosts: frozenset[str] = frozenset()
    enable_lifecycle: bool = True

    @property
    def sent_headers(self) -> Mapping[str, str]:
        """The headers of every answer; without Server, aiohttp would send its version."""
        headers = {**self.headers, hdrs.SERVER: SERVER}
        if self.context is None:
            headers.pop(HSTS, None)
        return headers

    @property
    def verifies_clients(self) -> bool:
        """Whether certificates of clients are verified."""
        return self.context is not None and self.context.verify_mode != ssl.CERT_NONE


def refusal(active: WebConfig, config: WebConfig) -> str:
    """Return why a configuration cannot replace the active one; "" where it can.

    A file that is half written must not open the exporter to everybody.
    """
    if (config.context is None) is not (active.context is None):
        return "tls_server_config: cannot be added or removed without a restart"
    if active.users and not config.users:
        return "basic_auth_users: cannot be removed without a restart"
    if active.verifies_clients and not config.verifies_clients:
        return "client_auth_type: cannot become NoClientCert without a restart"
    return ""


def normalized(name: str) -> str:
    """Return an IP address in its canonical form; any other name as it is."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
