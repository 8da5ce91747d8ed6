"""The id of a cell, which is also the name of its files."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_CELL_ID", "cell_id", "is_cell_id", "with_id_characters"]

MAX_CELL_ID: Final = 200
"""Characters of the longest cell id: file systems allow 255 bytes, of which a temporary file's name takes some."""

_CHARACTERS: Final = "a-z0-9.=+_-"


def cell_id(model: str, decoder: str, flip: str, box: str, mapping: str = "") -> str:
    """Return the id of a cell: lower-case letters, digits and ``.=+_-`` only.

    Args:
        model: the network's name.
        decoder: the decoder's spec.
        flip: the flip test.
        box: the box rule.
        mapping: the name of the point mapping; empty for a network of the data set's scheme.

    Example:
        >>> cell_id("My Net/2", "dark:kernel=17", "flip+shift", "landmarks")
        'my-net-2__dark-kernel=17__flip+shift__landmarks'
    """
    parts = (model, decoder, flip, box, mapping) if mapping else (model, decoder, flip, box)
    return "__".join(with_id_characters(part).strip("-.") for part in parts)


def with_id_characters(text: str) -> str:
    """Return a text in lower case, with ``-`` for all characters that a cell id can't have.

    Example:
        >>> with_id_characters("dark:kernel=17")
        'dark-kernel=17'
    """
    return re.sub(f"[^{_CHARACTERS}]+", "-", text.lower())


def is_cell_id(text: str) -> bool:
    """Return whether a text has only the characters of a cell id, so that it is safe as a file name.

    Example:
        >>> is_cell_id("net__dark__none__landmarks"), is_cell_id("../net")
        (True, False)
    """
    return re.fullmatch(f"[{_CHARACTERS}]+", text) is not None
