"""Reported numbers against measured ones: reproduced, deviates, not comparable (and why), not run.

``check`` compares; ``diagnose`` and ``explain`` say what may have caused a deviation and test what can be tested.
"""

from __future__ import annotations

from harness.check.check import check
from harness.check.diagnose import Rerun, diagnose, explain
from harness.check.verdict import Finding, Row, Status, Verdict

__all__ = ["Finding", "Rerun", "Row", "Status", "Verdict", "check", "diagnose", "explain"]
