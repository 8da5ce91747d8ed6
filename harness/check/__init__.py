"""Reported numbers against measured ones: reproduced, deviates, not comparable (and why), not run.

``check`` compares; ``diagnose`` and ``explain`` say what may have caused a deviation and test what can be tested.
"""

from __future__ import annotations

from nmebench.check.check import check
from nmebench.check.diagnose import Rerun, diagnose, explain
from nmebench.check.verdict import CauseFinding, Status, Verdict, VerdictRow

__all__ = ["CauseFinding", "Rerun", "Status", "Verdict", "VerdictRow", "check", "diagnose", "explain"]
