"""The one error that a user is meant to read."""

from __future__ import annotations

__all__ = ["InputError"]


class InputError(ValueError):
    """Something that a user gave can't be used.

    The message is one line that names the value, what was allowed and the way out. The command line prints it
    without a traceback and exits with 2. The layers below (``decoders``, ``models``) raise their own subclasses of
    ``ValueError``, which the command line treats alike.
    """
