"""The NME of every face under every cell of a run, and its file ``per_face.parquet``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from nmebench.runs.run_files import damaged
from nmebench.runs.stored_table import GROUP_ROWS, is_text, opened_table, write_groups

__all__ = ["read_per_face", "write_per_face"]

_FILE: Final = "per_face.parquet"

_SCHEMA: Final = pa.schema(
    {"cell": pa.dictionary(pa.int32(), pa.string()), "face": pa.int64(), "nme": pa.float64()},
)


def write_per_face(run: Path, per_face: Mapping[str, np.ndarray]) -> None:
    """Write ``per_face.parquet``: the rows of one cell after those of the other.

    Args:
        run: the run folder; it must exist.
        per_face: NME in percent, ``[N]`` by cell id.
    """
    write_groups(run, _FILE, _SCHEMA, _groups(per_face))


def _groups(per_face: Mapping[str, np.ndarray]) -> Iterator[pa.Table]:
    cells = [cell for cell, nme in per_face.items() if len(nme)]
    dictionary = pa.array(cells, pa.string())
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    held = 0
    empty = np.empty(0)

    def table() -> pa.Table:
        codes, faces, nme = (
            np.concatenate(part) for part in (zip(*parts, strict=True) if parts else ([empty], [empty], [empty]))
        )
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), dictionary),
            pa.array(faces.astype(np.int64)),
            pa.array(nme.astype(np.float64)),
        ]
        return pa.Table.from_arrays(columns, schema=_SCHEMA)

    for code, cell in enumerate(cells):
        nme = np.asarray(per_face[cell], np.float64)
        start = 0
        while start < len(nme):
            stop = min(len(nme), start + GROUP_ROWS - held)
            parts.append((np.full(stop - start, code, np.int32), np.arange(start, stop), nme[start:stop]))
            held += stop - start
            start = stop
            if held == GROUP_ROWS:
                yield table()
                parts, held = [], 0
    if parts or not cells:
        yield table()


def read_per_face(run: Path, cells: Sequence[str], faces: int) -> dict[str, np.ndarray]:
    """Return the NME of every face in percent, float64 ``[N]`` by cell id.

    Args:
        run: the run folder.
        cells: ids of the cells that ``run.json`` names.
        faces: N.

    Raises:
        InputError: the file can't be read, a cell has other faces, or an NME is not a finite number.
    """
    columns = {"cell": is_text, "face": pa.types.is_int64, "nme": pa.types.is_float64}
    found: dict[str, list[np.ndarray]] = {cell: [] for cell in cells}
    done = dict.fromkeys(cells, 0)
    with opened_table(run, _FILE, columns, dictionaries=["cell"]) as table:
        for group in table.groups(["cell", "face", "nme"]):
            names = group.column("cell").unify_dictionaries().combine_chunks()
            face, nme = group.column("face").to_numpy(), group.column("nme").to_numpy()
            codes = names.indices.to_numpy(zero_copy_only=False)
            for code, cell in enumerate(names.dictionary.to_pylist()):
                if cell not in done:
                    continue
                rows = codes == code
                expected = np.arange(done[cell], done[cell] + int(rows.sum()))
                if not np.array_equal(face[rows], expected):
                    raise damaged(run, _FILE, f"has other faces than run.json for the cell {cell}")
                if not np.isfinite(nme[rows]).all():
                    raise damaged(run, _FILE, f"an NME of the cell {cell} is not a finite number")
                found[cell].append(nme[rows])
                done[cell] += len(expected)
    for cell, count in done.items():
        if count != faces:
            raise damaged(run, _FILE, f"has other faces than run.json for the cell {cell}")
    return {cell: np.concatenate(parts) if parts else np.empty(0) for cell, parts in found.items()}
