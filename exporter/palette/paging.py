"""Lists that come in pages: all of a list or nothing."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import aclosing
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


async def whole_list(fetch: Fetch[T], *, restarts: int = 1) -> tuple[T, ...]:
    """Return each item once, as the last page that holds it shows it.

    restarts: how often to begin again if the continue token expires; nothing of what was read
        before is kept.
    Raises PaletteError; InvalidResponse if the pages would not come to an end.
    """
    items: dict[Hashable, T] = {}
    try:
        async with aclosing(pages(fetch)) as every_page:
            async for page in every_page:
                known, is_last = len(items), page.continue_token is None
                items.update((item.key, item) for item in page.items)
                del page
                if len(items) > MOST_ITEMS:
                    raise InvalidResponse(f"the list has more than {MOST_ITEMS} items")
                if len(items) == known and not is_last:
                    raise InvalidResponse("a page of a list, not its last, has no new item")
        return tuple(items.values())
    except Expired:
        if not items or not restarts:
            raise
    finally:
        # A traceback can keep this frame until the next pass of the garbage collector.
        items.clear()
    return await whole_list(fetch, restarts=restarts - 1)


async def pages(fetch: Fetch[T]) -> AsyncGenerator[Page[T]]:
    """Yield the pages; InvalidResponse at a repeated token, or past 10,000 pages."""
    seen: set[str] = set()
    token: str | None = None
    for _ in range(MOST_PAGES):
        page = await fetch(token)
        token = page.continue_token
        yield page
        if token is None:
            return
        if token in seen:
            raise InvalidResponse("a continue token was repeated")
        seen.add(token)
    raise InvalidResponse(f"the list has more than {MOST_PAGES} pages")
