"""A file of thumbnails that doesn't have one picture and map per face is damaged."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nmebench.errors import InputError
from nmebench.runs.run_store import Run


@pytest.mark.parametrize(
    ("warp", "message"),
    [
        pytest.param(lambda row: [[value] * 6 for value in row], "has the type list", id="lists of lists"),
        pytest.param(lambda row: [int(value) for value in row], "has the type list", id="whole numbers"),
        pytest.param(lambda row: [*row[:5], None], "lacks a number", id="missing number"),
        pytest.param(lambda row: row[:5], "one picture per face", id="five numbers"),
    ],
)
def test_thumbnails_with_another_map_are_damaged(run: Run, warp: Callable[[list[float]], object], message: str) -> None:
    file = run.path / "thumbnails.parquet"
    table = pq.read_table(file, use_threads=False, pre_buffer=False)
    changed = pa.array([warp(row) for row in table.column("warp").to_pylist()])
    place = table.column_names.index("warp")
    pq.write_table(table.set_column(place, "warp", changed), file)
    with pytest.raises(InputError, match=rf"thumbnails.parquet: damaged .*{message}"):
        _ = Run.open(run.path).thumbnails
