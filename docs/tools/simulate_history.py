"""Counts how often a history's steps are found, in simulated histories with the noise of repeated trainings.

``python docs/tools/simulate_history.py`` writes ``docs/results/history/simulation.csv``, which docs/history.md shows,
with one row per simulation:

* ``planted``: whole histories with a step up and a step down of ``occlusion`` in one network
  (``tests/history/synthetic.py``); ``found`` counts those in which both are found within one commit, ``elsewhere``
  those with a step anywhere else.
* ``quiet``: whole histories without steps; ``elsewhere`` counts those with any step.
* ``single``: one series of 30 values among 42, with independent noise and the same two steps.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from nmebench.files import write_atomically
from nmebench.history import trend
from nmebench.history.steps import find_steps

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "docs/results/history/simulation.csv"

COMMITS, UP, DOWN, SIZE = 30, 10, 20, 0.05
SERIES = 42
DEVIATIONS = (0.005, 0.010, 0.0135, 0.015, 0.020)
HEAD = ("simulation", "standard_deviation", "histories", "found", "elsewhere")


def _synthetic() -> ModuleType:
    """The module of the tests that makes histories."""
    spec = importlib.util.spec_from_file_location("synthetic", ROOT / "tests/history/synthetic.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["synthetic"] = module
    spec.loader.exec_module(module)
    return module


def _planted_places(found: list[tuple[int, float]]) -> set[int]:
    """The planted steps, 0 and 1, that steps ``(index, size)`` find within one commit and with the right sign."""
    places = enumerate(((UP, 1), (DOWN, -1)))
    return {i for i, (at, sign) in places for index, size in found if abs(index - at) <= 1 and size * sign > 0}


def histories(count: int, first_seed: int, *, planted: bool) -> tuple[int, int]:
    """Count the simulated histories in which both steps are found, and those with a step elsewhere.

    Args:
        count: number of histories.
        first_seed: seed of the first one; the others follow.
        planted: plant the two steps.
    """
    synthetic = _synthetic()
    steps = [(UP, "net-a", "occlusion", SIZE), (DOWN, "net-a", "occlusion", -SIZE)] if planted else []
    both = elsewhere = 0
    with tempfile.TemporaryDirectory() as folder:
        repository = synthetic.NoRepository(Path(folder))
        for seed in range(first_seed, first_seed + count):
            found = trend(synthetic.noisy_history(seed, commits=COMMITS, steps=steps), repository).series
            occlusion: list[tuple[int, float]] = []
            other = False
            for series in found:
                places = [(step.step.index, step.step.size) for step in series.steps]
                if planted and series.cell.startswith("net-a__"):
                    # The faces of the other subsets overlap with occlusion, so their means have smaller steps there.
                    other |= any(not _planted_places([place]) for place in places)
                    occlusion += places if series.subset == "occlusion" else []
                else:
                    other |= bool(places)
            both += _planted_places(occlusion) == {0, 1}
            elsewhere += other
    return both, elsewhere


def single(count: int, deviation: float) -> tuple[int, int]:
    """Count the single series in which both steps are found, and those with a step elsewhere."""
    both = elsewhere = 0
    for seed in range(count):
        values = 4.9 + np.random.default_rng([29, seed]).normal(0, deviation, COMMITS)
        values[UP:DOWN] += SIZE
        found = [(step.index, step.size) for step in find_steps(values, series=SERIES)]
        both += _planted_places(found) == {0, 1}
        elsewhere += any(not _planted_places([place]) for place in found)
    return both, elsewhere


def rows(divide: int) -> Iterator[tuple[object, ...]]:
    """Yield the rows of the file.

    Args:
        divide: the number by which the numbers of histories are divided, for a test.
    """
    yield "planted", "", 100 // divide, *histories(100 // divide, 0, planted=True)
    yield "quiet", "", 200 // divide, *histories(200 // divide, 1000, planted=False)
    for deviation in DEVIATIONS:
        yield "single", deviation, 200 // divide, *single(200 // divide, deviation)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--divide", type=int, default=1, help="divide the numbers of histories by this")
    given = parser.parse_args()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for row in rows(given.divide):
        writer.writerow(row)
        print(*row, flush=True)
    write_atomically(given.out, text.getvalue())


if __name__ == "__main__":
    main()
