"""The gate: a run against a stored baseline. Fails on regressions, limits, missing cells and changed data or protocol.

``gate`` compares, ``make_baseline`` makes what it compares with; ``junit``, ``markdown`` and ``lines`` say the result.
"""

from __future__ import annotations

from nmebench.gate.baseline import Baseline, BaselineCell, make_baseline
from nmebench.gate.gate import DEFAULT_MARGIN, GateResult, GateRow, gate
from nmebench.gate.limits import Limit
from nmebench.gate.output import junit, lines, markdown

__all__ = [
    "DEFAULT_MARGIN",
    "Baseline",
    "BaselineCell",
    "GateResult",
    "GateRow",
    "Limit",
    "gate",
    "junit",
    "lines",
    "make_baseline",
    "markdown",
]
