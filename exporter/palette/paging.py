"""Lists that come in pages: all of a list or nothing."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Protocol, TypeVar

from exporter.palette.errors import Expired, InvalidResponse
from exporter.palette.wire import Page

MOST_PAGES = 10_000

MOST_ITEMS = 100_000
"""Five times as many snapshots as the largest cluster has; so many take 250 MB."""


class Item(Protocol):
    """What a list consists of."""

    @property
    def key(self) -> Hashable:
        """Its identity within the list."""


T = TypeVar("T", bound=Item)
Fetch = Callable[[str | None], Awaitable[Page[T]]]
"""Fetches the page that a continue token stands for; the first for None."""


async def whole_list(fetch: Fetch[T]) -> tuple[T, ...]:
    """Return each item once, as the last page that holds it shows it.

    A list whose continue token expires is read once more from its beginning.
    Raises PaletteError; InvalidResponse if the pages would not come to an end.
    """
    items: dict[Hashable, T] = {}
    try:
        try:
            await _read_pages(fetch, items)
        except Expired:
            if not items:
                raise
            items.clear()
            await _read_pages(fetch, items)
        return tuple(items.values())
    finally:
        # A traceback can keep this frame until the next pass of the garbage collector.
        items.clear()


async def _read_pages(fetch: Fetch[T], items: dict[Hashable, T]) -> None:
    tokens: set[str] = set()
    token: str | None = None
    for _ in range(MOST_PAGES):
        page = await fetch(token)
        known, token = len(items), page.continue_token
        items.update((item.key, item) for item in page.items)
        del page
        if len(items) > MOST_ITEMS:
            raise InvalidResponse(f"the list has more than {MOST_ITEMS} items")
        if token is None:
            return
        if token in tokens:
            raise InvalidResponse("a continue token was repeated")
        if len(items) == known:
            raise InvalidResponse("a page of a list, not its last, has no new item")
        tokens.add(token)
    raise InvalidResponse(f"the list has more than {MOST_PAGES} pages")
