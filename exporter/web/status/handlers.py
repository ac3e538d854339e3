"""The paths of the status page and of its JSON; answered from memory."""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
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
from exporter.web.status.query import Query, parse
from exporter.web.status.views import PageView, StatusView
from exporter.web.status.words import moment

log = structlog.get_logger()

SNAPSHOTS_ON_A_PAGE = 20
SHORTEST_SECRET = 8  # characters; a shorter one could be a part of any word on the page

# Seconds.
ASSESSED_EVERY = 0.25  # between two looks for clusters that have changed
AFTER_A_FAULT = 60.0  # until the next look

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
NO_VM = "No such virtual machine is known here, and no snapshot of one."

Answer = Callable[[web.Request, Facts], web.Response]
"""Returns the answer to a request; in a thread, from what was known when the request came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusHandlers:
    """Answers with the page, its parts, and the same as JSON.

    facts: what is known now; wall: seconds since the epoch.
    secrets: of the credential, which Palette could repeat in the error of a snapshot.
    configuration: the active settings as text, without secrets.
    Answers are worked out on request, in a thread; those about the fleet one after the other.
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
        about_fleet: dict[str, Answer] = {
            "/": self._index,
            "/api/v1/status": self._status,
            VM_PATH: self._vm,
            f"/api/v1{VM_PATH}": self._vm_document,
        }
        others: dict[str, Callable[[web.Request], web.Response]] = {
            "/api/v1/openapi.json": lambda _: _json(openapi(self.version)),
            "/config": self._configuration,
            "/docs": self._docs,
            "/docs/{name}": self._document,
        }
        for path, answer in about_fleet.items():
            router.add_get(path, counted(partial(self._about_fleet, answer)))
        for path, other in others.items():
            router.add_get(path, counted(partial(_in_thread, other)))
        router.add_get("/status.css", _style)

    async def _about_fleet(self, answer: Answer, request: web.Request) -> web.Response:
        facts = self.facts()
        secrets = [secret for secret in self.secrets() if len(secret) >= SHORTEST_SECRET]
        async with self._one_at_a_time:
            return await asyncio.to_thread(lambda: _without(answer(request, facts), secrets))

    def _index(self, request: web.Request, facts: Facts) -> web.Response:
        query, notes = parse([*request.query.items()])
        if "" in request.query.values() and not notes:
            # A form sends its empty fields too; the address that people share has none. Nothing
            # is raised: a traceback would keep the facts until a pass of the garbage collector.
            answer = _answer(b"303: See Other", "text/plain", 303)
            answer.headers[hdrs.LOCATION] = query.url() if query != Query() else "./"
            return answer
        status = self._project(facts, query)
        unread, clusters, cluster_page = shown_clusters(status, query)
        return self._page(
            "status",
            here="status",
            status=status,
            query=query,
            notes=(*notes, *_past_the_end(query, status)),
            unread=unread,
            clusters=clusters,
            cluster_page=cluster_page,
        )

    def _status(self, request: web.Request, facts: Facts) -> web.Response:
        query, notes = parse([*request.query.items()])
        if not notes:
            status = self._project(facts, query)
            notes = _past_the_end(query, status)
            if not notes:
                return _json(status)
        return _json({"error": " ".join(notes)}, code=400)

    def _project(self, facts: Facts, query: Query) -> StatusView:
        vms = self._assessments.of_all(facts.published, facts.objectives, facts.now)
        return project(facts, query, vms)

    def _vm(self, request: web.Request, facts: Facts) -> web.Response:
        found, base = find(facts, **request.match_info), "../../../"
        if found is None:
            return self._not_found(NO_VM, base)
        query, _ = parse([("page", request.query.get("page", ""))])
        part = PageView.of(len(found.snapshot_list), query.page, SNAPSHOTS_ON_A_PAGE)
        snapshots = found.snapshot_list[part.slice]
        return self._page("vm", base=base, vm=found, part=part, snapshots=snapshots)

    def _vm_document(self, request: web.Request, facts: Facts) -> web.Response:
        found = find(facts, **request.match_info)
        return _json(found) if found else _json({"error": NO_VM}, code=404)

    def _configuration(self, _: web.Request) -> web.Response:
        text = "The active settings, with defaults. Secrets are not shown."
        verbatim = self.configuration()
        return self._page(
            "message", here="config", title="Configuration", text=text, verbatim=verbatim
        )

    def _docs(self, _: web.Request) -> web.Response:
        titles = {name: docs.title(html) for name, html in docs.documents().items()}
        return self._page("docs", here="docs", title="Docs", document="", titles=titles)

    def _document(self, request: web.Request) -> web.Response:
        found, base = docs.documents().get(request.match_info["name"]), "../"
        if found is None:
            return self._not_found("There is no such document.", base)
        # The labels of an alert are filled into the commands.
        document = docs.filled(found, dict(request.query))
        return self._page(
            "docs", base=base, here="docs", title=docs.title(found), document=document
        )

    def _not_found(self, text: str, base: str) -> web.Response:
        return self._page("message", base=base, code=404, title="Not found", text=text, verbatim="")

    def _page(
        self, template: str, *, base: str = "", here: str = "", code: int = 200, **values: Any
    ) -> web.Response:
        """Return a page. base: the relative path to the root; here: its word in the navigation."""
        page = html(
            template,
            base=base,
            here=here,
            now=moment(self.wall()),
            version=self.version,
            telemetry_path=self.telemetry_path().removeprefix("/"),
            **values,
        )
        return _answer(page, "text/html", code)


async def _in_thread(
    answer: Callable[[web.Request], web.Response], request: web.Request
) -> web.Response:
    return await asyncio.to_thread(answer, request)


async def _style(_: web.Request) -> web.Response:
    headers = {**HEADERS, hdrs.CACHE_CONTROL: "max-age=300"}
    return web.Response(text=STYLE, content_type="text/css", headers=headers)


def _past_the_end(query: Query, status: StatusView) -> tuple[str, ...]:
    pages = status.page.pages
    return (f"page: the last page is {pages}.",) if query.page > pages else ()


def _json(document: object, *, code: int = 200) -> web.Response:
    # Durations of the settings are numbers that also know how they were written.
    text = json.dumps(msgspec.to_builtins(document, enc_hook=float), ensure_ascii=False, indent=1)
    return _answer(text.encode(errors="replace"), "application/json", code)


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
