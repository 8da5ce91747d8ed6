"""The errors that a model's user is meant to read."""

from __future__ import annotations

__all__ = ["CardError", "CheckpointError", "ModelError"]


class ModelError(ValueError):
    """An unknown model or a wrong option; the message is one line."""


class CardError(ModelError):
    """A model card that can't be read; names the file and the field."""


class CheckpointError(ModelError):
    """Weights that can't be loaded: foreign, incomplete, damaged or unsafe."""
