"""The error class of decoders."""

from __future__ import annotations

from nmebench.errors import InputError

__all__ = ["DecoderError"]


class DecoderError(InputError):
    """Raised for an unknown decoder, a wrong option or an output that a decoder can't read."""
