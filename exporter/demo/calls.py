"""Requests and answers, independent of HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from aiohttp import web

from exporter.demo import paging
from exporter.demo.storage import json_bytes

Endpoint = Literal[
    "get_snapshot", "list_snapshots", "list_vms", "list_clusters", "authenticate", "unknown"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One decoded request; `raw_path` is still encoded."""

    method: str
    raw_path: str
    endpoint: Endpoint
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    cluster_uid: str = ""
    vm: str = ""
    snapshot: str = ""

    @property
    def namespaces(self) -> frozenset[str]:
        """Return the requested namespaces; empty means all."""
        return _csv(self.query.get("namespace"))

    @property
    def vm_names(self) -> frozenset[str]:
        """Return the VMs whose snapshots are requested; empty means all."""
        return _csv(self.query.get("vmName"))

    @property
    def continue_token(self) -> str | None:
        """Return the token of the requested page; None for the first."""
        return self.query.get("continue") or None

    @property
    def page(self) -> int:
        """Return the number of the requested page, from 1; 0 if the token is invalid."""
        return 1 if self.continue_token is None else paging.page_of(self.continue_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status, a body and headers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class RefusalError(Exception):
    """An HTTP status with Palette's error body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message

    @property
    def answer(self) -> Answer:
        """Return the refusal as an answer."""
        body = {"code": self.code, "details": None, "message": self.message, "ref": "pV2rXq"}
        return Answer(status=self.status, body=json_bytes(body))


async def call_of(request: web.BaseRequest) -> Call:
    """Read a whole request and return it decoded."""
    raw_path = request.rel_url.raw_path
    endpoint, (cluster_uid, vm, snapshot) = endpoint_of(raw_path)
    return Call(
        method=request.method,
        raw_path=raw_path,
        endpoint=endpoint,
        query=dict(request.query),
        headers=request.headers,
        body=await request.read(),
        cluster_uid=cluster_uid,
        vm=vm,
        snapshot=snapshot,
    )


def endpoint_of(raw_path: str) -> tuple[Endpoint, tuple[str, str, str]]:
    """Return the endpoint of a path, and the cluster uid, VM and snapshot in it.

    The path is split before it is decoded, because a name can hold an encoded slash.
    """
    match [unquote(part) for part in raw_path.split("/")]:
        case ["", "v1", "spectroclusters", uid, "vms", vm, "snapshot", snapshot]:
            return "get_snapshot", (uid, vm, snapshot)
        case ["", "v1", "spectroclusters", uid, "vms", "snapshot"]:
            return "list_snapshots", (uid, "", "")
        case ["", "v1", "spectroclusters", uid, "vms"] if uid:
            return "list_vms", (uid, "", "")
        case ["", "v1", "dashboard", "spectroclusters", "vms"]:
            return "list_clusters", ("", "", "")
        case ["", "v1", "auth", "authenticate"]:
            return "authenticate", ("", "", "")
    return "unknown", ("", "", "")


def _csv(value: str | None) -> frozenset[str]:
    return frozenset(part for part in (value or "").split(",") if part)
