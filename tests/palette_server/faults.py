"""Failures of an API, or of a proxy in front of it.

Each function returns a fault. A fault is called with the exchange, and either returns an answer to
send, or sends something itself and returns None.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isal import isal_zlib

from exporter.demo.calls import Answer, Call
from exporter.demo.storage import json_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.palette_server.exchange import Exchange, Point

Fault = Callable[["Exchange"], Awaitable[Answer | None]]

_OK = 200


def respond(
    code: int = _OK,
    body: object = b"",
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> Fault:
    """Answer any call with this; a body other than bytes or text is sent as JSON."""
    answer = Answer(
        status=code, body=_as_bytes(body), headers=dict(headers or {}), content_type=content_type
    )

    async def fault(_: Exchange) -> Answer:
        return answer

    return fault


def status(code: int, *, retry_after: str | None = None) -> Fault:
    """Answer with an error in Palette's own form: 401, 403, 410, 429, 500 and so on."""
    body = {"code": f"Status{code}", "details": None, "message": f"simulated {code}", "ref": "x"}
    return respond(code, body, {} if retry_after is None else {"Retry-After": retry_after})


def html(code: int = _OK) -> Fault:
    """Answer with an HTML page, as a proxy does."""
    page = "<!DOCTYPE html><html><body><h1>Sign in to continue</h1></body></html>"
    return respond(code, page, content_type="text/html")


def redirect(url: str, code: int = 302) -> Fault:
    """Redirect the client."""
    return respond(code, b"", {"Location": url})


def gzip_bomb(size: int = 1 << 30, item: bytes = b"") -> Fault:
    """Answer with a small compressed body that unpacks to about `size` bytes of JSON.

    The JSON is a list of spaces, or of copies of `item`.
    """
    squeeze = isal_zlib.compressobj(level=2, wbits=31)
    filler = item + b"," if item else b" "
    block = filler * (min(size, 1 << 20) // len(filler))
    parts = [squeeze.compress(b'{"metadata":{},"items":[')]
    parts += [squeeze.compress(block) for _ in range(size // max(1, len(block)))]
    parts += [squeeze.compress(item + b"]}"), squeeze.flush()]
    return respond(_OK, b"".join(parts), {"Content-Encoding": "gzip"})


def delay(seconds: float) -> Fault:
    """Send the right answer, `seconds` late."""

    async def fault(exchange: Exchange) -> Answer:
        await exchange.pause(seconds)
        return exchange.answer()

    return fault


def hang(after: Point = "start") -> Fault:
    """Send as far as `after`, then nothing more until the server stops."""

    async def fault(exchange: Exchange) -> None:
        await exchange.send_until(after)
        await exchange.pause(None)
        exchange.reset()

    return fault


def reset(after: Point = "start") -> Fault:
    """Send as far as `after`, then reset the connection."""

    async def fault(exchange: Exchange) -> None:
        await exchange.send_until(after)
        exchange.reset()

    return fault


def drip(seconds: float = 1.0) -> Fault:
    """Send the right body one byte every `seconds`."""

    async def fault(exchange: Exchange) -> None:
        body = exchange.answer().body
        await exchange.start(len(body))
        for position in range(len(body)):
            if not exchange.alive:
                break
            await exchange.write(body[position : position + 1])
            await exchange.pause(seconds)

    return fault


def truncate(keep: float = 0.5) -> Fault:
    """Announce the whole body, send its first part and close; `keep` is a share from 0 to 1."""

    async def fault(exchange: Exchange) -> None:
        body = exchange.answer().body
        await exchange.start(len(body))
        await exchange.write(body[: int(len(body) * keep)])
        exchange.close()

    return fault


def transform(change: Callable[[Any], Any]) -> Fault:
    """Send the right answer, after `change` has changed the JSON document of a 200."""

    async def fault(exchange: Exchange) -> Answer:
        return _changed(exchange.answer(), change)

    return fault


def endless_pages(*, new_items: bool = False) -> Fault:
    """Send a new token with every page, and the items of the first, renamed if `new_items`."""

    async def fault(exchange: Exchange) -> Answer:
        number = _endless_page(exchange.call)

        def change(page: Any) -> Any:
            # The dashboard's list has no metadata of its own.
            page.setdefault("metadata", {})["continue"] = f"endless-{number + 1}"
            for item in page["items"] if new_items else ():
                item["metadata"]["name"] += f"-page-{number}"
            return page

        return _changed(exchange.answer(_without(exchange.call, "continue")), change)

    return fault


def repeated_token() -> Fault:
    """Repeat the token of the request on every page except the first."""

    async def fault(exchange: Exchange) -> Answer:
        asked = exchange.call.continue_token
        call = _without(exchange.call, "continue") if asked == "again" else exchange.call

        def change(page: Any) -> Any:
            page["metadata"]["continue"] = asked or page["metadata"].get("continue", "again")
            return page

        return _changed(exchange.answer(call), change)

    return fault


def foreign_items() -> Fault:
    """Ignore the `vmName` and `namespace` of the request in lists."""

    async def fault(exchange: Exchange) -> Answer:
        return exchange.answer(_without(exchange.call, "vmName", "namespace"))

    return fault


def _changed(answer: Answer, change: Callable[[Any], Any]) -> Answer:
    if answer.status != _OK:
        return answer
    return replace(answer, body=json_bytes(change(json.loads(answer.body))))


def _without(call: Call, *names: str) -> Call:
    """Return the call without these parameters in its query."""
    return replace(call, query={k: v for k, v in call.query.items() if k not in names})


def _endless_page(call: Call) -> int:
    token = call.continue_token or "endless-1"
    number = token.removeprefix("endless-")
    return int(number) if number.isdecimal() else call.page


def _as_bytes(body: object) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json_bytes(body)
