"""Scores: from raw landmarks to NME, FR and AUC by cell and subset."""

from nmebench.scoring.read_predictions import import_predictions
from nmebench.scoring.score_run import COLUMNS, score, subset_masks

__all__ = ["COLUMNS", "import_predictions", "score", "subset_masks"]
