"""A table as values: columns, and rows of texts and numbers. The formats decide how they are written."""

from __future__ import annotations

from dataclasses import dataclass

from nmebench.reports.render.text import DASH, number

__all__ = ["Column", "Table", "Value"]


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    name: str
    numeric: bool = False
    """True for a column of numbers, which is right-aligned."""
    interval: bool = False
    """True if the numbers of the column have intervals."""


@dataclass(frozen=True)
class Value:
    """A number of a table with the number of decimals to print, or the word that stands in its place."""

    value: float | None
    decimals: int
    low: float | None = None
    high: float | None = None
    word: str = ""
    """Printed in place of the number, such as ``diverged on 2 faces``."""

    @property
    def text(self) -> str:
        """The number, the word, or a dash for a number that doesn't exist.

        Example:
            >>> Value(3.98, 3).text, Value(None, 3).text, Value(121188.0, 3, word="diverged").text
            ('3.980', '–', 'diverged')
        """
        return self.word or number(self.value, self.decimals)

    @property
    def interval(self) -> tuple[str, str] | None:
        """Both ends of the interval as texts; None without one."""
        if self.word or self.low is None or self.high is None:
            return None
        ends = (number(self.low, self.decimals), number(self.high, self.decimals))
        return None if DASH in ends else ends


@dataclass(frozen=True)
class Table:
    """A table: one text or :class:`Value` per row and column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Value, ...], ...]
    source: str = ""
    """One line on the data and the versions behind the numbers."""
