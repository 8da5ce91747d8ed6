"""Landmarks as a caller has them (arrays, tensors, data frames), as float64 arrays ``[N, K, 2]``."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nmebench.errors import InputError

__all__ = ["as_landmarks"]


def as_landmarks(value: Any, points: int, what: str) -> NDArray[np.float64]:
    """Return landmarks as float64.

    Args:
        value: a numpy array, torch tensor or nested list of shape ``[N, K, 2]``; or a pandas DataFrame with a row per
            face and the columns ``x0, y0, x1, y1, ...`` in any order, other columns are ignored.
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
        value = value[columns].to_numpy().reshape(len(value), points, 2)
    torch = sys.modules.get("torch")  # a tensor can't exist before torch was imported
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().to("cpu", torch.float64).numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"{what}: is no array of shape [N, {points}, 2] ({error})") from error
    if array.dtype.kind not in "fiu":
        raise InputError(f"{what}: has type {array.dtype}; landmarks must be numbers, in image px")
    if array.ndim != 3 or array.shape[1:] != (points, 2):
        raise InputError(f"{what}: has shape {list(array.shape)}; landmarks must be [N, {points}, 2], in image px")
    return np.ascontiguousarray(array, np.float64)  # the order of additions depends on the layout in memory
