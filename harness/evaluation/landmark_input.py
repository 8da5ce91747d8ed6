"""Landmarks as a caller has them (arrays, tensors, data frames), as float64 arrays ``[N, K, 2]``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nmebench.errors import InputError

__all__ = ["as_landmarks", "check_rows"]


def as_landmarks(value: Any, points: int, what: str) -> NDArray[np.float64]:
    """Return landmarks as float64.

    Args:
        value: a numpy array, torch tensor or nested list of shape ``[N, K, 2]``, where masked numbers are NaN; or a
            pandas DataFrame with a row per face and the columns ``x0, y0, x1, y1, ...`` in any order, other columns
            are ignored.
        points: K, the number of landmarks.
        what: the argument's name for messages.

    Returns:
        ``[N, K, 2]``, in the unit given.

    Raises:
        InputError: the shape or type is wrong, or a column is missing. No other layout is accepted, because
            ``[N, 2, K]`` and ``[N, 2 K]`` have several readings.

    Example:
        >>> as_landmarks([[[1, 2], [3, 4]]], 2, "pred").tolist()
        [[[1.0, 2.0], [3.0, 4.0]]]
        >>> as_landmarks(pd.DataFrame({"y0": [2], "x0": [1]}), 1, "pred").tolist()
        [[[1.0, 2.0]]]
    """
    if isinstance(value, pd.DataFrame):
        columns = [f"{axis}{point}" for point in range(points) for axis in "xy"]
        missing = [column for column in columns if column not in value.columns]
        if missing:
            raise InputError(
                f"{what}: the data frame has no column {missing[0]!r}; it needs x0, y0, ... x{points - 1}, "
                f"y{points - 1}"
            )
        chosen = value[columns]
        twice = chosen.columns[chosen.columns.duplicated()]
        if len(twice):
            raise InputError(f"{what}: the data frame has the column {twice[0]!r} twice; remove one of them")
        value = chosen.to_numpy().reshape(len(value), points, 2)
    try:
        if isinstance(value, list | tuple):
            value = [_from_tensor(one) for one in value]
        array: NDArray[Any] = np.ma.array(value) if _is_masked(value) else np.asarray(_from_tensor(value))
    except (ValueError, TypeError, RuntimeError) as error:
        why = str(error).partition("\n")[0][:200]
        raise InputError(f"{what}: is no array of shape [N, {points}, 2] ({why})") from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"{what}: has type {array.dtype}; landmarks must be numbers, in image px")
    if array.ndim != 3 or array.shape[1:] != (points, 2):
        raise InputError(f"{what}: has shape {list(array.shape)}; landmarks must be [N, {points}, 2], in image px")
    numbers: NDArray[np.float64] = np.ma.filled(array.astype(np.float64), np.nan)  # an array without a mask stays
    return np.ascontiguousarray(numbers)  # the order of additions depends on the layout in memory


def _from_tensor(value: Any) -> Any:
    """Return a tensor as an array on the CPU, and other values as they are."""
    torch = sys.modules.get("torch")  # a tensor can't exist before torch was imported
    if torch is None or not isinstance(value, torch.Tensor):
        return value
    return value.detach().to("cpu", torch.float64).numpy()


def _is_masked(value: Any) -> bool:
    """Return whether a value, or a part of a list, is a masked array: NumPy drops the mask without a word."""
    parts = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(part, np.ma.MaskedArray) for part in parts)


def check_rows(pred: Any, gt: Any, subsets: Mapping[str, Any]) -> None:
    """Check that data frames name the same face in each row, because rows are paired by their position.

    Args:
        pred: the predictions as the caller gave them.
        gt: the ground truth as the caller gave it.
        subsets: masks by the name of their subset.

    Raises:
        InputError: two data frames have different indexes or different names in the column ``image`` or ``face``, or a
            subset is a Series with another index.

    Example:
        >>> frame = pd.DataFrame({"image": ["a.jpg", "b.jpg"]})
        >>> check_rows(frame, frame.iloc[::-1], {})
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: pred and gt have different indexes: sort them alike, or call reset_index(drop=True)
    """
    frames = {what: frame for what, frame in (("pred", pred), ("gt", gt)) if isinstance(frame, pd.DataFrame)}
    for what, other in subsets.items():
        if not isinstance(other, pd.Series):
            continue
        indexes = [frame.index for frame in frames.values()] or [pd.RangeIndex(len(other))]
        # Without a data frame, an index of other labels says nothing about the rows of an array.
        same_labels = bool(frames) or indexes[0].equals(other.index.sort_values())
        if same_labels and not indexes[0].equals(other.index):
            raise InputError(
                f"subset {what!r} has another index than the faces: sort it alike, or call reset_index(drop=True)"
            )
    if len(frames) < 2 or len(pred) != len(gt):
        return
    if not pred.index.equals(gt.index):
        raise InputError("pred and gt have different indexes: sort them alike, or call reset_index(drop=True)")
    for column in ("image", "face"):
        if column in pred.columns and column in gt.columns:
            differ = np.flatnonzero(pred[column].to_numpy() != gt[column].to_numpy())
            if len(differ):
                raise InputError(
                    f"pred and gt have different values in the column {column!r}, first in row {int(differ[0])}: sort "
                    "them alike"
                )
