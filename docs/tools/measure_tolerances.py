"""Measure the differences between equivalent runs and write the committed table with tolerances from them.

Run as ``python docs/tools/measure_tolerances.py -o FOLDER``. Each variant is a complete sweep; both embedded sweeps
(``synthface`` and ``encodings``) are measured. The tolerance of a number is ``FACTOR`` times its largest difference
from the first variant, and at least ``SMALLEST``. Every number has its own tolerance, because cells with ties (argmax
on two equal peaks, a near-singular Hessian) differ more between runs than others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nmebench.reproduction.embedded import embedded_configuration, encodings_configuration
from nmebench.reproduction.expected import EXPECTED, ExpectedCell, write_expected
from nmebench.runs.run_store import Run
from nmebench.sweep import SweepConfiguration, execute

__all__ = ["FACTOR", "SMALLEST", "SWEEPS", "main", "tolerances", "variants"]

FACTOR = 3.0
SMALLEST = 0.0005


#: The embedded sweeps by the names of their folders.
SWEEPS: Mapping[str, Callable[..., SweepConfiguration]] = {
    "synthface": embedded_configuration,
    "encodings": encodings_configuration,
}


def variants(configure: Callable[..., SweepConfiguration], data: str) -> Iterator[tuple[str, SweepConfiguration]]:
    """Configurations whose results should be equal up to float noise; the first is the reference."""
    yield "reference", configure(data=data, pictures=False)
    yield "torch", configure(data=data, engine="torch", pictures=False)
    yield "torch, one thread", configure(data=data, engine="torch", threads=1, pictures=False)
    yield "torch, batches of 7", configure(data=data, engine="torch", batch_size=7, pictures=False)
    yield "one thread", configure(data=data, threads=1, pictures=False)


def tolerances(tables: Sequence[Sequence[Mapping[str, Any]]]) -> list[ExpectedCell]:
    """Rows of the first table, with tolerances from the differences to the other tables."""
    others = [{_key(row): float(row["nme"]) for row in table} for table in tables[1:]]
    cells = []
    for row in tables[0]:
        nme = float(row["nme"])
        spread = max((abs(other[_key(row)] - nme) for other in others), default=0.0)
        cells.append(ExpectedCell(*_key(row), int(row["faces"]), nme, max(SMALLEST, FACTOR * spread)))
    return cells


def _key(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    return row["model"], row["decoder"], row["flip"], row["box"], row["subset"]


def main() -> None:
    """Sweep every variant that isn't in the folder yet, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="Folder for the runs; finished runs in it are reused."
    )
    parser.add_argument("--data", default="synthface")
    parser.add_argument("--table", type=Path, default=EXPECTED)
    arguments = parser.parse_args()
    cells: list[ExpectedCell] = []
    for sweep, configure in SWEEPS.items():
        tables: list[list[dict[str, Any]]] = []
        for name, configuration in variants(configure, arguments.data):
            folder = arguments.out / sweep / name.replace(", ", "-").replace(" ", "-")
            done = (folder / "run.json").is_file()
            run = Run.open(folder) if done else execute(configuration, folder)
            tables.append(run.score_rows())
            first = {_key(row): row["nme"] for row in tables[0]}
            difference = max(abs(row["nme"] - first[_key(row)]) for row in tables[-1])
            print(f"{sweep}, {name}: largest difference from the reference {difference:.6f} points")
        cells += tolerances(tables)
    write_expected(cells, arguments.table)


if __name__ == "__main__":
    main()
