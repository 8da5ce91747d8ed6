"""The error class for input that can't be used."""

from __future__ import annotations

__all__ = ["InputError"]


class InputError(ValueError):
    """Raised when something that the user gave can't be used.

    The message is one line that names the value, what is allowed and the way out. The command line prints it without
    a traceback and exits with 2. :class:`nmebench.decoders.DecoderError` and :class:`nmebench.models.ModelError` are
    subclasses.
    """
