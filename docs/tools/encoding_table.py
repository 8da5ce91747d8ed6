"""Paired differences of networks that differ in their encoding, and the README's table of them.

``python docs/tools/encoding_table.py differences RUN --reference CELL --cell CELL ... -o differences.csv`` compares
cells with the reference on all faces. The intervals are 95 %, clustered by photograph; p is adjusted by Holm's
procedure over all rows. ``python docs/tools/encoding_table.py table RUN --update FILE --section NAME`` writes the table
between the markers of a document; ``--check`` fails where it is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from readme_block import add_options, update_block

from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.reports.committed_differences import differences_csv
from nmebench.reports.encoding_table import by_encoding
from nmebench.runs.run_store import Run
from nmebench.suggest import unknown

__all__ = ["differences", "main"]


def differences(run: Run, reference: str, cells: Sequence[str] = ()) -> str:
    """Return the differences of cells from ``reference`` on all faces, percent points, as csv.

    Args:
        run: a scored run with its landmarks.
        reference: id of the cell that the others are compared with.
        cells: ids of the others; by default all.

    Raises:
        InputError: the run has no cell of a name.
    """
    known = [cell.id for cell in run.record.cells]
    for name in (reference, *cells):
        if name not in known:
            raise InputError(unknown("cell", name, known))
    return differences_csv(run, [(reference, name) for name in cells or known if name != reference])


def main() -> int:
    """Read the arguments and write the csv or the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("differences")
    write.add_argument("run", type=Path)
    write.add_argument("--reference", required=True, help="Id of the cell that the others are compared with.")
    write.add_argument("--cell", action="append", default=[], help="Id of a cell to compare; by default all.")
    write.add_argument("-o", "--out", type=Path, required=True)
    show = commands.add_parser("table")
    add_options(show)
    arguments = parser.parse_args()
    if arguments.command == "differences":
        write_atomically(arguments.out, differences(Run.open(arguments.run), arguments.reference, arguments.cell))
        return 0
    return update_block(arguments, by_encoding(str(arguments.run)))


if __name__ == "__main__":
    sys.exit(main())
