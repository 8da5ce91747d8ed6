"""Benchmark and reproducibility harness for face alignment.

Import the subpackages that you need, for example ``from nmebench.metrics import nme``; importing ``nmebench`` alone
loads none of them and neither numpy nor torch.
"""

from __future__ import annotations

from nmebench.errors import InputError

__all__ = ["InputError", "__version__"]

__version__: str


def __getattr__(name: str) -> str:
    """Look up the installed version when ``nmebench.__version__`` is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("nmebench")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
