"""Scores of a run: NME, FR and AUC per cell and subset, with intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.datasets.paged_array import release_pages
from nmebench.metric_names import Metric, metric_names
from nmebench.protocol import in_table_order
from nmebench.runs.run_store import Run
from nmebench.scoring.diverged import store_diverged
from nmebench.scoring.face_errors import face_errors
from nmebench.scoring.point_subsets import point_columns, point_masks, point_scores
from nmebench.statistics.bootstrap import bootstrap_metrics

__all__ = ["columns", "score", "subset_masks"]

Array = NDArray[np.float64]


def columns(thresholds: Iterable[float], points: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the columns of ``scores.csv`` of a run with these thresholds, percent.

    NME and FR are percent, AUC is a fraction; ``_low`` and ``_high`` are 95 % intervals.

    Args:
        thresholds: thresholds of FR and AUC, percent.
        points: the columns on subsets of landmarks, from :func:`~nmebench.scoring.point_subsets.point_columns`.

    Example:
        >>> columns([8.0])[7:12]
        ('nme', 'fr8', 'auc8', 'fr8_count', 'expected_faces')
    """
    names = metric_names(thresholds)
    values = [part for name in names for part in ((name, _count_of(name)) if name.startswith("auc") else (name,))]
    return (
        "dataset",
        "subset",
        "faces",
        "model",
        "decoder",
        "flip",
        "box",
        *values,
        "expected_faces",
        *(f"{name}_{end}" for name in names for end in ("low", "high")),
        *points,
        "normaliser",
        "cell",
    )


def _count_of(auc: str) -> str:
    """The column with the number of faces that fail at the threshold of an AUC."""
    return f"{Metric('fr', Metric.parse(auc).threshold).name}_count"


def subset_masks(run: Run) -> dict[str, NDArray[np.bool_]]:
    """The faces of each subset of a run.

    Returns:
        Name to bool ``[N]``: ``test`` (all faces) first, WFLW's subsets in the order of published tables, then any
        others. A subset can be empty.
    """
    faces = run.faces
    stored = {name: np.asarray(mask, bool) for name, mask in faces.subsets.items()}
    masks = {"test": np.ones(len(faces), bool), **stored}
    return {name: masks[name] for name in in_table_order(masks)}


def score(run: Run, *, resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Score every cell on every subset from the stored landmarks.

    Writes ``per_face.parquet``, ``scores.csv`` and ``diverged.json`` into the run folder. It reads only that folder,
    so an old run can be scored again.

    Args:
        run: an open run whose cells have stored landmarks.
        resamples: number of bootstrap samples.
        seed: seed of the bootstrap.

    Returns:
        The content of ``scores.csv``: one row per cell and non-empty subset, with the columns of :func:`columns` for
        the run's thresholds.

    Raises:
        InputError: the landmarks of a cell are missing, have another shape than the ground truth, or give an NME that
            is not finite.
    """
    record = run.record
    errors = face_errors(run)
    per_face = {cell: found.nme for cell, found in errors.items()}
    names = metric_names(record.thresholds)
    failures = [metric for metric in map(Metric.parse, names) if metric.kind == "fr"]
    rows: list[dict[str, Any]] = []
    masks_of_points = point_masks(run)
    release_pages(run.faces.landmarks)
    all_nme = np.array(list(per_face.values())).reshape(len(per_face), len(run.faces))
    for subset, mask in subset_masks(run).items():
        if not mask.any() or not per_face:
            continue
        values, clusters = all_nme[:, mask], run.faces.clusters[mask]
        intervals = bootstrap_metrics(values, clusters, names, resamples=resamples, seed=seed)
        for index, cell in enumerate(record.cells):
            rows.append(
                {
                    "dataset": record.dataset.name,
                    "subset": subset,
                    "faces": int(mask.sum()),
                    "model": cell.model,
                    "decoder": cell.decoder,
                    "flip": cell.flip,
                    "box": cell.box,
                    **{name: metrics.measure(values[index], name) for name in names},
                    **{
                        f"{metric.name}_count": metrics.failures(values[index], metric.threshold or 0.0)
                        for metric in failures
                    },
                    "expected_faces": record.dataset.expected.get(subset),
                    **{f"{name}_low": i.low[index] for name, i in intervals.items()},
                    **{f"{name}_high": i.high[index] for name, i in intervals.items()},
                    **point_scores(errors[cell.id].points, masks_of_points, mask),
                    "normaliser": record.normaliser,
                    "cell": cell.id,
                }
            )
    order = {cell.id: index for index, cell in enumerate(record.cells)}
    rows.sort(key=lambda row: order[row["cell"]])  # the sort is stable: subsets keep their order
    scores = pd.DataFrame(rows, columns=list(columns(record.thresholds, point_columns(run)))).astype(
        {"expected_faces": "Int64"}
    )
    run.write_scores(scores, per_face)
    store_diverged(run, {cell: found.diverged for cell, found in errors.items()})
    return scores
