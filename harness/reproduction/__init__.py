"""The embedded benchmark: its sweep, its committed table of expected results, and the comparison with that table."""

from nmebench.reproduction.embedded import embedded_configuration, shipped_networks
from nmebench.reproduction.expected import EXPECTED, ExpectedCell, check_expected, read_expected, write_expected

__all__ = [
    "EXPECTED",
    "ExpectedCell",
    "check_expected",
    "embedded_configuration",
    "read_expected",
    "shipped_networks",
    "write_expected",
]
