"""The NME of cells of several runs on their common faces, by one normaliser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.comparisons.comparison import CellScores
from nmebench.comparisons.match_faces import TOLERANCE, CommonFaces
from nmebench.metric_names import NME, metric_names
from nmebench.runs.run_store import Run
from nmebench.scoring import subset_masks

__all__ = ["common_masks", "face_nme", "rates_of", "scores_of"]

Masks = Mapping[str, NDArray[np.bool_]]


def face_nme(runs: Sequence[Run], common: CommonFaces, number: int, cell: str) -> NDArray[np.float64]:
    """Return the NME of a cell on the common faces, percent ``[N]``, by the normaliser of the first run.

    The stored values are used where the run has the same normaliser. Otherwise the NME is computed from the stored
    landmarks.

    Args:
        runs: the runs.
        common: their common faces.
        number: position of the cell's run.
        cell: id of the cell.
    """
    run, rows = runs[number], common.rows[number]
    wanted = runs[0].faces.normaliser[common.rows[0]]
    if np.allclose(run.faces.normaliser[rows], wanted, rtol=0, atol=4 * TOLERANCE):
        return np.asarray(run.per_face[cell][rows], np.float64)
    truth = run.faces.landmarks[rows]
    errors = metrics.point_errors(run.landmarks(cell)[rows], truth)
    return metrics.nme(errors, wanted, metrics.labelled(truth))


def common_masks(runs: Sequence[Run], common: CommonFaces, names: Sequence[str]) -> tuple[Masks, list[str]]:
    """Return the subsets of the common faces, each from the first run that defines it, and notes on disagreements.

    Args:
        runs: the runs.
        common: their common faces.
        names: the runs' names, for the notes.

    Returns:
        Masks bool ``[N]`` by name, without empty subsets, and one note per subset that another run defines otherwise.
    """
    masks: dict[str, NDArray[np.bool_]] = {}
    source: dict[str, str] = {}
    notes = []
    for run, rows, name in zip(runs, common.rows, names, strict=True):
        for subset, mask in subset_masks(run).items():
            chosen = mask[rows]
            first = source.setdefault(subset, name)
            if not np.array_equal(masks.setdefault(subset, chosen), chosen):
                notes.append(f"the subset {subset} holds other faces in {name}; {first}'s are compared")
    return {subset: mask for subset, mask in masks.items() if mask.any()}, notes


def rates_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the names of FR and AUC at the thresholds of the first run."""
    return tuple(name for name in metric_names(runs[0].record.thresholds) if name != NME)


def scores_of(cell: str, nme: NDArray[np.float64], masks: Masks, rates: Sequence[str]) -> CellScores:
    """Return the scores of a cell.

    Args:
        cell: id of the cell.
        nme: NME of the common faces, percent ``[N]``.
        masks: the subsets, bool ``[N]`` each.
        rates: names of FR and AUC, such as ``fr10`` and ``auc10``.
    """
    by_subset = {subset: float(nme[mask].mean()) for subset, mask in masks.items()}
    return CellScores(cell, by_subset, {name: metrics.measure(nme, name) for name in rates})
