"""The long run, for `make fuzz`: prints payloads and times; fails if a check fails."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz import guided
from tests.fuzz.corpus import SOUND
from tests.fuzz.properties import MOST_SPOILED, Check, decoding, seeds, whole_path

if TYPE_CHECKING:
    from collections.abc import Callable

DECODED, WHOLE, GUIDED = 200_000, 20_000, 60_000
"""Numbers of payloads: of all kinds of answers, of pairs of lists on the whole path, and of those
that search for new paths."""


BATCH = 50
"""Payloads per example of hypothesis, which is slower than the decoder."""


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one check: payloads, seconds, and whether it held."""

    name: str
    payloads: int
    seconds: float
    clean: bool

    def __str__(self) -> str:
        verdict = "nothing found" if self.clean else "FOUND SOMETHING"
        return f"{self.name:<32}{self.payloads:>9,} payloads {self.seconds:>8.1f} s   {verdict}"


def run(name: str, check: Check, payloads: int) -> Run:
    """Run a check on a number of payloads; a failure is printed with its payload."""
    tried = 0

    @settings(
        max_examples=-(-payloads // BATCH),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(seeds)
    def batch(seed: int) -> None:
        nonlocal tried
        random = Random(seed)
        for _ in range(BATCH):
            tried += 1
            made_of = random.getrandbits(64), random.randint(0, MOST_SPOILED)
            try:
                check(*made_of)
            except Exception as error:
                error.add_note(f"seed and strength: {made_of}")
                raise

    return timed(name, batch, lambda: tried)


def timed(name: str, act: Callable[[], object], tried: Callable[[], int]) -> Run:
    """Run one kind, and print the result."""
    started, clean = time.monotonic(), True
    try:
        act()
    except Exception:
        clean = False
        traceback.print_exc()
    done = Run(name, tried(), time.monotonic() - started, clean)
    print(done, flush=True)
    return done


def guided_runs(payloads: int) -> list[Run]:
    """Search for new paths with a number of payloads of each kind, if atheris is installed."""
    if not guided.installed():
        print("atheris is not installed: nothing was tried that looks for new paths")
        return []
    runs = []
    for kind in SOUND:
        counts: list[int] = []
        act = partial(_note, counts, kind, payloads)
        runs.append(timed(f"guided by coverage: {kind}", act, partial(sum, counts)))
    return runs


def _note(counts: list[int], kind: str, payloads: int) -> None:
    counts.append(guided.fuzzed(kind, payloads))


def main() -> int:
    """Return 1 if a check failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--decoded", type=int, default=DECODED)
    parser.add_argument("--whole", type=int, default=WHOLE)
    parser.add_argument("--guided", type=int, default=GUIDED)
    wanted = parser.parse_args()
    runs = []
    if each := -(-wanted.decoded // len(SOUND)):
        runs += [run(f"decoder: {kind}", decoding(kind), each) for kind in SOUND]
    if wanted.whole:
        runs.append(run("whole path to both formats", whole_path, wanted.whole))
    if each := -(-wanted.guided // len(SOUND)):
        runs += guided_runs(each)
    total = sum(one.payloads for one in runs)
    print(f"{total:,} payloads, {sum(not one.clean for one in runs)} findings")
    return 0 if all(one.clean for one in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
