"""The paths of the status page and of its JSON; answered from memory."""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Any

import msgspec
import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from exporter.web.status import docs
from exporter.web.status.assess import Assessments
from exporter.web.status.openapi import openapi
from exporter.web.status.pages import STYLE, html
from exporter.web.status.project import Facts, find, project, shown_clusters
from exporter.web.status.query import Query, page_number, parse
from exporter.web.status.views import PageView, StatusView
from exporter.web.status.vm_views import VmDetailView
from exporter.web.status.words import moment

log = structlog.get_logger()

SNAPSHOTS_ON_A_PAGE = 20

ASSESSED_EVERY = 0.25
"""Seconds between two looks for clusters that have changed, whether or not somebody asks."""

AFTER_A_FAULT = 60.0
"""Seconds."""

HEADERS = {
    hdrs.CACHE_CONTROL: "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Of every answer here: nothing is kept, nothing runs, nothing is fetched from another host."""

VM_PATH = "/vms/{cluster}/{namespace:[^/]*}/{vm:[^/]*}"


SHORTEST_SECRET = 8
"""Characters. A shorter secret could be a part of any word on the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusHandlers:
    """Answers with the page, its parts, and the same as JSON.

    facts: what is known now; wall: seconds since the epoch.
    secrets: of the credential, which Palette could repeat in the error of a snapshot.
    configuration: the active settings as text, without secrets.
    Pages are worked out when somebody looks, in a thread; the fleet for one request at a time.
    """

    facts: Callable[[], Facts]
    wall: Callable[[], float]
    secrets: Callable[[], Iterable[str]]
    configuration: Callable[[], str]
    version: str
    telemetry_path: Callable[[], str]
    _assessments: Assessments = field(default_factory=Assessments, init=False)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def run(self) -> None:
        """Assess VMs soon after they were read: a large fleet takes too long to do it on demand."""
        while True:
            await asyncio.sleep(ASSESSED_EVERY)
            try:
                facts = self.facts()
                async with self._one_at_a_time:
                    await asyncio.to_thread(
                        self._assessments.update, facts.published, facts.objectives, facts.now
                    )
            except Exception:
                # A fault of ours must not end the exporter, nor keep it busy with the same again.
                log.exception("VMs not assessed")
                await asyncio.sleep(AFTER_A_FAULT)

    def add_to(self, router: web.UrlDispatcher, counted: Callable[[Handler], Handler]) -> None:
        """Add all paths. counted: limits how many answers are worked out at the same time."""
        router.add_get("/", counted(self.index))
        router.add_get("/api/v1/status", counted(self.status))
        router.add_get(VM_PATH, counted(self.vm))
        router.add_get(f"/api/v1{VM_PATH}", counted(self.vm_document))
        router.add_get("/api/v1/openapi.json", counted(self.openapi))
        router.add_get("/config", counted(self.settings))
        router.add_get("/docs", counted(self.docs))
        router.add_get("/docs/{name}", counted(self.document))
        router.add_get("/status.css", self.style)

    async def index(self, request: web.Request) -> web.Response:
        """Answer with the page of the fleet."""
        query, notes = parse([*request.query.items()])
        if "" in request.query.values() and not notes:
            # A form sends its empty fields too; the address that people share has none.
            raise web.HTTPSeeOther(query.url() if query != Query() else "./", headers=HEADERS)
        facts = self.facts()
        return await self._work(lambda: self._index(facts, query, notes))

    async def status(self, request: web.Request) -> web.Response:
        """Answer with the same as JSON, or with 400 for an invalid query."""
        query, notes = parse([*request.query.items()])
        if notes:
            return _json({"error": " ".join(notes)}, status=400)
        facts = self.facts()
        return await self._work(lambda: _status(self._project(facts, query), query))

    async def vm(self, request: web.Request) -> web.Response:
        """Answer with the page of a VM."""
        facts, name = self.facts(), dict(request.match_info)
        number = page_number(request.query.get("page", ""))
        return await self._work(lambda: self._vm(find(facts, **name), number))

    async def vm_document(self, request: web.Request) -> web.Response:
        """Answer with the same as JSON."""
        facts, name = self.facts(), dict(request.match_info)

        def answer() -> web.Response:
            found = find(facts, **name)
            return _json(found) if found else _json({"error": NO_VM}, status=404)

        return await self._work(answer)

    async def openapi(self, _: web.Request) -> web.Response:
        """Answer with the description of the JSON API."""
        return _json(openapi(self.version))

    async def settings(self, _: web.Request) -> web.Response:
        """Answer with the active settings."""
        text = "The active settings, with defaults. Secrets are not shown."
        values = {"title": "Configuration", "text": text, "verbatim": self.configuration()}
        return await asyncio.to_thread(self._page, "message", here="config", values=values)

    async def docs(self, _: web.Request) -> web.Response:
        """Answer with links to the documents."""

        def answer() -> web.Response:
            titles = {name: docs.title(html) for name, html in docs.documents().items()}
            values = {"title": "Docs", "document": "", "titles": titles}
            return self._page("docs", here="docs", values=values)

        return await asyncio.to_thread(answer)

    async def document(self, request: web.Request) -> web.Response:
        """Answer with one of the documents, with the labels of an alert in its commands."""
        name, labels = request.match_info["name"], dict(request.query)

        def answer() -> web.Response:
            found = docs.documents().get(name)
            if found is None:
                return self._not_found("There is no such document.", base="../")
            values = {"title": docs.title(found), "document": docs.filled(found, labels)}
            return self._page("docs", base="../", here="docs", values=values)

        return await asyncio.to_thread(answer)

    async def style(self, _: web.Request) -> web.Response:
        """Answer with the stylesheet."""
        headers = {**HEADERS, hdrs.CACHE_CONTROL: "max-age=300"}
        return web.Response(text=STYLE, content_type="text/css", headers=headers)

    async def _work(self, answer: Callable[[], web.Response]) -> web.Response:
        secrets = [secret for secret in self.secrets() if len(secret) >= SHORTEST_SECRET]
        async with self._one_at_a_time:
            return await asyncio.to_thread(lambda: _without(answer(), secrets))

    def _project(self, facts: Facts, query: Query) -> StatusView:
        vms = self._assessments.of_all(facts.published, facts.objectives, facts.now)
        return project(facts, query, vms)

    def _index(self, facts: Facts, query: Query, notes: tuple[str, ...]) -> web.Response:
        status = self._project(facts, query)
        unread, clusters, cluster_page = shown_clusters(status, query)
        values = {
            "status": status,
            "query": query,
            "notes": (*notes, *_past_the_end(query, status)),
            "unread": unread,
            "clusters": clusters,
            "cluster_page": cluster_page,
        }
        return self._page("status", here="status", values=values)

    def _vm(self, found: VmDetailView | None, number: int) -> web.Response:
        if found is None:
            return self._not_found(NO_VM, base="../../../")
        part = PageView.of(len(found.snapshot_list), number, SNAPSHOTS_ON_A_PAGE)
        values = {"vm": found, "part": part, "snapshots": found.snapshot_list[part.slice]}
        return self._page("vm", base="../../../", values=values)

    def _not_found(self, text: str, base: str) -> web.Response:
        values = {"title": "Not found", "text": text, "verbatim": ""}
        return self._page("message", base=base, code=404, values=values)

    def _page(
        self,
        template: str,
        *,
        values: dict[str, Any],
        base: str = "",
        here: str = "",
        code: int = 200,
    ) -> web.Response:
        """Return a page. base: the relative path to the root; here: its word in the navigation."""
        shared = {
            "base": base,
            "here": here,
            "now": moment(self.wall()),
            "version": self.version,
            "telemetry_path": self.telemetry_path().removeprefix("/"),
        }
        return _answer(html(template, **shared, **values), "text/html", code)


NO_VM = "No such virtual machine is known here, and no snapshot of one."


def _status(status: StatusView, query: Query) -> web.Response:
    notes = _past_the_end(query, status)
    return _json({"error": " ".join(notes)}, status=400) if notes else _json(status)


def _past_the_end(query: Query, status: StatusView) -> list[str]:
    pages = status.page.pages
    return [f"page: the last page is {pages}."] if query.page > pages else []


def _json(document: object, *, status: int = 200) -> web.Response:
    # Durations of the settings are numbers that also know how they were written.
    text = json.dumps(msgspec.to_builtins(document, enc_hook=float), ensure_ascii=False, indent=1)
    return _answer(text.encode(errors="replace"), "application/json", status)


def _without(answer: web.Response, secrets: Iterable[str]) -> web.Response:
    """Return an answer in which no secret is shown, as it is or escaped."""
    body = answer.body
    assert isinstance(body, bytes)
    for secret in secrets:
        escaped = escape(secret).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
        for form in {secret, escaped, json.dumps(secret, ensure_ascii=False)[1:-1]}:
            body = body.replace(form.encode(errors="replace"), b"(secret)")
    answer.body = body
    return answer


def _answer(body: bytes, content_type: str, code: int) -> web.Response:
    return web.Response(
        body=body, status=code, content_type=content_type, charset="utf-8", headers=HEADERS
    )
