"""Absolute limits for the metrics of a cell, independent of the baseline."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.errors import InputError
from nmebench.protocol import METRICS, MetricName

__all__ = ["Limit"]

_FORM = re.compile(
    r"(?:(?P<cell>[^/]+)/)?(?P<metric>[a-z0-9]+)(?:@(?P<subset>[\w-]+))?\s*(?P<sign><=|>=)\s*(?P<value>\S+)"
)

#: The sign of a limit: the largest allowed value of NME and FR, the smallest of AUC.
_SIGNS: Mapping[MetricName, str] = {"nme": "<=", "fr10": "<=", "auc10": ">="}

_NAMES: Mapping[MetricName, str] = {"nme": "NME", "fr10": "FR"}


@dataclass(frozen=True)
class Limit:
    """A limit ``[CELL/]METRIC[@SUBSET]<=VALUE``: an upper one for NME and FR (percent), a lower one for AUC (fraction).

    Example:
        >>> limit = Limit.parse("nme@pose<=7")
        >>> limit.metric, limit.subset, limit.value
        ('nme', 'pose', 7.0)
        >>> Limit.parse("nme<=4").violation(np.array([3.0, 7.0]))
        'nme<=4: NME is 5.0000 %'
    """

    metric: MetricName
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
        if match is None:
            raise InputError(f"limit {text!r}: can't be parsed; {form}")
        metric = next((name for name in METRICS if name == match["metric"]), None)
        if metric is None:
            raise InputError(f"limit {text!r}: no metric {match['metric']!r}, allowed: {', '.join(METRICS)}")
        if match["sign"] != _SIGNS[metric]:
            raise InputError(f"limit {text!r}: {metric} is limited by {_SIGNS[metric]}; {form}")
        try:
            value = float(match["value"])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"limit {text!r}: {match['value']!r} is not a finite number; {form}")
        return cls(metric, value, match["cell"] or "*", match["subset"] or "test")

    def __str__(self) -> str:
        cell = "" if self.cell == "*" else f"{self.cell}/"
        subset = "" if self.subset == "test" else f"@{self.subset}"
        number = repr(self.value).removesuffix(".0")  # exact: a stored limit is read again
        return f"{cell}{self.metric}{subset}{_SIGNS[self.metric]}{number}"

    def applies(self, cell: str) -> bool:
        """Return True when the limit applies to a cell with this id."""
        return fnmatchcase(cell, self.cell)

    def measure(self, nme: NDArray[np.float64]) -> str:
        """Describe the metric of a cell whose faces have this NME (percent ``[N]``), behind the limit."""
        value = self._value(nme)
        return (
            f"{self}: AUC is {value:.4f}"
            if self.metric == "auc10"
            else f"{self}: {_NAMES[self.metric]} is {value:.4f} %"
        )

    def violation(self, nme: NDArray[np.float64]) -> str | None:
        """Describe how a cell whose faces have this NME (percent ``[N]``) breaks the limit; None if it doesn't."""
        value = self._value(nme)
        broken = value < self.value if self.metric == "auc10" else value > self.value
        return self.measure(nme) if broken else None

    def _value(self, nme: NDArray[np.float64]) -> float:
        if self.metric == "auc10":
            return metrics.auc(nme)
        return float(nme.mean()) if self.metric == "nme" else metrics.failure_rate(nme)
