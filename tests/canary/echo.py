"""A faulty server that repeats the credential it received in every place it can."""

import asyncio
import base64
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from tests.canary.forms import TOKEN, disguises

Behaviour = Callable[[str], bytes]
"""The credential -> the bytes of the answer, from the status line on."""

HANG = b"hang"
"""No answer at all."""


def answer(secret: str, status: int, body: str, **headers: str) -> bytes:
    """Return an answer whose reason and headers repeat the secret."""
    said = {"X-Echo": secret, "Set-Cookie": f"key={secret}; Path=/", **headers}
    lines = [
        f"HTTP/1.1 {status} {secret}",
        *(f"{n.replace('_', '-')}: {v}" for n, v in said.items()),
    ]
    content = body.encode()
    head = "\r\n".join([*lines, f"Content-Length: {len(content)}", "Connection: close", "", ""])
    return head.encode() + content


def complaint(status: int, disguise: int, secret: str) -> bytes:
    shown = disguises(secret)[disguise]
    document = {"code": shown, "ref": shown, "message": f"key {secret} is bad", "details": [secret]}
    return answer(secret, status, json.dumps(document), Retry_After=secret)


def redirect(location: str, secret: str) -> bytes:
    where = re.sub("[^!-~]", "", location.replace("SECRET", secret))
    return answer(secret, 302, secret, Location=where)


def redirect_to_host(disguise: int, secret: str) -> bytes:
    return redirect(f"http://{disguises(secret)[disguise]}.example/", secret)


def good(text: str, secret: str) -> bytes:
    return answer(secret, 200, text.replace("SECRET", json.dumps(secret)[1:-1]))


def snapshot(**status: object) -> str:
    """Return a list of one snapshot; SECRET stands for the credential."""
    metadata = {"name": "s", "namespace": "n", "annotations": {"SECRET": "SECRET"}}
    spec = {"source": {"name": "v"}, "failureDeadline": "SECRET"}
    item = {"metadata": metadata | {"creationTimestamp": "SECRET"}, "spec": spec, "status": status}
    return json.dumps({"metadata": {}, "items": [item, {"SECRET": "SECRET"}, "SECRET"]})


DOCUMENTS: dict[str, Behaviour] = {
    "values": partial(good, snapshot(creationTime="SECRET", readyToUse="SECRET")),
    "errors": partial(
        good, snapshot(error={"message": "SECRET", "time": "SECRET"}, phase="SECRET")
    ),
    "conditions": partial(good, snapshot(conditions=[{"reason": "SECRET", "message": "SECRET"}])),
}
"""Documents that have the credential as a value."""

BEHAVIOURS: dict[str, Behaviour] = {
    **DOCUMENTS,
    **{
        f"status-{code}": partial(complaint, code, 0)
        for code in (204, 300, 400, 401, 403, 404, 405, 407, 408, 410, 418, 429, 500, 502, 503, 504)
    },
    **{
        f"code-{status}-{number}": partial(complaint, status, number)
        for status in (403, 404, 500)
        for number in range(len(disguises(TOKEN)))
    },
    **{f"host-{n}": partial(redirect_to_host, n) for n in range(len(disguises(TOKEN)))},
    "redirect-user": partial(redirect, "http://user:SECRET@other.example/"),
    "redirect-path": partial(redirect, "http://other.example/SECRET?key=SECRET"),
    "redirect-here": partial(redirect, "/v1/SECRET"),
    "redirect-broken": partial(redirect, "http://[SECRET"),
    "html": lambda secret: answer(secret, 200, f"<h1>{secret}</h1>", Content_Type="text/html"),
    "text": partial(good, "SECRET"),
    "string": partial(good, '"SECRET"'),
    "cut": partial(good, '{"items": [{"metadata": {"name": "SECRET'),
    "key": partial(good, '{"SECRET": {"SECRET": 1}}'),
    "metadata": partial(good, '{"metadata": "SECRET", "items": "SECRET"}'),
    "token": partial(good, '{"metadata": {"continue": "SECRET"}, "items": []}'),
    "encoding": lambda secret: answer(secret, 200, secret, Content_Encoding="gzip"),
    "encoding-unknown": lambda secret: answer(secret, 200, secret, Content_Encoding=secret),
    "charset": lambda secret: answer(secret, 200, secret, Content_Type=f"a/b; charset={secret}"),
    "no-http": str.encode,
    "bad-status": lambda secret: f"HTTP/1.1 {secret} OK\r\n\r\n".encode(),
    "bad-header": lambda secret: f"HTTP/1.1 200 OK\r\n{secret}\r\n\r\n".encode(),
    "bad-name": lambda secret: f"HTTP/1.1 200 OK\r\n\0{secret}: {secret}\r\n\r\n".encode(),
    "bad-length": lambda secret: f"HTTP/1.1 200 OK\r\nContent-Length: {secret}\r\n\r\n".encode(),
    "bad-chunk": lambda secret: (
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{secret}\r\n{secret}\r\n".encode()
    ),
    "short": lambda secret: answer(secret, 200, secret)[:-3],
    "closed": lambda _: b"",
    "hang": lambda _: HANG,
}
"""A cluster's uid -> how the server treats requests for that cluster."""


@dataclass(kw_only=True)
class Echo:
    """The server's address, and its number of requests.

    log_in: whether it issues tokens; behaviours: by cluster uid.
    """

    url: str = ""
    requests: int = 0
    log_in: bool = True
    behaviours: Mapping[str, Behaviour] = field(default_factory=lambda: BEHAVIOURS)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request on a connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await self._serve(reader, writer)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)\ncontent-length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        self.requests += 1
        said = self._answer(head, body)
        if said == HANG:
            await reader.read()
            return
        writer.write(said)
        await writer.drain()

    def _answer(self, head: str, body: bytes) -> bytes:
        secret = _credential(head, body)
        if "/v1/auth/" in head:
            token = json.dumps({"Authorization": TOKEN, "isMfa": False})
            return answer(secret, 200, token) if self.log_in else complaint(401, 0, secret)
        if "/v1/dashboard/" in head:
            return answer(secret, 200, _clusters(self.behaviours, secret))
        uid = re.search(r"/v1/spectroclusters/([^/]+)/", head)
        return self.behaviours.get(uid[1] if uid else "", BEHAVIOURS["status-404"])(secret)


def _credential(head: str, body: bytes) -> str:
    """Return the credential of a request; for a proxy, its password."""
    proxy = re.search(r"(?i)\nproxy-authorization: basic (\S+)", head)
    if proxy:
        return base64.b64decode(proxy[1]).decode().partition(":")[2]
    header = re.search(r"(?i)\n(?:apikey|authorization): ([^\r]+)", head)
    return header[1] if header else str(json.loads(body or b"{}").get("password", ""))


def _clusters(uids: Iterable[str], secret: str) -> str:
    items = [
        {"metadata": {"name": uid, "uid": uid, "projectUid": "p1", "annotations": {"a": secret}}}
        for uid in uids
    ]
    return json.dumps({"items": items, "message": secret})


@asynccontextmanager
async def echoing(
    *, tls: ssl.SSLContext | None = None, log_in: bool = True, without: Iterable[str] = ()
) -> AsyncIterator[Echo]:
    """Run the server on a free port; without: behaviours that are left out."""
    shown = {uid: each for uid, each in BEHAVIOURS.items() if uid not in without}
    echo = Echo(log_in=log_in, behaviours=shown)
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0, ssl=tls)
    echo.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield echo
    finally:
        server.close()
