"""Runs a cell of a stored sweep again with some settings changed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nmebench.checks.causes import Overrides
from nmebench.checks.diagnose import Rerun
from nmebench.models.card import MEMORY
from nmebench.protocol import DIRECT
from nmebench.runs.run_record import CellRecord
from nmebench.runs.run_store import Run

__all__ = ["make_rerun"]


def make_rerun(run: Run) -> Rerun | None:
    """Return a function that measures a cell of a run again with other settings.

    Each call sweeps the cell's network over the run's dataset in a temporary folder and returns the NME by subset
    (percent). The run itself is not changed.

    Args:
        run: the run whose configuration is repeated.

    Returns:
        The function, for :func:`nmebench.checks.explain`; None for a run made by ``nmebench score``, because it has no
        network to run, and for a run of a network in memory, which no file can bring back.
    """
    in_memory = any(model.architecture.startswith(MEMORY) for model in run.record.models)
    if run.record.kind != "sweep" or in_memory:
        return None

    def rerun(cell: CellRecord, overrides: Overrides) -> dict[str, float]:
        from nmebench.sweep import execute  # loads torch: only when a rerun is needed
        from nmebench.sweep.configuration import validate

        configuration = validate(_configuration_of(run, cell, overrides), where="the alternative")
        with tempfile.TemporaryDirectory(prefix="nmebench-") as folder:
            alternative = execute(configuration, Path(folder) / "run")
            return {row["subset"]: float(row["nme"]) for row in alternative.score_rows()}

    return rerun


def _configuration_of(run: Run, cell: CellRecord, overrides: Overrides) -> dict[str, Any]:
    """The run's configuration reduced to one cell, with the overrides applied."""
    configuration: Mapping[str, Any] = run.record.configuration
    request = next(
        request
        for request, model in zip(configuration["models"], run.record.models, strict=True)
        if model.name == cell.model
    )
    one_cell = {
        "models": [request],
        "decoders": [] if cell.decoder == DIRECT else [cell.decoder],
        "flip": [cell.flip],
        "boxes": [cell.box],
        "pictures": False,
    }
    changed = {key: list(value) if isinstance(value, tuple) else value for key, value in overrides.items()}
    return {**configuration, **one_cell, **changed}
