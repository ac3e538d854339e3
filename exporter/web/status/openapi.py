"""The OpenAPI document of the JSON API, made from the types that it serves."""

from dataclasses import dataclass
from typing import Any

import msgspec

from exporter.web.status.filters import FILTERS
from exporter.web.status.query import LARGEST_PAGE, LONGEST, WINDOWS
from exporter.web.status.views import StatusView, VmDetailView


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorAnswer:
    """Why a request is refused."""

    error: str


_TEXT = {"type": "string", "maxLength": LONGEST}
_NUMBER = {"type": "integer", "minimum": 1, "maximum": 999_999}
_QUERY: dict[str, tuple[str, dict[str, Any]]] = {
    "q": ("Part of the name of a VM or of one of its snapshots, ignoring case.", _TEXT),
    "cluster": ("Part of the cluster's name, or its uid.", _TEXT),
    "namespace": ("Part of the namespace's name.", _TEXT),
    "owner": ("Part of the owner's name.", _TEXT),
    "state": ("Only VMs in this state.", {"type": "string", "enum": ["", *FILTERS]}),
    "since": (
        "Only VMs with a problem that began within this time.",
        {"type": "string", "enum": ["", *WINDOWS]},
    ),
    "page": ("Page of the VMs, from 1.", _NUMBER),
    "size": ("VMs on one page.", _NUMBER | {"maximum": LARGEST_PAGE, "default": 20}),
}


def openapi(version: str) -> dict[str, Any]:
    """Return the document."""
    (status, vm, error), components = msgspec.json.schema_components(
        [StatusView, VmDetailView, ErrorAnswer], ref_template="#/components/schemas/{name}"
    )
    names = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in ("cluster", "namespace", "vm")
    ]
    query = [
        {"name": name, "in": "query", "description": text, "schema": schema}
        for name, (text, schema) in _QUERY.items()
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "palette-snapshot-exporter", "version": version},
        "servers": [{"url": "../.."}],
        "paths": {
            "/api/v1/status": {
                "get": {
                    "summary": "The fleet, its clusters, and one page of its VMs, worst first.",
                    "parameters": query,
                    "responses": {
                        "200": _answer("The status.", status),
                        "400": _answer("A parameter is unknown or invalid.", error),
                        **_REFUSALS,
                    },
                }
            },
            "/api/v1/vms/{cluster}/{namespace}/{vm}": {
                "get": {
                    "summary": "One VM with all of its snapshots, newest first.",
                    "parameters": names,
                    "responses": {
                        "200": _answer("The VM.", vm),
                        "404": _answer("No such VM is known.", error),
                        **_REFUSALS,
                    },
                }
            },
        },
        "components": {"schemas": components},
    }


_REFUSALS = {
    "401": {"description": "A user and password, or a client certificate, is required."},
    "429": {"description": "More requests than the web configuration allows."},
    "503": {"description": "Too many requests at the same time."},
}


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
