"""Compares reported numbers with measured ones and searches for the causes of deviations.

:func:`check` gives every reported number one of four results: reproduced, deviates, not comparable, or not run.
:func:`explain` adds the likely causes of each deviation and tests those that can be tested; :func:`make_rerun` gives it
a way to run the sweep again with other settings. These functions return values and write no files.
"""

from __future__ import annotations

from nmebench.checks.check_run import check
from nmebench.checks.diagnose import Rerun, diagnose, explain
from nmebench.checks.rerun import make_rerun
from nmebench.checks.verdict import CauseFinding, Status, Verdict, VerdictRow

__all__ = ["CauseFinding", "Rerun", "Status", "Verdict", "VerdictRow", "check", "diagnose", "explain", "make_rerun"]
