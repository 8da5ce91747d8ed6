"""A stored run whose faces have given NMEs."""

from __future__ import annotations

import numpy as np


def constant(run, values):
    """Replace the NME of the first cell's faces."""
    cell = run.record.cells[0].id
    run.__dict__["per_face"] = {**run.per_face, cell: np.broadcast_to(values, len(run.faces)).astype(float)}
    return run
