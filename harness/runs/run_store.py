"""The run folder: everything that a sweep measured, sufficient to score and report it again.

Layout (schema version 2)::

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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from nmebench.datasets.readers.arrays import NpyRows
from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.files import write_atomically
from nmebench.printable import shown
from nmebench.runs import run_files
from nmebench.runs.cell_frame import cell_frame
from nmebench.runs.face_table import FaceTable, read_faces, write_faces
from nmebench.runs.faces_frame import faces_frame
from nmebench.runs.per_face import read_per_face, write_per_face
from nmebench.runs.run_display import run_html, run_line
from nmebench.runs.run_record import READABLE, CellRecord, ModelRecord, RunRecord
from nmebench.runs.thumbnail import Thumbnail, read_thumbnails, write_thumbnails
from nmebench.suggest import similar_path

__all__ = ["BLOCK_FACES", "Run"]

BLOCK_FACES = 4096
"""Faces of a cell that are read at a time: 3 MB of landmarks."""


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

        Args:
            path: the run's folder.

        Returns:
            The run; its files are read when they are needed.

        Raises:
            InputError: there is no run at ``path``, or ``run.json`` is damaged or has another schema version.
        """
        path = Path(path)
        file = path / "run.json"
        if not run_files.exists(file) and run_files.exists(path / "sweep.json"):
            raise InputError(
                f"{shown(path)}: holds a sweep over several data sets; give one of the run folders that its sweep.json "
                "names"
            )
        if run_files.exists(path) and path.is_file():
            raise InputError(f"{shown(path)}: is a file; give the folder of a run, such as {shown(path.parent)}")
        if not run_files.exists(file) and run_files.exists(path / "shard.json"):
            raise InputError(
                f"{shown(path)}: holds a shard of a sweep; `nmebench merge SHARD ... -o RUN` makes the run of all"
            )
        if not run_files.exists(file):
            hint = "" if run_files.exists(path) else shown(similar_path(path))
            raise InputError(
                f"{shown(path)}: no run here (run.json is missing){hint}; make one with "
                f"`nmebench run ... -o {shown(path)}`"
            )
        raw = run_files.read_record(path)
        version = raw.get("schema_version") if isinstance(raw, dict) else None
        if type(version) is not int or version not in READABLE:
            known = ", ".join(map(str, READABLE))
            raise InputError(
                f"{shown(file)}: schema version {version!r:.40} can't be read, allowed: {known}; "
                "use the nmebench that wrote it, or run the sweep again"
            )
        try:
            record = RunRecord.model_validate(raw)
        except ValidationError as error:
            raise run_files.damaged(path, "run.json", f"not a run record: {problems(error)}") from error
        run_files.check_record(path, record)
        return cls(path, record)

    @classmethod
    def create(
        cls,
        path: Path,
        record: RunRecord,
        faces: FaceTable,
        *,
        thumbnails: Iterable[Thumbnail] | None = None,
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

        Returns:
            The run, not yet scored.
        """
        write_faces(path, faces)
        if thumbnails is not None:
            write_thumbnails(path, thumbnails)
        if timings is not None:
            run_files.write_stored_json(path, "timings.json", dict(timings))
        run_files.write_stored_json(path, "run.json", record.model_dump(mode="json"))
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
            run_files.write_array(path, f"{folder}/{cell}.npy", array)

    def write_scores(self, scores: pd.DataFrame, per_face: Mapping[str, np.ndarray]) -> None:
        """Write ``scores.csv`` and ``per_face.parquet``.

        Args:
            scores: one row per cell and subset.
            per_face: NME in percent, ``[N]`` by cell id.
        """
        write_per_face(self.path, per_face)
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
        return read_faces(self.path, self.record.dataset.faces)

    def with_faces(self, faces: FaceTable) -> Run:
        """Return the run with the content of ``faces.parquet``, so that this process doesn't read it again.

        Args:
            faces: the faces that were written.
        """
        copy = Run(self.path, self.record)
        copy.__dict__["faces"] = faces  # where functools.cached_property looks for it
        return copy

    def cell(self, cell: str) -> CellRecord:
        """Return the record of a cell by its id.

        Args:
            cell: the cell's id.

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

        Args:
            name: the network's name.

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

        Args:
            cell: the cell's id.

        Raises:
            InputError: the file can't be read.
        """
        return run_files.read_array(self.path, f"landmarks/{cell}.npy", (self.record.dataset.faces, -1, 2))

    def landmark_blocks(self, cell: str, rows: int = BLOCK_FACES) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield the landmarks of a cell with their positions, ``rows`` faces in memory at a time.

        Args:
            cell: the cell's id.
            rows: faces in memory.

        Raises:
            InputError: the file can't be read.
        """
        with self._open_landmarks(cell) as stored:
            yield from stored.blocks(rows)

    def landmarks_of(self, cell: str, faces: Sequence[int]) -> np.ndarray:
        """Return the landmarks of some faces under a cell, float32 ``[M, K, 2]`` image px; only they are read.

        Args:
            cell: the cell's id.
            faces: positions of the M faces.

        Raises:
            InputError: the file can't be read.
        """
        with self._open_landmarks(cell) as stored:
            return stored.take(faces)

    def _open_landmarks(self, cell: str) -> NpyRows:
        return run_files.open_array(self.path, f"landmarks/{cell}.npy", (self.record.dataset.faces, -1, 2))

    def confidence(self, cell: str) -> np.ndarray:
        """Return the decoder's scores of a cell, float32 ``[N, K]``.

        Args:
            cell: the cell's id.

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
        return read_per_face(self.path, [cell.id for cell in self.record.cells], self.record.dataset.faces)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The table ``scores.csv``: one row per cell and subset, NME and FR in percent, AUC as a fraction.

        Raises:
            InputError: ``scores.csv`` can't be read.
        """
        return run_files.read_scores(self.path, [cell.id for cell in self.record.cells], self.record.thresholds)

    def frame(self, cells: str | Sequence[str] = "all") -> pd.DataFrame:
        """Return the NME of every face as one row per cell and face: :func:`~nmebench.runs.cell_frame.cell_frame`.

        Args:
            cells: ``all``, or one or several cells by id or an unambiguous part of it, such as ``dark``.

        Raises:
            InputError: a cell is unknown or ambiguous, or a file of the run can't be read.
        """
        return cell_frame(self, cells)

    def faces_frame(self, *, landmarks: bool = False) -> pd.DataFrame:
        """Return the faces as one row each: :func:`~nmebench.runs.faces_frame.faces_frame`.

        Args:
            landmarks: add the ground truth as the columns ``x0``, ``y0``, ``x1``, ... (image px).

        Raises:
            InputError: ``faces.parquet`` can't be read.
        """
        return faces_frame(self.faces, landmarks=landmarks)

    def score_rows(self) -> list[dict[str, Any]]:
        """Return ``scores.csv`` as one dictionary per row."""
        return [{str(key): value for key, value in row.items()} for row in self.scores.to_dict("records")]

    @cached_property
    def thumbnails(self) -> Sequence[Thumbnail] | None:
        """The thumbnail of every face; None for a run without pictures.

        Raises:
            InputError: ``thumbnails.parquet`` can't be read.
        """
        return read_thumbnails(self.path, self.record.dataset.faces)

    @cached_property
    def timings(self) -> Mapping[str, Any]:
        """The content of ``timings.json``; empty where there is none."""
        timings = run_files.read_stored_json(self.path, "timings.json")
        if not isinstance(timings, dict | None):
            raise run_files.damaged(self.path, "timings.json", "not an object")
        return timings or {}

    def read_json(self, name: str) -> Any | None:
        """Return the content of a JSON file in the run folder, such as ``verdict.json``; None where it is missing.

        Args:
            name: name of the file.

        Raises:
            InputError: the file can't be read or is not JSON.
        """
        return run_files.read_stored_json(self.path, name)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file, such as ``verdict.json``, into the run folder.

        Args:
            name: name of the file.
            value: its content.
        """
        run_files.write_stored_json(self.path, name, value)

    def __repr__(self) -> str:
        return run_line(self)

    def _repr_html_(self) -> str:
        """Return the scores of all faces as a table, for notebooks."""
        return run_html(self)
