"""Absolute limits: numbers that a cell must not pass, whatever the baseline says."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.errors import InputError

__all__ = ["Limit"]

Metric = Literal["nme", "fr10", "auc10"]

_FORM = re.compile(
    r"(?:(?P<cell>[^/]+)/)?(?P<metric>[a-z0-9]+)(?:@(?P<subset>[\w-]+))?\s*(?P<sign><=|>=)\s*(?P<value>\S+)"
)


@dataclass(frozen=True)
class Limit:
    """``[CELL/]METRIC[@SUBSET]<=VALUE``: NME and FR (percent) have a largest value, AUC (a fraction) a least one."""

    metric: Metric
    value: float
    cell: str = "*"
    """Pattern of cell names."""
    subset: str = "test"

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read ``nme<=4.0``, ``nme@pose<=7``, ``synthnet*/auc10>=0.6``.

        Raises:
            InputError: the text isn't of that form.
        """
        match = _FORM.fullmatch(text.strip())
        form = "write [CELL/]METRIC[@SUBSET]<=VALUE such as nme<=4.0, nme@pose<=7 or auc10>=0.6"
        if match is None:
            raise InputError(f"limit {text!r}: not of the form; {form}")
        metric, sign = match["metric"], match["sign"]
        wanted = {"nme": "<=", "fr10": "<=", "auc10": ">="}
        if metric not in wanted:
            raise InputError(f"limit {text!r}: no metric {metric!r}, allowed: {', '.join(wanted)}")
        if sign != wanted[metric]:
            raise InputError(f"limit {text!r}: {metric} is limited by {wanted[metric]}; {form}")
        try:
            value = float(match["value"])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"limit {text!r}: {match['value']!r} is no finite number; {form}")
        return cls(metric, value, match["cell"] or "*", match["subset"] or "test")  # type: ignore[arg-type]

    def __str__(self) -> str:
        cell = "" if self.cell == "*" else f"{self.cell}/"
        subset = "" if self.subset == "test" else f"@{self.subset}"
        return f"{cell}{self.metric}{subset}{'>=' if self.metric == 'auc10' else '<='}{self.value:g}"

    def applies(self, cell: str) -> bool:
        """Whether the limit is one for this cell."""
        return fnmatchcase(cell, self.cell)

    def broken(self, nme: NDArray[np.float64]) -> str | None:
        """What is wrong with a cell whose faces have this NME (percent ``[N]``); None when all is well."""
        if self.metric == "auc10":
            measured = metrics.auc(nme)
            return f"{self}: AUC is {measured:.4f}" if measured < self.value else None
        measured = float(nme.mean()) if self.metric == "nme" else metrics.failure_rate(nme)
        return (
            f"{self}: {'NME' if self.metric == 'nme' else 'FR'} is {measured:.4f} %" if measured > self.value else None
        )
