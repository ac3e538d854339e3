"""Tries one TLS handshake in memory, with any Python; needs only the path of ``pem.py``.

python handshake.py PEM server|client AUTHORITIES CERTIFICATE KEY

server: the exporter's client connects to a server with this certificate, for localhost.
client: a client with this certificate connects to the exporter's server, which requires one.
It prints ``accepted``, or the reason of the refusal.
"""

import importlib.util
import ssl
import sys
from pathlib import Path
from types import ModuleType


def loaded(path: str) -> ModuleType:
    """Return the module in a file, without its package."""
    spec = importlib.util.spec_from_file_location("pem", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contexts(
    pem: ModuleType, presented_by: str, authorities: Path, certificate: Path, key: Path
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of client and server."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if presented_by == "server":
        pem.load_chain(server, certificate.read_bytes(), key.read_bytes())
        return pem.client_context(authorities.read_bytes()), server
    pem.load_chain(server, certificate.read_bytes(), key.read_bytes())
    pem.load_authorities(server, authorities.read_bytes())
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    pem.load_chain(client, certificate.read_bytes(), key.read_bytes())
    return client, server


def shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> str:
    """Return the result of a handshake between the two."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for side in list(sides):
            try:
                side.do_handshake()
                sides.remove(side)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
    return "accepted" if not sides else "unfinished"


if __name__ == "__main__":
    module, presented_by, *files = sys.argv[1:]
    sys.stdout.write(shaken(*contexts(loaded(module), presented_by, *map(Path, files))))
