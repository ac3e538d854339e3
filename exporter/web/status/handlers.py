"""What the paths of the status page answer, from memory."""

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from exporter.cooperative import Turns
from exporter.metrics.exposition import RenderedCluster
from exporter.snapshot import Cluster
from exporter.store import Store
from exporter.web.status import documents
from exporter.web.status.board import Boards
from exporter.web.status.fleet import Standings
from exporter.web.status.guides import GUIDES, guide
from exporter.web.status.overview import Fleet, Line, Overview, Part, line, overview
from exporter.web.status.pages import STYLE, Pages
from exporter.web.status.question import asked, page_number

SNAPSHOTS_A_PAGE = 20

HEADERS = {
    hdrs.CACHE_CONTROL: "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Of every answer here: nothing is kept, nothing runs, nothing is fetched from elsewhere."""

VM_PATH = "/vms/{cluster}/{namespace:[^/]*}/{vm:[^/]*}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusHandlers:
    """Answers with the page, its parts, and the same as JSON.

    known: the clusters that are refreshed; ready: whether every first refresh has ended.
    configuration: the settings in force as text, without their secrets.
    wall: seconds since the epoch.
    """

    store: Store[RenderedCluster]
    known: Callable[[], Iterable[Cluster]]
    ready: Callable[[], bool]
    configuration: Callable[[], str]
    wall: Callable[[], float]
    version: str
    pages: Pages
    turns: Turns = field(default_factory=Turns)
    _boards: Boards = field(default_factory=Boards, init=False)
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _standings: Standings = field(default_factory=Standings, init=False)

    def add_to(self, router: web.UrlDispatcher, counted: Callable[[Handler], Handler]) -> None:
        """Put all on their paths. counted: counts what takes its time among all that do."""
        router.add_get("/", counted(self.index))
        router.add_get("/api/v1/status", counted(self.status))
        router.add_get(VM_PATH, counted(self.vm))
        router.add_get(f"/api/v1{VM_PATH}", counted(self.vm_document))
        router.add_get("/config", counted(self.settings))
        router.add_get("/docs", self.guides)
        router.add_get("/docs/{name}", counted(self.guide))
        router.add_get("/status.css", self.style)

    async def index(self, request: web.Request) -> web.Response:
        """Answer with the page of the fleet."""
        found = await self._overview(request)
        return await self._page(
            "status", here="status", now=found.now, overview=found, ready=self.ready()
        )

    async def status(self, request: web.Request) -> web.Response:
        """Answer with the same as JSON; a question that makes no sense is 400."""
        found = await self._overview(request)
        if found.notes:
            return _json({"error": " ".join(found.notes)}, status=400)
        return _json(documents.status(found, ready=self.ready(), version=self.version))

    async def vm(self, request: web.Request) -> web.Response:
        """Answer with the page of a virtual machine."""
        now = self.wall()
        found = await self._line(request, now)
        if found is None:
            text = "No such virtual machine is known here, and no snapshot of one."
            return await self._message("Not found", text, status=404, here="")
        snapshots = found.machine.newest_first
        part = Part.of(len(snapshots), page_number(request.query.get("page", "")), SNAPSHOTS_A_PAGE)
        return await self._page(
            "vm",
            here="",
            now=now,
            line=found,
            part=part,
            snapshots=snapshots[part.slice],
        )

    async def vm_document(self, request: web.Request) -> web.Response:
        """Answer with the same as JSON."""
        now = self.wall()
        found = await self._line(request, now)
        if found is None:
            return _json({"error": "No such virtual machine is known here."}, status=404)
        return _json(documents.machine(found, now))

    async def settings(self, request: web.Request) -> web.Response:
        """Answer with the settings in force."""
        del request
        text = "What is in force, defaults included. Secrets are not shown."
        return await self._message(
            "Configuration", text, here="config", verbatim=self.configuration()
        )

    async def guides(self, request: web.Request) -> web.Response:
        """Answer with links to the documents."""
        del request
        return await self._page("guides", here="docs", now=self.wall(), guides=GUIDES)

    async def guide(self, request: web.Request) -> web.Response:
        """Answer with one of the documents."""
        name = request.match_info["name"]
        text = guide(name)
        if text is None:
            return await self._message(
                "Not found", "There is no such document.", status=404, here="docs"
            )
        return await self._message(GUIDES[name], name, here="docs", verbatim=text)

    async def style(self, request: web.Request) -> web.Response:
        """Answer with the stylesheet."""
        del request
        headers = {**HEADERS, hdrs.CACHE_CONTROL: "max-age=300"}
        return web.Response(text=STYLE, content_type="text/css", headers=headers)

    async def _overview(self, request: web.Request) -> Overview:
        published = self.store.view()
        # One after the other: who comes second finds the work done.
        async with self._looking:
            boards = await self.turns.finished(
                self._boards.of_all(
                    (each.state, each.text.options.objectives) for each in published
                )
            )
        question, notes = asked([*request.query.items()])
        fleet = Fleet(boards, self.known(), self.wall())
        return await self.turns.finished(overview(fleet, self._standings, question, notes))

    async def _line(self, request: web.Request, now: float) -> Line | None:
        key = (request.match_info["namespace"], request.match_info["vm"])
        uid = request.match_info["cluster"]
        published = next((one for one in self.store.view() if one.state.cluster.uid == uid), None)
        if published is None:
            return None
        async with self._looking:
            board = await self.turns.finished(
                self._boards.of(published.state, published.text.options.objectives)
            )
        row = board.rows.get(key)
        return None if row is None else line(board.state, row, now)

    async def _message(
        self,
        title: str,
        text: str,
        *,
        here: str,
        verbatim: str = "",
        status: int = 200,
    ) -> web.Response:
        return await self._page(
            "message",
            status=status,
            here=here,
            now=self.wall(),
            title=title,
            text=text,
            verbatim=verbatim,
        )

    async def _page(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        await self.pages.load()
        parts = await self.turns.over(self.pages.parts(template, **values))
        # What no encoding can say, half of a pair of surrogates, shows as a question mark.
        body = "".join(parts).encode(errors="replace")
        return web.Response(
            body=body, status=status, content_type="text/html", charset="utf-8", headers=HEADERS
        )


def _json(document: documents.Document, *, status: int = 200) -> web.Response:
    text = json.dumps(document, ensure_ascii=False, indent=1)
    return web.Response(
        body=text.encode(errors="replace"),
        status=status,
        content_type="application/json",
        charset="utf-8",
        headers=HEADERS,
    )
