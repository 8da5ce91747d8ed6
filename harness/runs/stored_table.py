"""Reads and writes the parquet files of a run, a group of rows at a time, so that memory doesn't grow with the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from nmebench.bounded_read import open_bounded
from nmebench.errors import InputError
from nmebench.files import atomic_writer
from nmebench.printable import shown
from nmebench.runs.run_files import LARGEST, MOST_ROWS, damaged, way_out

__all__ = ["GROUP_ROWS", "StoredTable", "is_integer", "is_text", "opened_table", "write_groups"]

GROUP_ROWS: Final = 1 << 20
"""Rows of a group of a table with few numbers per row; pyarrow's own default."""

_Kind = Callable[[pa.DataType], bool]

_DAMAGED: Final = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


@dataclass(frozen=True)
class StoredTable:
    """An open parquet file whose columns have been checked."""

    run: Path
    name: str
    columns: Mapping[str, _Kind]
    rows: int
    """As the file claims; :meth:`groups` checks it."""
    file: pq.ParquetFile

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(self.file.schema_arrow.names)

    def column_type(self, name: str) -> pa.DataType:
        """The type of a column."""
        return self.file.schema_arrow.field(name).type

    @property
    def starts(self) -> list[int]:
        """The first row of each group, and the number of all rows."""
        starts = [0]
        for number in range(self.file.num_row_groups):
            starts.append(starts[-1] + self.file.metadata.row_group(number).num_rows)
        return starts

    def groups(self, only: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the groups of rows in their order, each of them checked.

        Args:
            only: names of columns; None for all.

        Raises:
            InputError: a part can't be read, has missing values in a required column, or lacks rows.
        """
        found = 0
        for number in range(self.file.num_row_groups):
            table = self.group(number, only)
            found += table.num_rows
            yield table
        if found != self.rows:
            raise damaged(self.run, self.name, f"has {found} rows, its end claims {self.rows}")

    def group(self, number: int, only: Sequence[str] | None = None) -> pa.Table:
        """Return a group of rows, in one thread; see :meth:`groups`.

        pyarrow's threads may still run when the interpreter exits, and then end the process with SIGABRT on a busy
        machine. Every parquet file is therefore read here, without them.
        """
        try:
            columns = None if only is None else list(only)
            table = self.file.read_row_group(number, columns=columns, use_threads=False)
            table.validate(full=True)
        except _DAMAGED as error:
            raise damaged(self.run, self.name, str(error)) from error
        for column in self.columns:
            if column in table.column_names and table.column(column).null_count:
                raise damaged(self.run, self.name, f"column {column!r} has missing values")
        return table


@contextmanager
def opened_table(
    run: Path, name: str, columns: Mapping[str, _Kind], *, dictionaries: Sequence[str] = ()
) -> Iterator[StoredTable]:
    """Open a parquet file of a run and check its columns.

    Args:
        run: the run folder.
        name: path of the file in the folder.
        columns: the columns that it must have, and the test of each one's type, such as ``pa.types.is_float64``.
        dictionaries: columns of texts that few values repeat in; they are read as numbers of these values.

    Raises:
        InputError: the file can't be read, or a column is missing, twice there or of another type.
    """
    try:
        stream = open_bounded(run / name, LARGEST)
    except InputError as error:
        raise InputError(f"{error}; {way_out(run, name)}") from error
    with stream:
        try:
            file = pq.ParquetFile(stream, pre_buffer=False, read_dictionary=list(dictionaries))
            names = file.schema_arrow.names
        except _DAMAGED as error:
            raise damaged(run, name, str(error)) from error
        if file.metadata.num_rows > MOST_ROWS:
            raise damaged(run, name, f"claims {file.metadata.num_rows:,} rows")
        repeated = next((column for column in names if names.count(column) > 1), None)
        if repeated is not None:
            raise damaged(run, name, f"has the column {shown(repeated)[:40]!r} twice")
        for column, is_right in columns.items():
            if column not in names:
                raise damaged(run, name, f"has no column {column!r}")
            kind = file.schema_arrow.field(column).type
            if not is_right(kind):
                raise damaged(run, name, f"column {column!r} has the type {kind}")
        yield StoredTable(run, name, columns, file.metadata.num_rows, file)


def write_groups(run: Path, name: str, schema: pa.Schema, groups: Iterable[pa.Table]) -> None:
    """Write a parquet file of a run, one group of rows in memory at a time.

    Args:
        run: the run folder; it must exist.
        name: path of the file in the folder.
        schema: the columns of every group.
        groups: the rows, at most :data:`GROUP_ROWS` in each.
    """
    with (
        atomic_writer(run / name) as file,
        pq.ParquetWriter(file, schema, compression="zstd", store_schema=False) as writer,
    ):
        for table in groups:
            writer.write_table(table)


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column holds texts, with or without a dictionary."""
    return bool(pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind))


def is_integer(kind: pa.DataType) -> bool:
    """Return whether a column holds whole numbers."""
    return bool(pa.types.is_integer(kind))
