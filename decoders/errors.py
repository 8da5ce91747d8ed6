"""The error that a decoder's user is meant to read."""

from __future__ import annotations

__all__ = ["DecoderError"]


class DecoderError(ValueError):
    """An unknown decoder, a wrong option or an output that the decoder can't read; the message is one line."""
