"""Score predictions against ground truth, both in memory."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nmebench import metrics
from nmebench.datasets.unlabelled import check_placeholders
from nmebench.errors import InputError
from nmebench.evaluation.evaluation import Evaluation
from nmebench.evaluation.landmark_input import as_landmarks, check_rows
from nmebench.geometry import scheme as schemes
from nmebench.geometry.scheme import Scheme
from nmebench.metric_names import check_thresholds
from nmebench.printable import shown
from nmebench.protocol import THRESHOLD
from nmebench.scoring.plausibility import suspect_note
from nmebench.scoring.read_predictions import MAX_COORDINATE

__all__ = ["evaluate"]


def evaluate(
    pred: Any,
    gt: Any,
    *,
    scheme: str | Path | Scheme,
    normaliser: str | None = None,
    box_side: ArrayLike | None = None,
    subsets: Mapping[str, ArrayLike] | None = None,
    images: Sequence[str] | None = None,
    thresholds: float | Sequence[float] = THRESHOLD,
    name: str = "predictions",
) -> Evaluation:
    """Score predicted landmarks.

    The values equal those of ``nmebench score`` for the same predictions in every digit: as there, predictions are
    rounded to float32, and everything after that is float64.

    Args:
        pred: ``[N, K, 2]`` image px: a numpy array, a torch tensor, or a DataFrame with the columns ``x0, y0, ...``.
        gt: the ground truth in the same forms and units; NaN (or masked) for landmarks that are not labelled, which
            count in no score. Faces are paired by position, so two data frames need the same index.
        scheme: name of a landmark scheme (``wflw98``; see ``nmebench list schemes``), path of a scheme file, or a
            :class:`~nmebench.geometry.scheme.Scheme`.
        normaliser: one of the scheme's normalisers; None for its default, such as ``inter-ocular``.
        box_side: ``[N]`` image px, the side of each face's annotated box; needed for ``annotated-box`` only.
        subsets: bool ``[N]`` by name: groups of faces that :meth:`Evaluation.subset` gives scores of.
        images: ``[N]`` file names, for messages and :attr:`Evaluation.frame`; by default the faces are numbered. Faces
            of one photograph are resampled together in :meth:`Evaluation.interval`.
        thresholds: of FR and AUC in :attr:`Evaluation.scores`, percent; 10 for "NME above 0.10".
        name: name of the predictions in plots and tables.

    Returns:
        The scores: ``nme``, ``fr(8)``, ``auc(10)``, ``ced(...)``, ``frame`` (one row per face), ``scores`` (one row per
        subset), ``plot_ced()``.

    Warns:
        UserWarning: the predictions are probably in another unit, order or layout; the text is also in
            :attr:`Evaluation.notes`.

    Raises:
        InputError: the arrays don't fit the scheme or each other, a prediction is not finite, or the ground truth of a
            face gives no normaliser or has landmarks at (0, 0), as files write for landmarks without a position.

    Example:
        >>> gt = np.random.Generator(np.random.PCG64(0)).uniform(0, 256, (4, 98, 2))
        >>> result = evaluate(gt + [3.0, 4.0], gt, scheme="wflw98", normaliser="inter-ocular")
        >>> bool(np.isclose(result.nme, np.mean(100 * 5 / np.hypot(*(gt[:, 60] - gt[:, 72]).T))))
        True
    """
    chosen = _scheme(scheme)
    groups = _subsets(subsets)
    check_rows(pred, gt, groups)
    landmarks = as_landmarks(pred, chosen.points, "pred")
    truth = as_landmarks(gt, chosen.points, "gt")
    if len(landmarks) != len(truth):
        raise InputError(f"pred has {len(landmarks)} faces and gt {len(truth)}; give one prediction per face")
    if not len(truth):
        raise InputError("pred and gt hold no faces; give at least one")
    faces = _names(images, len(truth))
    _refuse(
        ~(np.abs(landmarks) <= MAX_COORDINATE).all(axis=(1, 2)),
        faces,
        f"a coordinate of pred is not finite, or beyond {MAX_COORDINATE:g} px; give all landmarks, in image px",
    )
    _refuse(np.isinf(truth).any(axis=(1, 2)), faces, "the ground truth is infinite; use NaN for unlabelled landmarks")
    missing = np.isnan(truth).sum(axis=2)
    _refuse(
        (missing == 1).any(axis=1),
        faces,
        "a landmark of gt has one coordinate; give both, or NaN for both",
    )
    sides = None if box_side is None else _sides(box_side, len(truth))
    chosen_name = chosen.default_normaliser if normaliser is None else normaliser
    lengths = schemes.normaliser(chosen, truth, chosen_name, box_side=sides)
    _refuse(
        ~(lengths > 0), faces, f"the normaliser {chosen_name!r} is not above 0; leave the face out, or choose another"
    )
    check_placeholders(truth, lambda face: f"gt: face {shown(faces[face])}", "write NaN for both coordinates")
    labelled = metrics.labelled(truth)
    errors = metrics.point_errors(landmarks.astype(np.float32), truth)
    note = suspect_note(landmarks, truth, lengths, flip=chosen.flip, name=name)
    if note is not None:
        warnings.warn(note, stacklevel=2)
    return Evaluation(
        name=name,
        scheme=chosen,
        normaliser=chosen_name,
        point_errors=100.0 * (errors / lengths[:, None]),
        per_face=metrics.nme(errors, lengths, labelled),
        images=faces,
        subsets={key: _mask(key, mask, len(truth)) for key, mask in groups.items()},
        numbered=images is None,
        notes=() if note is None else (note,),
        thresholds=check_thresholds([thresholds] if isinstance(thresholds, int | float) else thresholds),
    )


def _scheme(scheme: str | Path | Scheme) -> Scheme:
    if isinstance(scheme, Scheme):
        return scheme
    if not isinstance(scheme, str | Path):
        raise InputError(f"scheme: is {type(scheme).__name__}, expected a name such as wflw98, a TOML file or a Scheme")
    if isinstance(scheme, Path) or scheme.endswith(".toml"):
        return schemes.read(Path(scheme))
    return schemes.load(scheme)


def _subsets(subsets: Mapping[str, ArrayLike] | None) -> Mapping[str, ArrayLike]:
    """Check the names of the subsets."""
    if subsets is None:
        return {}
    if not isinstance(subsets, Mapping) or not all(isinstance(key, str) and key for key in subsets):
        raise InputError("subsets: expected a dictionary of masks by the name of the subset")
    return subsets


def _names(images: Sequence[str] | None, faces: int) -> tuple[str, ...]:
    if images is None:
        return tuple(str(number) for number in range(faces))
    if isinstance(images, str) or len(images) != faces:
        raise InputError(f"images: has {len(images)} names for {faces} faces; give one for each")
    return tuple(str(image) for image in images)


def _refuse(bad: ArrayLike, faces: Sequence[str], why: str) -> None:
    found = np.flatnonzero(bad)
    if len(found):
        others = f" and {len(found) - 1} others" if len(found) > 1 else ""
        raise InputError(f"face {shown(faces[found[0]])}{others}: {why}")


def _sides(values: ArrayLike, faces: int) -> NDArray[np.float64]:
    sides = np.asarray(values, np.float64)
    if sides.shape != (faces,):
        raise InputError(f"box_side: has shape {list(sides.shape)}; it must be [{faces}], image px")
    return sides


def _mask(name: str, values: ArrayLike, faces: int) -> NDArray[np.bool_]:
    mask = values.to_numpy() if isinstance(values, pd.Series) else np.asarray(values)
    if mask.dtype != bool or mask.shape != (faces,):
        raise InputError(
            f"subset {name!r}: has type {mask.dtype} and shape {list(mask.shape)}; it must be bool [{faces}], true for "
            "the faces of the subset"
        )
    if name == "test" and not mask.all():
        raise InputError("subset 'test': is the name of all faces; choose another name")
    return np.asarray(mask, bool)
