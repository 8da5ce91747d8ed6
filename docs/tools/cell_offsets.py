"""Figures of a run that a table of NME lacks: the mean offset of each cell from the labels, and the height of its maps.

``python docs/tools/cell_offsets.py RUN -o offsets.csv`` writes a row per cell: the NME of all faces in percent, the
mean over all labelled landmarks of prediction minus label in input px (x and y), and the median confidence, which is
the peak of the map for ``argmax``. The run must have one box rule.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.runs.run_store import Run

__all__ = ["main", "offsets"]


def offsets(run: Run) -> str:
    """Return the table of a run as csv.

    Raises:
        InputError: the run has several box rules, so its faces have no single scale.
    """
    boxes = {cell.box for cell in run.record.cells}
    if len(boxes) > 1:
        raise InputError(f"{run.path}: has the boxes {', '.join(sorted(boxes))}; give a run with one box")
    lines = ["model,decoder,flip,box,nme,dx,dy,median_confidence"]
    for cell in run.record.cells:
        scale = np.asarray(run.model(cell.model).input_size) / run.faces.size  # [N, 2] input px per image px
        moved = (run.landmarks(cell.id) - run.faces.landmarks) * scale[:, None]
        dx, dy = np.nanmean(moved, axis=(0, 1))
        nme, peak = float(np.mean(run.per_face[cell.id])), float(np.median(run.confidence(cell.id)))
        fields = (cell.model, cell.decoder_label, cell.flip, cell.box)
        lines.append(f"{','.join(fields)},{nme:.3f},{dx:.3f},{dy:.3f},{peak:.4g}")
    return "\n".join([*lines, ""])


def main() -> None:
    """Read the arguments and write the csv."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_atomically(arguments.out, offsets(Run.open(arguments.run)))


if __name__ == "__main__":
    main()
