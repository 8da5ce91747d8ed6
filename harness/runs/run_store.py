"""The run folder: everything that a sweep measured, sufficient to score and report it again.

Layout (schema version 1)::

    RUN/
      run.json              RunRecord: configuration, provenance, dataset, models, cells
      faces.parquet         one row per face: position, annotation line, image, subsets, ground truth, box, normaliser
      landmarks/CELL.npy    float32 [N, K, 2] image px, one file per cell
      confidence/CELL.npy   float32 [N, K], the decoder's scores, one file per cell
      per_face.parquet      one row per cell and face: NME in percent
      scores.csv            one row per cell and subset: NME, FR, AUC and their intervals
      diverged.json         the faces on which a cell diverged; old runs don't have it
      thumbnails.parquet    optional, one row per face: JPEG of the crop and the map from image px to it
      timings.json          seconds by stage; the only file that differs between two equal runs
      verdict.json          the result of ``nmebench check``; absent until it was run

Two runs of the same code, data and weights write the same bytes, except for ``timings.json`` and the
``provenance.host`` of ``run.json``.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.printable import shown
from nmebench.runs import run_files
from nmebench.runs.run_record import (
    SCHEMA_VERSION,
    CellRecord,
    CheckpointRecord,
    DatasetRecord,
    ModelRecord,
    Provenance,
    RunRecord,
)
from nmebench.suggest import similar_path

__all__ = [
    "MAX_CELL_ID",
    "SCHEMA_VERSION",
    "CellRecord",
    "CheckpointRecord",
    "DatasetRecord",
    "FaceTable",
    "ModelRecord",
    "Provenance",
    "Run",
    "RunRecord",
    "Thumbnail",
    "cell_id",
]


@dataclass(frozen=True)
class FaceTable:
    """The N faces of a run as arrays."""

    image: Sequence[str]
    """``[N]``: the image's path as the annotation file names it."""
    line: np.ndarray
    """int ``[N]``: the 1-based line, or position, in the annotation file."""
    landmarks: np.ndarray
    """``[N, K, 2]`` image px: the ground truth."""
    normaliser: np.ndarray
    """``[N]`` image px: the distance by which errors are divided."""
    subsets: Mapping[str, np.ndarray]
    """bool ``[N]`` by subset."""
    centre: np.ndarray
    """``[N, 2]`` image px: centre of the box of the run's first box rule."""
    size: np.ndarray
    """``[N, 2]`` image px: width and height of that box, padding included."""

    def __len__(self) -> int:
        """The number of faces."""
        return len(self.image)

    @cached_property
    def clusters(self) -> np.ndarray:
        """int ``[N]``: the number of each face's photograph. Faces of one photograph are not independent."""
        return np.unique(np.asarray(self.image, dtype=object).astype(str), return_inverse=True)[1]


@dataclass(frozen=True)
class Thumbnail:
    """The crop of one face as a small JPEG."""

    jpeg: bytes
    size: tuple[int, int]
    """Width, height in thumbnail px."""
    warp: np.ndarray
    """``[2, 3]``: the affine map from image px to thumbnail px."""


_FACE_NUMBERS = ("normaliser", "centre_x", "centre_y", "size_x", "size_y")


MAX_CELL_ID = 200
"""Characters of the longest cell id: file systems allow 255 bytes, of which a temporary file's name takes some."""


def cell_id(model: str, decoder: str, flip: str, box: str) -> str:
    """Return the id of a cell, which is also its file name: lower-case letters, digits and ``.=+_-`` only.

    Example:
        >>> cell_id("My Net/2", "dark:kernel=17", "flip+shift", "landmarks")
        'my-net-2__dark-kernel=17__flip+shift__landmarks'
    """
    parts = (re.sub(r"[^a-z0-9.=+_-]+", "-", part.lower()).strip("-.") for part in (model, decoder, flip, box))
    return "__".join(parts)


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", store_schema=False)
    return sink.getvalue()


