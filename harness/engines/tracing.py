"""Values that tracing a network replaces by constants, with their places in the network's code.

A tracer runs a network once and records its tensor operations. A Python value that was made from a tensor, such as
``len(x)`` or the condition of an ``if``, isn't recorded: it stays what it was for the example.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from torch.jit import TracerWarning  # type: ignore[attr-defined]

from nmebench.own_code import is_library

__all__ = ["constants_of_tracing"]

#: By the beginning of the tracer's warning: the value that became a constant.
_VALUES: Final = (
    (re.compile(r"Using len to get tensor shape"), "len(...)"),
    (re.compile(r"Converting a tensor to a Python index"), "a tensor as an index"),
    (re.compile(r"Converting a tensor to a Python boolean"), "a condition on a tensor"),
    (re.compile(r"Converting a tensor to a (?:Python )?(.+?) might cause"), r"a tensor as a Python \1"),
    (re.compile(r"Iterating over a tensor"), "a loop over a tensor"),
    (re.compile(r"torch\.(\w+) results are registered as constants"), r"torch.\1(...)"),
)


@contextmanager
def constants_of_tracing() -> Iterator[list[str]]:
    """Collect what tracing makes a constant in code that isn't a library's, and drop all warnings of the block.

    Yields:
        One entry per value and line, such as ``len(...) in net.py:8``; it is filled when the block ends.
    """
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield found
        finally:
            for warning in caught:
                if issubclass(warning.category, TracerWarning) and not is_library(warning.filename):
                    entry = f"{_value(str(warning.message))} in {Path(warning.filename).name}:{warning.lineno}"
                    if entry not in found:
                        found.append(entry)


def _value(message: str) -> str:
    """The value that a warning of the tracer is about."""
    for pattern, words in _VALUES:
        if match := pattern.match(message):
            return match.expand(words).replace("Python NumPy", "NumPy")
    return "a Python value"
