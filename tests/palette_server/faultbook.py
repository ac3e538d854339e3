"""The calls that fail, how, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.demo.calls import Call

if TYPE_CHECKING:
    from tests.palette_server.faults import Fault

Predicate = Callable[[Call], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A selection of calls; None means any. `path`: a part of the raw path."""

    endpoint: str | None = None
    cluster_uid: str | None = None
    path: str | None = None
    page: int | None = None

    def __call__(self, call: Call) -> bool:
        """Return whether the call is selected."""
        return (
            self.endpoint in {None, call.endpoint}
            and self.cluster_uid in {None, call.cluster_uid}
            and self.page in {None, call.page}
            and (self.path is None or self.path in call.raw_path)
        )


class Planned:
    """One planned fault; `hits` counts the calls that it has affected."""

    def __init__(
        self, book: list[Planned], match: Predicate, fault: Fault, times: int | None
    ) -> None:
        self._book = book
        self._match = match
        self.fault = fault
        self.left = times
        self.hits = 0

    def meant(self, call: Call) -> bool:
        """Return whether the fault is still active and the call is selected."""
        return self.left != 0 and self._match(call)

    def strike(self) -> Fault:
        """Count one affected call."""
        self.hits += 1
        if self.left is not None:
            self.left -= 1
        return self.fault

    def remove(self) -> None:
        """Remove the fault; it can be removed already."""
        if self in self._book:
            self._book.remove(self)


class FaultBook:
    """The planned faults; of several for the same call, the one added first applies."""

    def __init__(self) -> None:
        self._planned: list[Planned] = []

    def add(self, match: Predicate | str | None, fault: Fault, times: int | None = None) -> Planned:
        """Plan a fault for the calls that match, without end or `times` times.

        A text is an endpoint's name or a part of the raw path, such as a cluster's uid;
        None is every call.
        """
        planned = Planned(self._planned, _predicate(match), fault, times)
        self._planned.append(planned)
        return planned

    def clear(self) -> None:
        """Remove all faults."""
        self._planned.clear()

    def strike(self, call: Call) -> Fault | None:
        """Return the fault of this call, if any."""
        for planned in self._planned:
            if planned.meant(call):
                return planned.strike()
        return None


def _predicate(match: Predicate | str | None) -> Predicate:
    if match is None:
        return Match()
    if isinstance(match, str):
        return lambda call: match == call.endpoint or match in call.raw_path
    return match
