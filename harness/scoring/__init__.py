"""Scoring: from stored or imported landmarks to NME, FR and AUC per cell and subset."""

from nmebench.scoring.read_predictions import import_predictions
from nmebench.scoring.score_run import COLUMNS, score, subset_masks

__all__ = ["COLUMNS", "import_predictions", "score", "subset_masks"]
