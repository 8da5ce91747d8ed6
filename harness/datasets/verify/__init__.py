"""Checks of a WFLW folder, one kind per file: the library behind ``nmebench data verify``."""

from nmebench.datasets.verify.report import Report, ServedProtocol, VerifyFinding
from nmebench.datasets.verify.verify_wflw import verify

__all__ = ["Report", "ServedProtocol", "VerifyFinding", "verify"]
