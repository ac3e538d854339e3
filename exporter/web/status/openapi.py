"""The OpenAPI document of the JSON API, made from the types that it serves."""

from typing import Any

import msgspec

from exporter.web.status.query import FILTERS, LARGEST_PAGE, LONGEST, WINDOWS
from exporter.web.status.views import StatusView
from exporter.web.status.vm_views import VmDetailView

_TEXT = {"type": "string", "maxLength": LONGEST}
_NUMBER = {"type": "integer", "minimum": 1}
_QUERY = (
    ("q", _TEXT, "Part of the name of a VM or of one of its snapshots, ignoring case."),
    ("cluster", _TEXT, "Part of the cluster's name, or its uid."),
    ("namespace", _TEXT, "Part of the namespace's name."),
    ("owner", _TEXT, "Part of the owner's name."),
    ("state", {"enum": ["", *FILTERS]}, "Only VMs in this state."),
    ("since", {"enum": ["", *WINDOWS]}, "Only VMs with a problem that began within this time."),
    ("page", _NUMBER | {"maximum": 999_999}, "Page of the VMs, from 1."),
    ("size", _NUMBER | {"maximum": LARGEST_PAGE, "default": 20}, "VMs on one page."),
)
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_REFUSALS = {
    "401": {"description": "A user and password, or a client certificate, is required."},
    "429": {"description": "More requests than the web configuration allows."},
    "503": {"description": "Too many requests at the same time."},
}


def openapi(version: str) -> dict[str, Any]:
    """Return the document."""
    (status, vm), components = msgspec.json.schema_components(
        [StatusView, VmDetailView], ref_template="#/components/schemas/{name}"
    )
    path = [_parameter(name, "path", {"type": "string"}) for name in ("cluster", "namespace", "vm")]
    query = [_parameter(name, "query", schema, text) for name, schema, text in _QUERY]
    fleet = "The fleet, its clusters, and one page of its VMs, worst first."
    one_vm = "One VM with all of its snapshots, newest first."
    invalid, missing = "A parameter is unknown or invalid.", "No such VM is known."
    return {
        "openapi": "3.1.0",
        "info": {"title": "palette-snapshot-exporter", "version": version},
        "servers": [{"url": "../.."}],
        "paths": {
            "/api/v1/status": _operation(fleet, query, status, {"400": invalid}),
            "/api/v1/vms/{cluster}/{namespace}/{vm}": _operation(
                one_vm, path, vm, {"404": missing}
            ),
        },
        "components": {"schemas": components},
    }


def _parameter(name: str, place: str, schema: dict[str, Any], text: str = "") -> dict[str, Any]:
    described = {"name": name, "in": place, "description": text, "schema": schema}
    return described | {"required": place == "path"}


def _operation(
    summary: str, parameters: list[dict[str, Any]], schema: dict[str, Any], errors: dict[str, str]
) -> dict[str, Any]:
    answers = {"200": _answer(summary, schema)}
    answers |= {code: _answer(text, _ERROR) for code, text in errors.items()}
    operation = {"summary": summary, "parameters": parameters, "responses": answers | _REFUSALS}
    return {"get": operation}


def _answer(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
