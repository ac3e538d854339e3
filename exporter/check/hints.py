"""What to do about each kind of failure."""

from collections.abc import Mapping

from exporter.snapshot import Unread

HINTS: Mapping[str, str] = {
    "unauthorized": "Palette refuses the credential. Check that the API key (or user name, "
    "password and org) is complete, has not expired, and belongs to the Palette of palette.url.",
    "forbidden": "The credential is valid, but its roles do not allow this. Give its user the "
    "roles Cluster Viewer and Virtual Machine Viewer in the project, and check project_uid.",
    "not_found": "Check cluster_uid, the project of the cluster (project_uid), and that "
    "palette.url is the URL of Palette.",
    "rate_limited": "Other clients behind this address use the rate limit too. Lower "
    "palette.requests_per_second and palette.burst.",
    "server_error": "Palette failed. It also answers a named snapshot this way if the virtual "
    "machine does not exist: check namespace and vm.",
    "timeout": "No complete answer within palette.timeout. Check firewalls and proxies "
    "(palette.proxy_url), or increase the timeout.",
    "Untrusted": "Set palette.tls.ca_file for a self-hosted Palette, and check that the host of "
    "palette.url is in the certificate and that the certificate has not expired.",
    "TlsFailed": "TLS handshake failed. Check that the port serves HTTPS, use http:// if it does "
    "not, or set palette.tls.cert_file.",
    "Unresolved": "DNS does not know this host. Check palette.url (SPECTROCLOUD_HOST) and "
    "palette.proxy_url, and whether this machine needs a proxy.",
    "Refused": "No server listens on this port. Check the host and port of palette.url "
    "(SPECTROCLOUD_HOST), and that Palette runs.",
    "ProxyFailed": "The proxy refuses or cannot be reached. Check palette.proxy_url, its user and "
    "password, and that it allows the host of Palette.",
    "connection": "The network between this machine and Palette failed. Check the host of "
    "palette.url, routes and firewalls.",
    "invalid_response": "The answer cannot be used. Palette answers like this for a cluster that "
    "is being created or deleted. For others, check palette.url, and whether a proxy answers in "
    "the place of Palette.",
}
"""The reason of a failure, or the kind of a failed connection -> what to do."""


def hint(why: Unread) -> str:
    """Return what to do about a failure, by its kind, or by its reason if the kind has no hint."""
    return HINTS.get(why.kind) or HINTS[why.reason]
