"""Judges the measurements of a soak: values that rise, and values that vary too much.

Only measurements after the fleet has settled count: allocators, pools of connections and caches
reach their size within the first rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SETTLING = 0.3
"""The share of a soak that is not judged."""

SIGNIFICANT = 4.77
"""Standard errors of a slope above which it is not noise: Student's t for a chance of 1 in 400 with
the five degrees of freedom of seven values."""

SWING = 0.1
"""The share of the median by which a value can exceed the median."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One kind of value during a soak.

    values: one for each stage, in time's order; least: the smallest rise over all that was judged
    which counts, in the same unit; swing: by how much a value may exceed the median, where that is
    more than a tenth of it; peaks: the highest value in each stage, where that is judged.
    """

    values: Sequence[float]
    least: float
    swing: float = 1
    peaks: Sequence[float] = ()


def settled(values: Sequence[float]) -> Sequence[float]:
    """Return the values after the fleet has settled."""
    return values[round(len(values) * SETTLING) :]


def rise(values: Sequence[float]) -> tuple[float, float]:
    """Return by how much the values' trend (least squares) rises over all of them, and its error.

    The error is one standard error, from the distances of the values to the trend.
    """
    steps = len(values) - 1
    middle, mean = steps / 2, sum(values) / len(values)
    spread = sum((index - middle) ** 2 for index in range(len(values)))
    slope = sum((index - middle) * value for index, value in enumerate(values)) / spread
    distances = (value - mean - slope * (index - middle) for index, value in enumerate(values))
    noise = sqrt(sum(each * each for each in distances) / (len(values) - 2))
    return slope * steps, noise / sqrt(spread) * steps


def grows(values: Sequence[float], least: float) -> bool:
    """Return whether settled values rise by at least this amount, and by more than noise."""
    found, error = rise(values)
    return found >= least and found > SIGNIFICANT * error


def broken(measured: Mapping[str, Measured]) -> list[str]:
    """Return a sentence for each kind of value that grew or varied too much."""
    sentences = []
    for name, each in measured.items():
        values, peaks = settled(each.values), settled(each.peaks or each.values)
        if grows(values, each.least):
            sentences.append(f"{name}: rises by {rise(values)[0]:,.1f} after the fleet settled")
        usual = median(peaks)
        if max(peaks) > usual + max(each.swing, SWING * usual):
            sentences.append(f"{name}: reaches {max(peaks):,.1f}, usual is {usual:,.1f}")
    return sentences
