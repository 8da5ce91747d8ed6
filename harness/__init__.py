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
    from nmebench.api.checked_run import CheckedRun, check
    from nmebench.api.compared_runs import ComparedRuns, compare
    from nmebench.api.gated_run import GatedRun, gate
    from nmebench.api.run_sweep import run
    from nmebench.api.write_report import report
    from nmebench.evaluation.evaluate_arrays import evaluate
    from nmebench.evaluation.evaluation import Evaluation
    from nmebench.models.model_in_memory import Model
    from nmebench.runs.load import load, load_sweep
    from nmebench.runs.run_store import Run
    from nmebench.runs.sweep_folder import SweepFolder

__all__ = [
    "CheckedRun",
    "ComparedRuns",
    "Evaluation",
    "GatedRun",
    "InputError",
    "Model",
    "Run",
    "SweepFolder",
    "__version__",
    "check",
    "compare",
    "evaluate",
    "gate",
    "load",
    "load_sweep",
    "report",
    "run",
]

__version__: str
"""The installed version."""

_PLACES = {
    "CheckedRun": "nmebench.api.checked_run",
    "ComparedRuns": "nmebench.api.compared_runs",
    "Evaluation": "nmebench.evaluation.evaluation",
    "GatedRun": "nmebench.api.gated_run",
    "Model": "nmebench.models.model_in_memory",
    "Run": "nmebench.runs.run_store",
    "SweepFolder": "nmebench.runs.sweep_folder",
    "check": "nmebench.api.checked_run",
    "compare": "nmebench.api.compared_runs",
    "evaluate": "nmebench.evaluation.evaluate_arrays",
    "gate": "nmebench.api.gated_run",
    "load": "nmebench.runs.load",
    "load_sweep": "nmebench.runs.load",
    "report": "nmebench.api.write_report",
    "run": "nmebench.api.run_sweep",
}
"""The module of each name that is imported on first use."""

_PACKAGES = frozenset(
    {
        *("boxes", "checks", "comparisons", "datasets", "decoders", "gates", "geometry", "history", "metrics"),
        *("models", "published", "reports", "runs", "statistics", "sweep", "synthface", "testing"),
    }
)
"""Subpackages that ``nmebench.NAME`` imports on first use, without an import statement of their own."""


def __getattr__(name: str) -> Any:
    """Import a public name, or look up the installed version, when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("nmebench")
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(_PLACES[name]), name)
    if name in _PACKAGES:
        from importlib import import_module

        return import_module(f"nmebench.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, those that were not imported yet included."""
    return sorted({*globals(), *__all__, *_PACKAGES})
