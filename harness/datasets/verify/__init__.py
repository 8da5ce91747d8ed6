"""Checks of a data set's files, one kind per file: the library behind ``nmebench data verify``."""

from nmebench.datasets.verify.report import Report, ServedProtocol, VerifyFinding
from nmebench.datasets.verify.verify_benchmark import verify_benchmark
from nmebench.datasets.verify.verify_data import verify

__all__ = ["Report", "ServedProtocol", "VerifyFinding", "verify", "verify_benchmark"]
