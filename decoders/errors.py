"""The error class of decoders."""

from __future__ import annotations

from nmebench.errors import InputError

__all__ = ["DecoderError"]


class DecoderError(InputError):
    """Raised for an unknown decoder, a wrong option or a network output that a decoder can't read.

    Example:
        >>> from nmebench import decoders
        >>> try:
        ...     decoders.create("drak")
        ... except decoders.DecoderError as error:
        ...     print(str(error).partition(" (")[0])
        unknown decoder 'drak'; did you mean 'dark'?
    """
