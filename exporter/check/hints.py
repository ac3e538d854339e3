"""What to do about each kind of failure."""

from collections.abc import Mapping

from exporter.palette.errors import (
    ConnectionFailed,
    Forbidden,
    InvalidResponse,
    NotFound,
    PaletteError,
    ProxyFailed,
    RateLimited,
    Refused,
    ServerError,
    Timeout,
    TlsFailed,
    Unauthorized,
    Unresolved,
    Untrusted,
)

HINTS: Mapping[type[PaletteError], str] = {
    Unauthorized: "Palette does not accept the credential: is the API key (or the user's name, "
    "password and org) complete, not expired, and of the Palette that palette.url names?",
    Forbidden: "the credential is good, but not for this: give its user a role that may read "
    "clusters and virtual machines in the project, and check project_uid.",
    NotFound: "there is nothing by that name: check cluster_uid, that the cluster is in the "
    "project of project_uid, the namespace, vm and snapshot, and that palette.url names Palette.",
    RateLimited: "too many requests from this address: lower palette.requests_per_second and "
    "palette.burst, to leave some to the other clients behind it.",
    ServerError: "Palette failed; for a named snapshot, this is also how it answers when the "
    "virtual machine does not exist, so check namespace and vm.",
    Timeout: "no whole answer came within palette.timeout: is a firewall or a proxy in the way "
    "(palette.proxy_url), or is the time too short?",
    Untrusted: "name the certificates to trust in palette.tls.ca_file, for a self-hosted "
    "Palette; palette.url should have the host that the certificate is for, and it should not "
    "have expired.",
    TlsFailed: "no TLS came about: is it a port for https, should palette.url begin with http://, "
    "or is a client certificate wanted (palette.tls.cert_file)?",
    Unresolved: "no such host in DNS: check it in palette.url (SPECTROCLOUD_HOST) or "
    "palette.proxy_url, and whether this machine can resolve it or needs a proxy.",
    Refused: "nobody listens there: check the host and the port in palette.url "
    "(SPECTROCLOUD_HOST), and that Palette runs.",
    ProxyFailed: "the proxy does not let it through: check palette.proxy_url, its user and "
    "password, and that it allows Palette's host.",
    ConnectionFailed: "the network between here and Palette failed: check the host in "
    "palette.url, routes and firewalls, then try again.",
    InvalidResponse: "that is no answer of Palette's API: does palette.url name the API, and "
    "does a proxy answer with a page of its own?",
}


def hint(error: PaletteError) -> str:
    """Return what to do about an error, by its kind or the next more general one that has one."""
    return next(HINTS[kind] for kind in type(error).__mro__ if kind in HINTS)
