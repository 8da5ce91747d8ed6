"""The default job: the shipped networks on the embedded benchmark, held to a committed table."""

from nmebench.reproduction.embedded import embedded_configuration, shipped_networks
from nmebench.reproduction.expected import EXPECTED, ExpectedCell, compare, read_expected, write_expected

__all__ = [
    "EXPECTED",
    "ExpectedCell",
    "compare",
    "embedded_configuration",
    "read_expected",
    "shipped_networks",
    "write_expected",
]
