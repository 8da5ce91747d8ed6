"""Networks from input batches to heatmaps or landmarks, and the model cards that describe them.

Importing this package imports neither torch nor timm; creating a network does.
"""

from __future__ import annotations

from nmebench.models import card
from nmebench.models.build_network import Built, build
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
