"""Paired differences of decoders and flip tests of one network, and the README's table of them.

``python docs/tools/flip_table.py differences RUN -o differences.csv`` compares every cell without a flip test with
argmax, and every other cell with its own decoder without a flip test. The intervals are 95 %, clustered by photograph;
p is adjusted by Holm's procedure over all rows. ``python docs/tools/flip_table.py table RUN --floor RUN --update FILE
--section NAME`` writes the table between the markers of a document; ``--check`` fails where it is stale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from readme_block import add_options, update_block

from nmebench.files import write_atomically
from nmebench.reports.committed_differences import differences_csv
from nmebench.reports.flip_table import by_decoder_and_flip
from nmebench.runs.run_record import CellRecord
from nmebench.runs.run_store import Run

__all__ = ["differences", "main"]


def differences(run: Run) -> str:
    """Return the paired differences of a run of one network and box, percent points, as csv.

    Raises:
        StopIteration: the run has no cell of argmax, or one of its decoders has no cell without a flip test.
    """
    cells = [cell for cell in run.record.cells if (cell.decoder, cell.flip) != ("argmax", "none")]
    return differences_csv(run, [(_reference(run, cell), cell.id) for cell in cells])


def _reference(run: Run, cell: CellRecord) -> str:
    """The id of the cell that a cell is compared with."""
    decoder = "argmax" if cell.flip == "none" else cell.decoder
    return next(other.id for other in run.record.cells if (other.decoder, other.flip) == (decoder, "none"))


def main() -> int:
    """Read the arguments and write the csv or the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("differences")
    write.add_argument("run", type=Path)
    write.add_argument("-o", "--out", type=Path, required=True)
    show = commands.add_parser("table")
    add_options(show)
    show.add_argument("--floor", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "differences":
        write_atomically(arguments.out, differences(Run.open(arguments.run)))
        return 0
    floor = str(arguments.floor) if arguments.floor else None
    return update_block(arguments, by_decoder_and_flip(str(arguments.run), floors=floor))


if __name__ == "__main__":
    sys.exit(main())
