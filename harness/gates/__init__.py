"""Compares a run with a stored baseline; fails on regressions, broken limits, missing cells and changed protocols.

:func:`make_baseline` makes a baseline from a run, :func:`gate` compares a run with it, and :func:`lines`,
:func:`markdown` and :func:`junit` format the result. These functions return values; only :meth:`Baseline.write` writes.
"""

from __future__ import annotations

from nmebench.gates.baseline import Baseline, BaselineCell, make_baseline
from nmebench.gates.gate_run import compared_faces, gate, newly_diverged
from nmebench.gates.limits import Limit
from nmebench.gates.margin import DEFAULT_MARGIN, Margin
from nmebench.gates.output import junit, lines, markdown
from nmebench.gates.result import GateResult, GateRow, SubsetChange

__all__ = [
    "DEFAULT_MARGIN",
    "Baseline",
    "BaselineCell",
    "GateResult",
    "GateRow",
    "Limit",
    "Margin",
    "SubsetChange",
    "compared_faces",
    "gate",
    "junit",
    "lines",
    "make_baseline",
    "markdown",
    "newly_diverged",
]
