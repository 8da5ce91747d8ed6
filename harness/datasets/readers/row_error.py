"""The error class for rows of an annotation file."""

from __future__ import annotations

from typing import Literal

from nmebench.errors import InputError

__all__ = ["RowError", "RowErrorCode"]

RowErrorCode = Literal[
    "columns", "number", "decimal-comma", "not-finite", "out-of-range", "attribute", "image-name", "path", "visibility"
]
"""The kind of fault; ``nmebench data verify`` reports it as the finding's code."""


class RowError(InputError):
    """Raised for a row that can't be used.

    The message names file and line.

    Attributes:
        code: the kind of fault.
        line: 1-based line of the list or csv, or position in the json; None where it is not known yet.
    """

    def __init__(self, code: RowErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: RowErrorCode = code
        self.line: int | None = None

    def at(self, line: int) -> RowError:
        """Set the line (or the position in a json) and return the error."""
        self.line = line
        return self

    def __reduce__(self) -> tuple[type[RowError], tuple[RowErrorCode, str], dict[str, int | None]]:
        """Pickle both arguments and the line: worker processes send errors to their parent."""
        return type(self), (self.code, str(self)), {"line": self.line}
