"""Scores of landmarks in memory: :func:`evaluate` takes predictions and ground truth and returns all metrics."""

from __future__ import annotations

from nmebench.evaluation.evaluate_arrays import evaluate
from nmebench.evaluation.evaluation import Evaluation

__all__ = ["Evaluation", "evaluate"]
