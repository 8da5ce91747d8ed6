"""The error classes of models."""

from __future__ import annotations

from nmebench.errors import InputError

__all__ = ["CardError", "CheckpointError", "ModelError"]


class ModelError(InputError):
    """Raised for an unknown model or an option that it refuses."""


class CardError(ModelError):
    """Raised for a model card that can't be read; the message names the file and the field."""


class CheckpointError(ModelError):
    """Raised for weights that can't be loaded: incomplete, damaged, unsafe, or of another network."""
