"""Absolute limits for the metrics of a cell, independent of the baseline."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.errors import InputError
from nmebench.metric_names import NME, Metric

__all__ = ["Limit"]

_FORM = re.compile(
    r"(?:(?P<cell>[^/]+)/)?(?P<metric>[a-z0-9.]+)(?:@(?P<subset>[\w-]+))?\s*(?P<sign><=|>=)\s*(?P<value>\S+)"
)


@dataclass(frozen=True)
class Limit:
    """A limit ``[CELL/]METRIC[@SUBSET]<=VALUE``: an upper one for NME and FR (percent), a lower one for AUC (fraction).

    The threshold of FR and AUC is part of the metric's name, ``fr8``, and may be another than the run's.

    Example:
        >>> limit = Limit.parse("nme@pose<=7")
        >>> limit.metric, limit.subset, limit.value
        ('nme', 'pose', 7.0)
        >>> Limit.parse("nme<=4").violation(np.array([3.0, 7.0]))
        'nme<=4: NME is 5.0000 %'
    """

    metric: str
    """``nme``, or ``fr`` or ``auc`` with a threshold in percent, such as ``fr10`` and ``auc7.5``."""
    value: float
    cell: str = "*"
    """Pattern of cell ids, with ``*`` and ``?``."""
    subset: str = "test"

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Parse a text such as ``nme<=4.0``, ``nme@pose<=7`` or ``synthface*/auc10>=0.6``.

        Raises:
            InputError: the text has another form, or an unknown metric or sign.
        """
        match = _FORM.fullmatch(text.strip())
        form = "write [CELL/]METRIC[@SUBSET]<=VALUE such as nme<=4.0, nme@pose<=7 or auc10>=0.6"
        if match is None and _FORM.fullmatch(text.strip().lower()):
            raise InputError(f"limit {text!r}: write it in lower case, as {text.strip().lower()}")
        if match is None:
            raise InputError(f"limit {text!r}: can't be parsed; {form}")
        try:
            metric = Metric.parse(match["metric"])
        except InputError as error:
            raise InputError(f"limit {text!r}: {error}") from error
        if match["sign"] != _sign(metric):
            raise InputError(f"limit {text!r}: {metric.name} is limited by {_sign(metric)}; {form}")
        try:
            value = float(match["value"])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"limit {text!r}: {match['value']!r} is not a finite number; {form}")
        return cls(metric.name, value, match["cell"] or "*", match["subset"] or "test")

    def __str__(self) -> str:
        cell = "" if self.cell == "*" else f"{self.cell}/"
        subset = "" if self.subset == "test" else f"@{self.subset}"
        number = repr(self.value).removesuffix(".0")  # exact: a stored limit is read again
        return f"{cell}{self.metric}{subset}{_sign(Metric.parse(self.metric))}{number}"

    def applies(self, cell: str) -> bool:
        """Return True when the limit applies to a cell with this id."""
        return fnmatchcase(cell, self.cell)

    def check(self, cells: Iterable[str], subsets: Iterable[str]) -> None:
        """Check that the limit applies to some cell and names a subset of a run.

        Args:
            cells: ids of the run's cells, and of the baseline's.
            subsets: names of the subsets with faces.

        Raises:
            InputError: it does not.
        """
        known, masks = list(cells), list(subsets)
        if not any(self.applies(cell) for cell in known):
            raise InputError(f"limit {self}: matches no cell; cells: {', '.join(known)}")
        if self.subset not in masks:
            raise InputError(f"limit {self}: no subset {self.subset!r} in the run, which has: {', '.join(masks)}")

    def measure(self, nme: NDArray[np.float64]) -> str:
        """Describe the metric of a cell whose faces have this NME (percent ``[N]``), behind the limit."""
        metric = Metric.parse(self.metric)
        return f"{self}: {metric.title} is {self._value(nme):.4f}{' %' if metric.percent else ''}"

    def violation(self, nme: NDArray[np.float64]) -> str | None:
        """Describe how a cell whose faces have this NME (percent ``[N]``) breaks the limit; None if it doesn't."""
        value = self._value(nme)
        broken = value > self.value if Metric.parse(self.metric).lower_is_better else value < self.value
        return self.measure(nme) if broken else None

    def _value(self, nme: NDArray[np.float64]) -> float:
        return float(nme.mean()) if self.metric == NME else metrics.measure(nme, self.metric)


def _sign(metric: Metric) -> str:
    """The sign of a limit: the largest allowed value of NME and FR, the smallest of AUC."""
    return "<=" if metric.lower_is_better else ">="
