"""The documents of this version, as HTML: rendered when the wheel is built."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape, unescape
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import Any

import exporter

PACKAGED = Path(exporter.__file__).parent / "docs"  # where a wheel has them, as HTML
SOURCES = PACKAGED.parents[1] / "docs"  # where a checkout has them, as Markdown

VARIABLES = {"cluster_uid": "CLUSTER", "namespace": "NAMESPACE", "vm": "VM", "snapshot": "SNAPSHOT"}
"""Label of an alert -> variable in the commands of the runbooks."""

_SERVED = re.compile(r"#|https?://|[\w-]+\.md(#|$)")


@cache
def documents() -> dict[str, str]:
    """Return all documents as HTML, by the name of the Markdown file; slow the first time."""
    if PACKAGED.is_dir():
        return {f"{path.stem}.md": path.read_text() for path in sorted(PACKAGED.glob("*.html"))}
    return {path.name: render(path.read_text()) for path in sorted(SOURCES.glob("*.md"))}


def title(html: str) -> str:
    """Return the text of a document's first heading."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>|^# (.*)$", html, re.DOTALL | re.MULTILINE)
    return unescape(re.sub(r"<[^>]+>", "", found[1] or found[2])) if found else "Untitled"


def filled(html: str, labels: dict[str, str]) -> str:
    """Return a document whose commands and queries have the labels of one alert filled in.

    A value that the shell or PromQL would read as more than a name is filled in only where a
    variable is set, and quoted there: anybody can make a link with labels.
    """
    for label, variable in VARIABLES.items():
        if (value := labels.get(label)) is None:
            continue
        quoted = escape(quote(value), quote=False).replace("\\", r"\\")
        html = re.sub(rf"\b{variable}=[\w.-]+", f"{variable}={quoted}", html)
        if re.fullmatch(r"[\w.-]+", value, re.ASCII):
            html = re.sub(rf"\$(\{{{variable}\}}|{variable}\b)", value, html)
            html = re.sub(rf"\b{label}=&quot;[\w.-]+&quot;", f"{label}=&quot;{value}&quot;", html)
    return html


def render(markdown: str) -> str:
    """Return Markdown as HTML. Headings have the anchors that GitHub gives them."""
    try:
        parser = import_module("markdown_it").MarkdownIt("commonmark").enable("table")
    except ModuleNotFoundError:
        # Only a wheel has rendered documents; a checkout needs the development tools for that.
        return f"<pre>{escape(markdown)}</pre>"
    tokens, seen = parser.parse(markdown), Counter[str]()
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following:
            name = anchor(following.content)
            token.attrSet("id", f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
        # The page's security policy allows no inline style.
        token.attrs.pop("style", None)
        token.children = [*_without_dead_links(token.children or ())]
    html: str = parser.renderer.render(tokens, parser.options, {})
    return html


def _without_dead_links(tokens: Iterable[Any]) -> Iterator[Any]:
    """Leave out pictures and links to files that are not served; the text of a link stays."""
    dead = False
    for token in tokens:
        if token.type == "link_open":
            dead = not _SERVED.match(str(token.attrs["href"]))
        if token.type == "image" or (dead and token.type in ("link_open", "link_close")):
            continue
        yield token


def anchor(heading: str) -> str:
    """Return the anchor of a heading: ``What to do`` -> ``what-to-do``."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
