"""Paired differences of decoders and flip tests of one network, and the README's table of them.

``python docs/tools/flip_table.py differences RUN -o differences.csv`` compares every cell without a flip test with
argmax, and every other cell with its own decoder without a flip test. The intervals are 95 %, clustered by photograph;
p is adjusted by Holm's procedure over all rows. ``python docs/tools/flip_table.py table RUN --floor RUN --update FILE
--section NAME`` writes the table between the markers of a document; ``--check`` fails where it is stale.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path

from readme_block import update_block

from nmebench.files import write_atomically
from nmebench.reports.flip_table import by_decoder_and_flip, source_line
from nmebench.runs.run_store import CellRecord, Run
from nmebench.statistics import paired_with_holm

__all__ = ["differences", "main"]

COLUMNS = ("model", "decoder", "flip", "box", "faces", "reference", "difference", "low", "high", "p_holm", "outcome")


def differences(run: Run) -> str:
    """Return the paired differences of a run of one network and box, percent points, as csv.

    Raises:
        StopIteration: the run has no cell of argmax, or one of its decoders has no cell without a flip test.
    """
    cells = [cell for cell in run.record.cells if (cell.decoder, cell.flip) != ("argmax", "none")]
    references = [_reference(run, cell) for cell in cells]
    per_face = run.per_face
    pairs = [(per_face[base], per_face[cell.id]) for base, cell in zip(references, cells, strict=True)]
    found = paired_with_holm(pairs, run.faces.clusters)
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cell, base, pair in zip(cells, references, found, strict=True):
        numbers = (f"{value:.5f}" for value in (pair.difference, pair.low, pair.high))
        names = (cell.model, cell.decoder, cell.flip, cell.box)
        writer.writerow([*names, len(run.faces), base, *numbers, f"{pair.p_holm:.3g}", pair.outcome])
    return sink.getvalue()


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
    show.add_argument("run", type=Path)
    show.add_argument("--floor", type=Path)
    show.add_argument("--update", type=Path, required=True)
    show.add_argument("--section", required=True)
    show.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.command == "differences":
        write_atomically(arguments.out, differences(Run.open(arguments.run)))
        return 0
    floor = str(arguments.floor) if arguments.floor else None
    table = f"{by_decoder_and_flip(str(arguments.run), floors=floor)}\n\n{source_line(str(arguments.run))}\n"
    return update_block(arguments.update, arguments.section, table, check=arguments.check)


if __name__ == "__main__":
    sys.exit(main())
