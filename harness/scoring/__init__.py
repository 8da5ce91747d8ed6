"""Scoring: from stored or imported landmarks to NME, FR and AUC per cell and subset."""

from nmebench.scoring.cell_settings import (
    bad_maps,
    card_settings,
    cell_settings,
    declared_protocol,
    setting_differences,
)
from nmebench.scoring.diverged import DIVERGED, DivergedCell, diverged_cells
from nmebench.scoring.read_predictions import import_predictions
from nmebench.scoring.score_run import columns, score, subset_masks

__all__ = [
    "DIVERGED",
    "DivergedCell",
    "bad_maps",
    "card_settings",
    "cell_settings",
    "columns",
    "declared_protocol",
    "diverged_cells",
    "import_predictions",
    "score",
    "setting_differences",
    "subset_masks",
]
