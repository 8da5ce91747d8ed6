"""The embedded benchmark: its sweeps, its committed table of expected results, and the comparison with that table."""

from nmebench.reproduction.embedded import (
    ENCODINGS,
    NETWORKS,
    embedded_configuration,
    encodings_configuration,
)
from nmebench.reproduction.expected import EXPECTED, ExpectedCell, check_expected, read_expected, write_expected

__all__ = [
    "ENCODINGS",
    "EXPECTED",
    "NETWORKS",
    "ExpectedCell",
    "check_expected",
    "embedded_configuration",
    "encodings_configuration",
    "read_expected",
    "write_expected",
]
