"""Training of heatmap networks: from a recipe (TOML) to weights, a log and a model card.

``nmebench train RECIPE.toml -o OUT`` calls :func:`train`. A face passes through :mod:`.face_cache` (drawn or read
once), :mod:`.augment`, :mod:`.loader` (batches from a second process), :mod:`.targets` (heatmaps), :mod:`.loop`
(optimiser steps) and :mod:`.export` (weights and card).
"""

from nmebench.training.loop import train
from nmebench.training.recipe import Recipe

__all__ = ["Recipe", "train"]
