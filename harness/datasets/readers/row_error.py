"""What can be wrong with a row of an annotation file."""

from __future__ import annotations

from typing import Literal

from nmebench.errors import InputError

__all__ = ["Code", "RowError"]

Code = Literal["columns", "number", "decimal-comma", "not-finite", "out-of-range", "attribute", "image-name", "path"]


class RowError(InputError):
    """A row that can't be used: the message names file and line, the code what kind of fault it is."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code: Code = code
        self.line: int | None = None

    def at(self, line: int) -> RowError:
        """The same error, knowing its line (or its position in a json)."""
        self.line = line
        return self

    def __reduce__(self) -> tuple[type[RowError], tuple[Code, str], dict[str, int | None]]:
        """Pickled with both arguments, for worker processes."""
        return type(self), (self.code, str(self)), {"line": self.line}
