"""The exit code of a check or gate of a sweep over several data sets: that of its worst run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["line", "worst"]

_WORDS: Final = {1: "failed", 3: "nothing comparable", 0: "passed"}
"""The exit codes of ``check`` and ``gate``, the worst one first."""


def worst(codes: Mapping[str, int]) -> int:
    """Return the exit code of a sweep from those of its runs: 1 before 3 before 0.

    Example:
        >>> worst({"wflw": 0, "300w": 3})
        3
    """
    return min(codes.values(), key=list(_WORDS).index)


def line(command: str, codes: Mapping[str, int]) -> str:
    """Return the last line of a command on a sweep, the worst runs first.

    Example:
        >>> line("gate", {"wflw": 0, "300w": 1})
        'gate of 2 runs: failed: 300w; passed: wflw'
    """
    parts = [
        f"{word}: {', '.join(run for run, found in codes.items() if found == code)}"
        for code, word in _WORDS.items()
        if code in codes.values()
    ]
    return f"{command} of {len(codes)} runs: {'; '.join(parts)}"
