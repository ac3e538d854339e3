"""An exporter with a web configuration file: TLS, users, client certificates."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import bcrypt
import trustme
import yaml

from exporter.demo.documents import vm_document
from exporter.demo.stages import snapshot_document
from tests.palette_server.server import PaletteServer
from tests.palette_server.world import World
from tests.web.running import Exporter, exporter_of

CLUSTER = "6540a1"
ONE = {"cluster_uid": CLUSTER, "namespace": "vms", "vm": "db-01", "snapshot": "nightly"}
QUICK, SLOW = 4, 12
"""Costs of bcrypt: a millisecond, and about half a second."""


def hashed(password: str, cost: int = QUICK) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def basic(name: str, password: str) -> dict[str, str]:
    """Return the header of a request that gives a user and a password."""
    return {"Authorization": aiohttp.encode_basic_auth(name, password)}


@dataclass(frozen=True, slots=True)
class WebFile:
    """A web configuration file, and the certificates that it names."""

    directory: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def path(self) -> Path:
        return self.directory / "web.yaml"

    def write(self, **tree: object) -> None:
        """Replace the file in one step."""
        text = self.directory / "web.new"
        text.write_text(yaml.safe_dump(tree))
        text.rename(self.path)

    def issue(self, name: str = "server") -> dict[str, str]:
        """Put a new certificate and its key into place; returns the keys that name them."""
        issued = self.authority.issue_cert("127.0.0.1", f"{name}.example")
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        (self.directory / f"{name}.key").write_bytes(issued.private_key_pem.bytes())
        (self.directory / f"{name}.pem").write_bytes(chain)
        (self.directory / "ca.pem").write_bytes(self.authority.cert_pem.bytes())
        return {"cert_file": f"{name}.pem", "key_file": f"{name}.key"}

    def client(self, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """Return TLS for a client that trusts the authority."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if certificate:
            certificate.configure_cert(context)
        return context


def world() -> World:
    world = World.empty()
    world.add_cluster(CLUSTER, "prod-east", "65f0c1")
    world.put_vm(CLUSTER, vm_document(name="db-01"))
    world.put_snapshot(CLUSTER, snapshot_document(name="nightly", vm="db-01"))
    return world


@asynccontextmanager
async def guarded(web_file: WebFile | None = None, **web: object) -> AsyncIterator[Exporter]:
    """Run an exporter with that file and these keys of ``web``; its URL is without a scheme."""
    if web_file is not None:
        web["config_file"] = str(web_file.path)
    async with (
        PaletteServer(world(), limits=None) as palette,
        exporter_of(palette, [ONE], web=web) as exporter,
    ):
        yield exporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    text: str


async def ask(url: str, path: str = "/metrics", method: str = "GET", **options: Any) -> Answer:
    """Send a request over its own connection; options: of aiohttp's request."""
    timeout = aiohttp.ClientTimeout(total=15)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, url + path, **options) as answer,
    ):
        return Answer(status=answer.status, headers=answer.headers.copy(), text=await answer.text())
