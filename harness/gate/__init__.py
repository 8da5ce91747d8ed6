"""Compares a run with a stored baseline; fails on regressions, broken limits, missing cells and changed protocols.

:func:`make_baseline` makes a baseline from a run, :func:`gate` compares a run with it, and :func:`lines`,
:func:`markdown` and :func:`junit` format the result. These functions return values; only :meth:`Baseline.write` writes.
"""

from __future__ import annotations

from nmebench.gate.baseline import Baseline, BaselineCell, make_baseline
from nmebench.gate.gate_run import DEFAULT_MARGIN, GateResult, GateRow, gate
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
