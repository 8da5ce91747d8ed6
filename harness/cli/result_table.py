"""A table of results as lines of text that fit a width: numbers are never broken, texts are wrapped between words."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.cells import cell_len

from nmebench.printable import shown

__all__ = ["ResultTable", "wrapped"]

_NUMBER: Final = re.compile(r"[-+]?[\d.,:%×x ()\[\]e+-]*\d[\d.,:%×x ()\[\]e+-]*")
"""Texts that are numbers, such as ``5.286``, ``6.294 (9)`` and ``+0.1 [0.0, 0.2]``; ``-`` alone is a missing one."""

_TOGETHER: Final = re.compile(r"[-+]?\d[\d.]*(?:e[-+]?\d+)?(?: \[[-+\d.e]+, [-+\d.e]+\]| (?:%|px|ms|s|GiB)(?![\w]))+")
"""A number with its interval and unit, which stay on one line."""

_JOINED: Final = "\x00"
"""Stands for a space at which a line isn't broken; a printed text has no such character."""

_GAP: Final = "  "

_NARROWEST: Final = 16
"""Characters to which a column of texts may be wrapped."""


@dataclass
class ResultTable:
    """Rows of texts with a title. Numbers are aligned to the right, texts to the left."""

    title: str
    columns: tuple[str, ...]
    optional: tuple[str, ...] = ()
    """Columns that may be left out where the width is too small, the first one first."""
    short: Mapping[str, str] = field(default_factory=dict)
    """Short names of columns, which are used where the width is too small."""
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add_row(self, *cells: str) -> None:
        """Add a row with one text per column.

        Raises:
            ValueError: the number of texts is not the number of columns.
        """
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} cells for {len(self.columns)} columns")
        self.rows.append(tuple(shown(cell) for cell in cells))

    def without(self, columns: tuple[str, ...]) -> ResultTable:
        """Return the table without some columns.

        Args:
            columns: names; those that the table doesn't have are ignored.
        """
        kept = [number for number, name in enumerate(self.columns) if name not in columns]
        names = tuple(self.columns[number] for number in kept)
        rows = [tuple(row[number] for number in kept) for row in self.rows]
        return ResultTable(self.title, names, self.optional, self.short, rows)

    def records(self) -> list[dict[str, str]]:
        """Return the rows as dictionaries by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def lines(self, width: int | None = None) -> list[str]:
        """Return the table as lines without trailing spaces.

        Where it is too wide, texts with one value for all rows move into a line above the table, columns get their
        short names, and optional columns are left out. Then texts are wrapped between words. If that is not enough,
        each row becomes a block with one line per column.

        Args:
            width: number of characters of a line; None for no limit.

        Example:
            >>> table = ResultTable("scores", ("model", "NME"))
            >>> table.add_row("net", "5.286")
            >>> table.add_row("another-net", "12.1")
            >>> print("\\n".join(table.lines(80)))
            scores
            model          NME
            net          5.286
            another-net   12.1
            >>> table.lines(12)[1:4]
            ['model  net', 'NME    5.286', '']
        """
        title = [] if not self.title else [self.title] if width is None else wrapped(self.title, width)
        every = list(range(len(self.columns)))
        if width is None:
            return [*title, *self._grid(every, None)]
        for wrap in (False, True):
            for dropped in range(len(self.optional) + 1):
                kept = [c for c in every if self.columns[c] not in self.optional[:dropped]]
                constant = self._constant(kept)
                moved = [c for c in kept if c not in constant]
                for columns, brief in ((kept, False), (moved, False), (moved, True)):
                    table = self._renamed() if brief else self
                    if (table._smallest_line(columns) if wrap else table._natural(columns)) > width:
                        continue
                    above = ", ".join(f"{self.columns[c]} {self.rows[0][c]}" for c in kept if c not in columns)
                    heading = wrapped(above, width) if above else []
                    remark = _remark(self.optional[:dropped], width)
                    return [*title, *heading, *table._grid(columns, width), *remark]
        return [*title, *self._blocks(every, width)]

    def _renamed(self) -> ResultTable:
        """The table with the short names of its columns."""
        names = tuple(self.short.get(name, name) for name in self.columns)
        return ResultTable(self.title, names, self.optional, self.short, self.rows)

    def _constant(self, columns: Sequence[int]) -> list[int]:
        """Columns of texts with one value in all of several rows; another column of texts must remain."""
        texts = [column for column in columns if not self._is_number(column)]
        if len(self.rows) < 2:
            return []
        found = [column for column in texts if len({row[column] for row in self.rows}) == 1]
        return found if len(found) < len(texts) else []

    def _is_number(self, column: int) -> bool:
        cells = [row[column] for row in self.rows]
        values = [cell for cell in cells if cell not in ("-", "")]
        return bool(values) and all(_NUMBER.fullmatch(cell) for cell in values)

    def _cells(self, column: int) -> list[str]:
        return [self.columns[column], *(row[column] for row in self.rows)]

    def _longest(self, column: int) -> int:
        return max(cell_len(cell) for cell in self._cells(column))

    def _natural(self, columns: Sequence[int]) -> int:
        return sum(map(self._longest, columns)) + len(_GAP) * (len(columns) - 1)

    def _smallest(self, column: int) -> int:
        """Characters that a column needs: of its longest number, or of the longest word of its texts."""
        if self._is_number(column):
            return self._longest(column)
        words = max((cell_len(word) for cell in self._cells(column) for word in cell.split()), default=1)
        return max(words, min(_NARROWEST, self._longest(column)))

    def _smallest_line(self, columns: Sequence[int]) -> int:
        return sum(map(self._smallest, columns)) + len(_GAP) * (len(columns) - 1)

    def _widths(self, columns: Sequence[int], width: int | None) -> dict[int, int]:
        """The width of each column: the longest text, reduced from the widest on until the line fits."""
        widths = {column: self._longest(column) for column in columns}
        if width is None:
            return widths
        while sum(widths.values()) + len(_GAP) * (len(columns) - 1) > width:
            widest = max((c for c in columns if widths[c] > self._smallest(c)), key=lambda c: widths[c])
            widths[widest] -= 1
        return widths

    def _grid(self, columns: Sequence[int], width: int | None) -> list[str]:
        widths = self._widths(columns, width)
        numbers = {column for column in columns if self._is_number(column)}
        out = []
        for row in (self.columns, *self.rows):
            parts = {column: _wrapped_cell(row[column], widths[column]) for column in columns}
            for line in range(max(map(len, parts.values()), default=0)):
                cells = []
                for column in columns:
                    text = parts[column][line] if line < len(parts[column]) else ""
                    fill = " " * (widths[column] - cell_len(text))
                    cells.append(fill + text if column in numbers else text + fill)
                out.append(_GAP.join(cells).rstrip())
        return out

    def _blocks(self, columns: Sequence[int], width: int) -> list[str]:
        indent = max(cell_len(self.columns[column]) for column in columns) + len(_GAP)
        out = []
        for number, row in enumerate(self.rows):
            out += [""] if number else []
            for column in columns:
                label = self.columns[column]
                text = _wrapped_cell(row[column], max(width - indent, 1))
                out.append((label + " " * (indent - cell_len(label)) + text[0]).rstrip())
                out += [" " * indent + line for line in text[1:]]
        return out


def _remark(left_out: Sequence[str], width: int) -> list[str]:
    return wrapped(f"(without {', '.join(left_out)}; --verbose shows every column)", width) if left_out else []


def _wrapped_cell(text: str, width: int) -> list[str]:
    if cell_len(text) <= width or _NUMBER.fullmatch(text):
        return [text]
    return _broken(text, width, "") or [""]


def _broken(text: str, width: int, indent: str) -> list[str]:
    """Break a text between words; later lines are indented."""
    joined = _TOGETHER.sub(lambda found: found[0].replace(" ", _JOINED), text)
    lines = textwrap.wrap(joined, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_JOINED, " ") for line in lines]


def wrapped(text: str, width: int | None) -> list[str]:
    """Return text as lines of at most ``width`` characters; words, numbers with their unit and paths are never broken.

    Lines after the first are indented by two spaces more than the first.

    Example:
        >>> wrapped("NME 5.286 % of RUN", 12)
        ['NME 5.286 %', '  of RUN']
        >>> wrapped("  net: +0.3 [0.1, 0.5] points", 20)
        ['  net:', '    +0.3 [0.1, 0.5]', '    points']
        >>> wrapped("one line", None)
        ['one line']
    """
    if width is None or cell_len(text) <= width:
        return [text]
    indent = text[: len(text) - len(text.lstrip(" "))]
    return _broken(text, width, indent + "  ")
