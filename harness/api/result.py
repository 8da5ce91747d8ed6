"""The part that the results of check, compare and gate share."""

from __future__ import annotations

import abc
from html import escape

import pandas as pd

__all__ = ["Result"]

_MOST_ROWS = 60
"""Rows of a table in a notebook; ``frame`` has all."""


class Result(abc.ABC):
    """A result with a verdict, a line and a table."""

    @property
    @abc.abstractmethod
    def exit_code(self) -> int:
        """The exit code of the command: 0 passed, 1 failed, 3 nothing was comparable."""

    @property
    @abc.abstractmethod
    def summary(self) -> str:
        """The result in one line."""

    @property
    @abc.abstractmethod
    def frame(self) -> pd.DataFrame:
        """The rows of the result."""

    @property
    def passed(self) -> bool:
        """True if the exit code of the command is 0."""
        return self.exit_code == 0

    def __str__(self) -> str:
        """Return the summary."""
        return self.summary

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary}>"

    def _repr_html_(self) -> str:
        """Return the verdict and the rows, for notebooks."""
        verdict = {0: "passed", 1: "failed"}.get(self.exit_code, "nothing comparable")
        frame = self.frame
        rest = (
            f"<p>{len(frame) - _MOST_ROWS} more rows are in <code>frame</code>.</p>" if len(frame) > _MOST_ROWS else ""
        )
        table = frame.head(_MOST_ROWS).to_html(
            index=False, escape=True, border=0, na_rep="", float_format=lambda value: f"{value:.4g}"
        )
        return f"<p><strong>{verdict}</strong>: {escape(self.summary)}</p>{table}{rest}"
