"""The soak's judge: growth and noise."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.soak.judge import Measured, broken, settled


@dataclass(frozen=True)
class Case:
    """A series of ten stages, and the expected judgement."""

    name: str
    values: tuple[float, ...]
    least: float
    says: str = ""


CASES = [
    Case("an allocator that settles", (68, 74, 74, 73, 70, 73, 72, 72, 72, 72), 2.1),
    Case("a warm-up only", (40, 60, 70, 72, 72, 72, 72, 72, 72, 72), 2.1),
    Case("a quiet machine", (72,) * 10, 2.1),
    Case("noise that ends high", (72, 72, 72, 71, 73, 70, 72, 71, 72, 74), 2.1),
    Case("memory that falls", (90, 88, 86, 84, 82, 80, 78, 76, 74, 73), 2.1),
    Case("a leak of 1 MiB a stage", (68, 74, 74, 75, 74, 77, 77, 79, 79, 81), 2.1, "rises"),
    Case("a leak behind a pool", (68, 68, 68, 68, 69, 70, 71, 72, 73, 74), 2.1, "rises"),
    Case("a spike that passes", (72, 72, 72, 72, 72, 95, 72, 72, 72, 72), 2.1, "reaches"),
    Case("a spike while settling", (72, 95, 72, 72, 72, 72, 72, 72, 72, 72), 2.1),
    Case("a pool of connections", (19, 22, 23, 25, 24, 23, 25, 24, 24, 24), 1),
    Case("one file a stage", (20, 21, 22, 23, 24, 25, 26, 27, 28, 29), 1, "rises"),
    Case("one task, once", (9, 9, 9, 9, 9, 9, 10, 9, 9, 9), 1),
    Case("tasks that heap up", (9, 9, 10, 10, 11, 11, 12, 12, 13, 13), 1, "rises"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_growth_is_distinguished_from_noise(case: Case) -> None:
    found = broken({"memory": Measured(values=case.values, least=case.least)})
    assert bool(found) == bool(case.says), found
    assert all(sentence.startswith("memory: ") for sentence in found)
    assert any(case.says in sentence for sentence in found) or not case.says


def test_peaks_are_judged_by_their_own_median() -> None:
    peaks = (80.0,) * 9
    assert not broken({"memory": Measured(values=(72,) * 10, least=2, peaks=(*peaks, 87))})
    assert broken({"memory": Measured(values=(72,) * 10, least=2, peaks=(*peaks, 89))})


def test_a_pool_can_vary_up_to_its_size() -> None:
    values = (12,) * 9
    assert not broken({"connections": Measured(values=(*values, 18), least=1, swing=6)})
    assert broken({"connections": Measured(values=(*values, 19), least=1, swing=6)})


levels = st.integers(50, 100_000)
noises = st.lists(st.floats(-1, 1), min_size=10, max_size=10)


@given(levels, noises)
def test_noise_below_the_least_rise_is_never_growth(level: int, noise: list[float]) -> None:
    values = [level + each for each in noise]
    assert broken({"objects": Measured(values=values, least=4)}) == []


@given(levels, noises, st.floats(1.5, 100), st.lists(st.floats(0, 1e6), min_size=3, max_size=3))
def test_a_steady_leak_is_found_whatever_came_before(
    level: int, noise: list[float], slope: float, warm_up: list[float]
) -> None:
    values = [level + slope * 10 * stage + each for stage, each in enumerate(noise)]
    values[: len(values) - len(settled(values))] = warm_up
    assert broken({"objects": Measured(values=values, least=4)})
