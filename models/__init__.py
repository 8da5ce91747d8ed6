"""Networks from input batches to heatmaps or landmarks, and the cards that describe them.

Importing this package imports neither torch nor timm; the first network that is made does.
"""

from __future__ import annotations

from nmebench.models import card
from nmebench.models.build import Built, build
from nmebench.models.errors import CardError, CheckpointError, ModelError
from nmebench.models.registry import ModelInfo, create, describe, names

__all__ = [
    "Built",
    "CardError",
    "CheckpointError",
    "ModelError",
    "ModelInfo",
    "build",
    "card",
    "create",
    "describe",
    "names",
]
