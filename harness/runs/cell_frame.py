"""The NME of every face under some cells of a run, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from nmebench.runs.cell_selection import find_cell

if TYPE_CHECKING:
    from nmebench.runs.run_store import Run

__all__ = ["cell_frame"]


def cell_frame(run: Run, cells: str | Sequence[str] = "all") -> pd.DataFrame:
    """Return one row per cell and face.

    Args:
        run: the run.
        cells: ``all``, or one or several cells by id or an unambiguous part of it, such as ``dark``; see
            :func:`~nmebench.runs.cell_selection.find_cell`.

    Returns:
        ``cell``, ``model``, ``decoder``, ``flip``, ``box``, ``face`` (position in the data set), ``image``, ``nme``
        (percent), and a bool column ``subset_NAME`` per subset.

    Raises:
        InputError: a cell is unknown or ambiguous, or a file of the run can't be read.
    """
    if cells == "all":
        chosen = list(run.record.cells)
    else:
        texts = [cells] if isinstance(cells, str) else cells
        chosen = list({cell.id: cell for cell in (find_cell(run, text) for text in texts)}.values())
    faces = run.faces
    subsets = {f"subset_{name}": mask for name, mask in faces.subsets.items()}
    parts = []
    for cell in chosen:
        names = {"cell": cell.id, "model": cell.model, "decoder": cell.decoder, "flip": cell.flip, "box": cell.box}
        of_faces = {"face": range(len(faces)), "image": list(faces.image), "nme": run.per_face[cell.id]}
        parts.append(pd.DataFrame(names | of_faces | subsets))
    return pd.concat(parts, ignore_index=True)
