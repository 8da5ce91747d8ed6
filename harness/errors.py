"""The base class of errors for input that can't be used."""

from __future__ import annotations

from nmebench.printable import one_line

__all__ = ["InputError"]


class InputError(ValueError):
    """Input from the user can't be used: an option, a file, a name or an array.

    The message is one line that names the value, what was allowed and what to do. The command line prints it without a
    traceback and exits with 2. :class:`nmebench.decoders.DecoderError` and :class:`nmebench.models.ModelError` are
    subclasses.

    Example:
        >>> print(InputError("sweep.toml: 'flip' is 'x\\ny'"))
        sweep.toml: 'flip' is 'x y'
    """

    def __init__(self, message: str) -> None:
        """Store the message as :func:`~nmebench.printable.one_line`: values from files may be long or unprintable."""
        super().__init__(one_line(message))
