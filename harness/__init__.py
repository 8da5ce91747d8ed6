"""Benchmark and reproducibility harness for face alignment.

The names of :data:`__all__` are imported on first use: ``import nmebench`` alone loads neither numpy nor torch.

Example:
    >>> import numpy as np
    >>> import nmebench as nb
    >>> gt = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (2, 98, 2))
    >>> nb.evaluate(gt, gt, scheme="wflw98").nme
    0.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nmebench.errors import InputError

if TYPE_CHECKING:
    from nmebench.evaluation.evaluate_arrays import evaluate
    from nmebench.evaluation.evaluation import Evaluation
    from nmebench.runs.load import load

__all__ = ["Evaluation", "InputError", "__version__", "evaluate", "load"]

__version__: str

_PLACES = {
    "Evaluation": "nmebench.evaluation.evaluation",
    "evaluate": "nmebench.evaluation.evaluate_arrays",
    "load": "nmebench.runs.load",
}
"""The module of each name that is imported on first use."""


def __getattr__(name: str) -> Any:
    """Import a public name, or look up the installed version, when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("nmebench")
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, those that were not imported yet included."""
    return sorted({*globals(), *__all__})