def _npy(array: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.save(sink, np.ascontiguousarray(array), allow_pickle=False)
    return sink.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n"


@dataclass(frozen=True)
class Run:
    """A run folder; the module's docstring lists its files.

    :meth:`open` reads ``run.json`` and checks its version. Every other file is read on first access and cached:

    * ``faces.parquet`` by :attr:`faces`, ``thumbnails.parquet`` by :attr:`thumbnails`, ``timings.json`` by
      :attr:`timings`;
    * ``landmarks/CELL.npy`` by :meth:`landmarks` and ``confidence/CELL.npy`` by :meth:`confidence`, not cached;
    * ``scores.csv`` by :attr:`scores` and ``per_face.parquet`` by :attr:`per_face`;
    * ``verdict.json`` by :meth:`read_json`.

    :meth:`create`, :meth:`write_cell` and :meth:`write_scores` write a new run in a staging folder, which
    :func:`nmebench.runs.run_writer.publish` moves to its place. After that, only ``nmebench score`` replaces
    ``scores.csv``, ``per_face.parquet`` and ``diverged.json``, and :meth:`write_json` adds files such as
    ``verdict.json``.
    """

    path: Path
    record: RunRecord

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Open a stored run.

        Raises:
            InputError: there is no run at ``path``, or ``run.json`` is damaged or has another schema version.
        """
        path = Path(path)
        file = path / "run.json"
        if not run_files.exists(file):
            hint = "" if run_files.exists(path) else shown(similar_path(path))
            raise InputError(
                f"{shown(path)}: no run here (run.json is missing){hint}; make one with "
                f"`nmebench run ... -o {shown(path)}`"
            )
        raw = run_files.read_record(path)
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if version != SCHEMA_VERSION:
            raise InputError(
                f"{shown(file)}: schema version {version!r:.40} can't be read, allowed: {SCHEMA_VERSION}; "
                "use the nmebench that wrote it, or run the sweep again"
            )
        try:
            record = RunRecord.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            why = f"not a run record: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
            raise run_files.damaged(path, "run.json", why) from error
        run_files.check_record(path, record)
        return cls(path, record)

    @classmethod
    def create(
        cls,
        path: Path,
        record: RunRecord,
        faces: FaceTable,
        *,
        thumbnails: Sequence[Thumbnail] | None = None,
        timings: Mapping[str, Any] | None = None,
    ) -> Run:
        """Write ``faces.parquet``, ``thumbnails.parquet``, ``timings.json`` and, last of all, ``run.json``.

        Write the cells with :meth:`write_cell` or :class:`~nmebench.runs.run_writer.CellWriter` before, and score the
        run afterwards.

        Args:
            path: the folder; it must exist.
            record: the content of ``run.json``.
            faces: the content of ``faces.parquet``.
            thumbnails: one per face, or None to store none.
            timings: the content of ``timings.json``, or None to write none.
        """
        flat = pa.array(
            np.asarray(faces.landmarks, np.float64).reshape(len(faces), -1).tolist(), pa.list_(pa.float64())
        )
        columns: dict[str, Any] = {
            "face": np.arange(len(faces), dtype=np.int64),
            "line": np.asarray(faces.line, np.int64),
            "image": pa.array([os.fsencode(i) for i in faces.image], pa.binary()),
            "normaliser": np.asarray(faces.normaliser, np.float64),
            "centre_x": faces.centre[:, 0],
            "centre_y": faces.centre[:, 1],
            "size_x": faces.size[:, 0],
            "size_y": faces.size[:, 1],
            **{f"subset_{name}": np.asarray(mask, bool) for name, mask in faces.subsets.items()},
            "landmarks": flat,
        }
        write_atomically(path / "faces.parquet", _parquet(pa.table(columns)))
        if thumbnails is not None:
            write_atomically(
                path / "thumbnails.parquet",
                _parquet(
                    pa.table(
                        {
                            "jpeg": pa.array([t.jpeg for t in thumbnails], pa.binary()),
                            "width": pa.array([t.size[0] for t in thumbnails], pa.int32()),
                            "height": pa.array([t.size[1] for t in thumbnails], pa.int32()),
                            "warp": pa.array([t.warp.ravel().tolist() for t in thumbnails], pa.list_(pa.float64())),
                        }
                    )
                ),
            )
        if timings is not None:
            write_atomically(path / "timings.json", _json(dict(timings)))
        write_atomically(path / "run.json", _json(record.model_dump(mode="json")))
        return cls(path, record)

    @staticmethod
    def write_cell(path: Path, cell: str, landmarks: np.ndarray, confidence: np.ndarray) -> None:
        """Write ``landmarks/CELL.npy`` and ``confidence/CELL.npy``.

        Args:
            path: the run folder.
            cell: the cell's id.
            landmarks: ``[N, K, 2]`` image px; stored as float32.
            confidence: ``[N, K]``; stored as float32.
        """
        for folder, array in (("landmarks", landmarks), ("confidence", confidence)):
            (path / folder).mkdir(exist_ok=True)
            write_atomically(path / folder / f"{cell}.npy", _npy(np.asarray(array, np.float32)))

    def write_scores(self, scores: pd.DataFrame, per_face: Mapping[str, np.ndarray]) -> None:
        """Write ``scores.csv`` and ``per_face.parquet``.

        Args:
            scores: one row per cell and subset.
            per_face: NME in percent, ``[N]`` by cell id.
        """
        table = pa.table(
            {
                "cell": pa.array(
                    [c for c, nme in per_face.items() for _ in range(len(nme))],
                    pa.dictionary(pa.int32(), pa.string()),
                ),
                "face": np.concatenate([np.arange(len(nme)) for nme in per_face.values()] or [np.empty(0, np.int64)]),
                "nme": np.concatenate([np.asarray(nme, np.float64) for nme in per_face.values()] or [np.empty(0)]),
            }
        )
        write_atomically(self.path / "per_face.parquet", _parquet(table))
        write_atomically(
            self.path / "scores.csv", scores.to_csv(index=False, lineterminator="\n", float_format="%.10g")
        )
        for name in ("scores", "per_face"):
            self.__dict__.pop(name, None)

    @cached_property
    def faces(self) -> FaceTable:
        """The faces with their ground truth and subsets.

        Raises:
            InputError: ``faces.parquet`` can't be read.
        """
        name = "faces.parquet"
        columns = dict.fromkeys(_FACE_NUMBERS, pa.types.is_float64)
        columns |= {"line": pa.types.is_int64, "image": pa.types.is_binary, "landmarks": pa.types.is_list}
        table = run_files.read_table(self.path, name, columns)
        column = {name: table.column(name) for name in table.column_names}
        coordinates = column["landmarks"].combine_chunks()
        flat = coordinates.flatten()
        lengths = np.unique(coordinates.value_lengths().to_numpy(zero_copy_only=False))
        why = None
        if table.num_rows != self.record.dataset.faces:
            why = f"has {table.num_rows} faces, run.json has {self.record.dataset.faces}"
        elif not pa.types.is_float64(flat.type) or flat.null_count or len(lengths) > 1 or (lengths % 2).any():
            why = "the landmarks of its faces don't have one form"
        elif any(name.startswith("subset_") and not pa.types.is_boolean(c.type) for name, c in column.items()):
            why = "a subset is not true or false"
        elif not np.isfinite(flat.to_numpy(zero_copy_only=False)).all():
            why = "a landmark is not a finite number"
        if why is not None:
            raise run_files.damaged(self.path, name, why)
        return FaceTable(
            image=tuple(os.fsdecode(i) for i in column["image"].to_pylist()),
            line=column["line"].to_numpy(),
            landmarks=flat.to_numpy(zero_copy_only=False).reshape(table.num_rows, -1, 2),
            normaliser=column["normaliser"].to_numpy(),
            subsets={
                name.removeprefix("subset_"): column[name].to_numpy()
                for name in table.column_names
                if name.startswith("subset_")
            },
            centre=np.stack([column["centre_x"].to_numpy(), column["centre_y"].to_numpy()], axis=1),
            size=np.stack([column["size_x"].to_numpy(), column["size_y"].to_numpy()], axis=1),
        )

    def cell(self, cell: str) -> CellRecord:
        """Return the record of a cell by its id.

        Raises:
            InputError: the run has no such cell.
        """
        for record in self.record.cells:
            if record.id == cell:
                return record
        raise InputError(
            f"{cell!r}: no such cell in {self.path}; allowed: {', '.join(c.id for c in self.record.cells)}"
        )

    def model(self, name: str) -> ModelRecord:
        """Return the record of a network by its name.

        Raises:
            InputError: the run has no such network.
        """
        for record in self.record.models:
            if record.name == name:
                return record
        raise InputError(
            f"{name!r}: no such model in {self.path}; allowed: {', '.join(m.name for m in self.record.models)}"
        )

    def landmarks(self, cell: str) -> np.ndarray:
        """Return the raw landmarks of a cell, float32 ``[N, K, 2]`` image px.

        Raises:
            InputError: the file can't be read.
        """
        return run_files.read_array(self.path, f"landmarks/{cell}.npy", (self.record.dataset.faces, -1, 2))

    def confidence(self, cell: str) -> np.ndarray:
        """Return the decoder's scores of a cell, float32 ``[N, K]``.

        Raises:
            InputError: the file can't be read.
        """
        return run_files.read_array(self.path, f"confidence/{cell}.npy", (self.record.dataset.faces, -1))

    @cached_property
    def per_face(self) -> Mapping[str, np.ndarray]:
        """NME of every face in percent, float64 ``[N]`` by cell id.

        Raises:
            InputError: ``per_face.parquet`` can't be read.
        """
        name = "per_face.parquet"
        columns = {"cell": run_files.is_text, "face": pa.types.is_int64, "nme": pa.types.is_float64}
        table = run_files.read_table(self.path, name, columns)
        cells = np.asarray(table.column("cell").to_pylist(), dtype=object)
        face, nme = table.column("face").to_numpy(), table.column("nme").to_numpy()
        by_cell = {}
        for record in self.record.cells:
            rows = cells == record.id
            if not np.array_equal(face[rows], np.arange(self.record.dataset.faces)):
                raise run_files.damaged(self.path, name, f"has other faces than run.json for the cell {record.id}")
            if not np.isfinite(nme[rows]).all():
                raise run_files.damaged(self.path, name, f"an NME of the cell {record.id} is not a finite number")
            by_cell[record.id] = nme[rows]
        return by_cell

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The table ``scores.csv``: one row per cell and subset, NME and FR in percent, AUC as a fraction.

        Raises:
            InputError: ``scores.csv`` can't be read.
        """
        return run_files.read_scores(self.path, [cell.id for cell in self.record.cells])

    def score_rows(self) -> list[dict[str, Any]]:
        """Return ``scores.csv`` as one dictionary per row."""
        return [{str(key): value for key, value in row.items()} for row in self.scores.to_dict("records")]

    @cached_property
    def thumbnails(self) -> Sequence[Thumbnail] | None:
        """The thumbnail of every face; None for a run without pictures."""
        name = "thumbnails.parquet"
        if not run_files.exists(self.path / name):
            return None
        columns = {
            "jpeg": pa.types.is_binary,
            "width": run_files.is_integer,
            "height": run_files.is_integer,
            "warp": lambda kind: pa.types.is_list(kind) and pa.types.is_float64(kind.value_type),
        }
        table = run_files.read_table(self.path, name, columns)
        rows = table.to_pylist()
        if len(rows) != self.record.dataset.faces or any(len(row["warp"]) != 6 for row in rows):
            raise run_files.damaged(self.path, name, "doesn't have one picture per face")
        if any(chunk.flatten().null_count for chunk in table.column("warp").chunks):
            raise run_files.damaged(self.path, name, "a map to a picture lacks a number")
        return [
            Thumbnail(row["jpeg"], (row["width"], row["height"]), np.asarray(row["warp"]).reshape(2, 3)) for row in rows
        ]

    @cached_property
    def timings(self) -> Mapping[str, Any]:
        """The content of ``timings.json``; empty where there is none."""
        timings = run_files.read_stored_json(self.path, "timings.json")
        if not isinstance(timings, dict | None):
            raise run_files.damaged(self.path, "timings.json", "not an object")
        return timings or {}

    def read_json(self, name: str) -> Any | None:
        """Return the content of a JSON file in the run folder, such as ``verdict.json``; None where it is missing.

        Raises:
            InputError: the file can't be read or is not JSON.
        """
        return run_files.read_stored_json(self.path, name)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file, such as ``verdict.json``, into the run folder."""
        write_atomically(self.path / name, _json(value))
