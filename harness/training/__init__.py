"""Training of heatmap networks: a recipe (TOML) in; weights, a log and a model card out.

``train`` is what ``nmebench train RECIPE.toml -o OUT`` calls. The road of a face: :mod:`.pictures` draws or reads it
once, :mod:`.augment` moves it, :mod:`.loader` batches it in a second process, :mod:`.targets` draws its heatmaps,
:mod:`.loop` takes the step, :mod:`.export` writes what came out.
"""

from nmebench.training.loop import train
from nmebench.training.recipe import Recipe

__all__ = ["Recipe", "train"]
