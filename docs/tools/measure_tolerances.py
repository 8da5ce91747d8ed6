"""Measure how far faithful runs are apart, and write the committed table with tolerances from that.

Run as ``python docs/tools/measure_tolerances.py -o FOLDER``. Each variant is a whole sweep of the embedded benchmark; a
cell's tolerance is ``FACTOR`` times the largest difference from the first variant, and at least ``LEAST``. A cell that
is a tie for some landmark (argmax on two equal peaks, a near-singular Hessian) moves more than others, which is why
the tolerance is each number's own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nmebench.reproduction.embedded import embedded_configuration
from nmebench.reproduction.expected import EXPECTED, ExpectedCell, write_expected
from nmebench.runs.run_store import Run
from nmebench.sweep import SweepConfiguration, execute

__all__ = ["FACTOR", "LEAST", "main", "tolerances", "variants"]

FACTOR = 3.0
LEAST = 0.0005


def variants(data: str) -> Iterator[tuple[str, SweepConfiguration]]:
    """The runs that a faithful machine could have made; the first is the reference."""
    yield "reference", embedded_configuration(data=data, pictures=False)
    yield "torch", embedded_configuration(data=data, engine="torch", pictures=False)
    yield "torch, one thread", embedded_configuration(data=data, engine="torch", threads=1, pictures=False)
    yield "torch, batches of 7", embedded_configuration(data=data, engine="torch", batch_size=7, pictures=False)
    yield "one thread", embedded_configuration(data=data, threads=1, pictures=False)


def tolerances(tables: Sequence[Sequence[Mapping[str, Any]]]) -> list[ExpectedCell]:
    """The first table's rows, each with the tolerance that the other tables' differences give."""
    others = [{_key(row): float(row["nme"]) for row in table} for table in tables[1:]]
    cells = []
    for row in tables[0]:
        nme = float(row["nme"])
        spread = max((abs(other[_key(row)] - nme) for other in others), default=0.0)
        cells.append(ExpectedCell(*_key(row), int(row["faces"]), nme, max(LEAST, FACTOR * spread)))
    return cells


def _key(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    return row["model"], row["decoder"], row["flip"], row["box"], row["subset"]


def main() -> None:
    """Sweep every variant that isn't in the folder yet, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--out", type=Path, required=True, help="Folder for the runs.")
    parser.add_argument("--data", default="synthface")
    parser.add_argument("--table", type=Path, default=EXPECTED)
    arguments = parser.parse_args()
    tables: list[list[dict[str, Any]]] = []
    for name, configuration in variants(arguments.data):
        folder = arguments.out / name.replace(", ", "-").replace(" ", "-")
        done = (folder / "run.json").is_file()
        run = Run.open(folder) if done else execute(configuration, folder)
        tables.append(run.score_rows())
        first = {_key(row): row["nme"] for row in tables[0]}
        difference = max(abs(row["nme"] - first[_key(row)]) for row in tables[-1])
        print(f"{name}: largest difference from the reference {difference:.6f} points")
    write_expected(tolerances(tables), arguments.table)


if __name__ == "__main__":
    main()
