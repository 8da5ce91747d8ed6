"""The functions of the command line for Python: run, check, compare, gate, report.

``nmebench`` exports them. They share their code with the commands of the same name; results are objects with
``passed``, ``summary`` and ``frame``.
"""

from __future__ import annotations

from nmebench.api.checked_run import CheckedRun, check
from nmebench.api.compared_runs import ComparedRuns, compare
from nmebench.api.gated_run import GatedRun, gate
from nmebench.api.run_sweep import run
from nmebench.api.write_report import report

__all__ = ["CheckedRun", "ComparedRuns", "GatedRun", "check", "compare", "gate", "report", "run"]
