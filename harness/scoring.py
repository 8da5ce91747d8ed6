"""From raw landmarks to scores: a run's cells on every subset, and landmarks of other programs."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness import metrics
from harness.errors import InputError
from harness.statistics import Statistic, bootstrap
from harness.store import SUBSETS, Run

__all__ = ["COLUMNS", "import_predictions", "score", "subset_masks"]

Array = NDArray[np.float64]

#: Columns of ``scores.csv``: NME and FR are percent, AUC is a fraction; ``_low`` and ``_high`` are 95 % intervals.
COLUMNS = (
    "dataset",
    "subset",
    "faces",
    "model",
    "decoder",
    "flip",
    "box",
    "nme",
    "fr10",
    "auc10",
    "fr10_count",
    "expected_faces",
    "nme_low",
    "nme_high",
    "fr10_low",
    "fr10_high",
    "auc10_low",
    "auc10_high",
    "normaliser",
    "cell",
)

_STATISTICS: Mapping[str, Statistic] = {"nme": "nme", "fr10": "fr", "auc10": "auc"}

_LIMIT = 2**30
"""Bytes of a predictions file, unpacked; 2500 faces of 98 landmarks are 4 MB."""


def subset_masks(run: Run) -> dict[str, NDArray[np.bool_]]:
    """The run's subsets as bool ``[N]``: ``test`` (every face) first, then in the order of the tables."""
    faces = run.faces
    stored = {name: np.asarray(mask, bool) for name, mask in faces.subsets.items()}
    masks = {"test": np.ones(len(faces), bool), **stored}
    known = [name for name in SUBSETS if name in masks]
    return {name: masks[name] for name in [*known, *(n for n in masks if n not in known)]}


def _cell_nme(run: Run, cell: str) -> Array:
    """NME of every face under a cell, percent ``[N]``."""
    landmarks = run.landmarks(cell)
    truth = run.faces.landmarks
    if landmarks.shape != truth.shape:
        raise InputError(
            f"{run.path}: cell {cell} holds landmarks {list(landmarks.shape)}, the faces have {list(truth.shape)}; "
            "the run is damaged, run the sweep again"
        )
    nme = metrics.nme(metrics.point_errors(landmarks, truth), run.faces.normaliser)
    bad = np.flatnonzero(~np.isfinite(nme))
    if len(bad):
        face = int(bad[0])
        raise InputError(
            f"{run.path}: cell {cell}: the NME of {len(bad)} faces is not a number, the first being face {face} (line "
            f"{run.faces.line[face]}, {run.faces.image[face]!r}); its landmarks must be finite and its normaliser "
            "over 0: leave these faces out, or use a decoder that always answers"
        )
    return nme


def score(run: Run, *, resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Score every cell on every subset from the raw landmarks; store and return the table.

    Writes ``per_face.parquet`` and ``scores.csv``. Needs nothing but the run folder, so that an old run can
    be scored again.

    Args:
        run: an open run, whose cells' landmarks are stored.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        A row for each cell and subset with faces, columns :data:`COLUMNS`.

    Raises:
        InputError: landmarks of a cell are missing, of another shape, or give no number.
    """
    record = run.record
    per_face = {cell.id: _cell_nme(run, cell.id) for cell in record.cells}
    rows: list[dict[str, Any]] = []
    everything = np.array(list(per_face.values())).reshape(len(per_face), len(run.faces))
    for subset, mask in subset_masks(run).items():
        if not mask.any() or not per_face:
            continue
        values, clusters = everything[:, mask], run.faces.clusters[mask]
        intervals = {
            name: bootstrap(values, clusters, statistic, resamples=resamples, seed=seed)
            for name, statistic in _STATISTICS.items()
        }
        for index, cell in enumerate(record.cells):
            rows.append(
                {
                    "dataset": record.dataset.name,
                    "subset": subset,
                    "faces": int(mask.sum()),
                    "model": cell.model,
                    "decoder": cell.decoder,
                    "flip": cell.flip,
                    "box": cell.box,
                    "nme": float(values[index].mean()),
                    "fr10": metrics.failure_rate(values[index]),
                    "auc10": metrics.auc(values[index]),
                    "fr10_count": metrics.failures(values[index]),
                    "expected_faces": record.dataset.expected.get(subset),
                    **{f"{name}_low": i.low[index] for name, i in intervals.items()},
                    **{f"{name}_high": i.high[index] for name, i in intervals.items()},
                    "normaliser": record.normaliser,
                    "cell": cell.id,
                }
            )
    order = {cell.id: index for index, cell in enumerate(record.cells)}
    rows.sort(key=lambda row: order[row["cell"]])  # stable: subsets keep their order within a cell
    scores = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"expected_faces": "Int64"})
    run.write_scores(scores, per_face)
    return scores


def import_predictions(path: Path, *, images: Sequence[str] | None = None) -> tuple[Array, tuple[str, ...] | None]:
    """Read landmarks that some other program made.

    * ``FILE.npz`` with an array ``landmarks``, or ``FILE.npz::NAME`` for another name; ``FILE.npy``. Shape
      ``[N, K, 2]`` or ``[N, 2 K]`` (x0, y0, x1, ...), in the order of the dataset's list.
    * ``FILE.csv``: a header ``face,x0,y0,x1,y1,...`` (faces numbered from 0, in any order) or
    ``image,x0,y0,...`` (in
      the order of the dataset's list, as several faces may share a photograph).

    Args:
        path: the file.
        images: file names of the dataset's faces; names in the file are held against them.

    Returns:
        Landmarks, image px, float64 ``[N, K, 2]``, and the images' names where the file gives them.

    Raises:
        InputError: the file can't be read, isn't of these forms, or is of another order than ``images``.
    """
    text, colons, key = str(path).partition("::")
    file = Path(text)
    kind = file.suffix.lower()
    try:
        size = file.stat().st_size
    except OSError as error:
        raise InputError(f"{file}: can't be read ({error.strerror}); give an npz, npy or csv file") from error
    if size > _LIMIT:
        raise InputError(f"{file}: {size} bytes, at most {_LIMIT} are read; is this a predictions file?")
    names: tuple[str, ...] | None = None
    if kind in (".npz", ".npy"):
        array = _read_npz(file, key if colons else "landmarks") if kind == ".npz" else _read_npy(file)
    elif kind == ".csv":
        array, names = _read_csv(file)
    else:
        raise InputError(f"{file}: {kind or 'no'} suffix; predictions are npz, npy or csv files")
    landmarks = _as_landmarks(file, array)
    if names is not None and images is not None:
        _same_order(file, names, images)
    return landmarks, names


def _as_landmarks(file: Path, array: NDArray[Any]) -> Array:
    flat = array.ndim == 2 and array.shape[1] % 2 == 0 and array.shape[1] > 0
    if not (flat or (array.ndim == 3 and array.shape[2] == 2 and array.shape[1] > 0)):
        raise InputError(f"{file}: landmarks {list(array.shape)}, they must be [N, K, 2] or [N, 2 K], image px")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{file}: landmarks of type {array.dtype}, they must be numbers")
    landmarks = np.asarray(array, np.float64).reshape(len(array), -1, 2)
    if not np.isfinite(landmarks).all():
        face = int(np.argwhere(~np.isfinite(landmarks))[0, 0])
        raise InputError(f"{file}: face {face} has a coordinate that isn't a finite number; give all its landmarks")
    return landmarks


def _read_npy(file: Path) -> NDArray[Any]:
    try:
        with file.open("rb") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError) as error:
        raise InputError(f"{file}: not an array of numbers ({_first_line(error)}); save it with numpy.save") from error


def _read_npz(file: Path, key: str) -> NDArray[Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = {i.filename.removesuffix(".npy"): i.file_size for i in archive.infolist()}
            if key not in unpacked:
                raise InputError(
                    f"{file}: no array {key!r}, there are: {', '.join(unpacked) or 'none'}; name one as {file}::NAME"
                )
            if unpacked[key] > _LIMIT:
                raise InputError(f"{file}: {key!r} unpacks to {unpacked[key]} bytes, at most {_LIMIT} are read")
            with archive.open(f"{key}.npy") as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: {key!r} can't be read ({_first_line(error)}); save it with numpy.savez") from error


def _read_csv(file: Path) -> tuple[Array, tuple[str, ...] | None]:
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
            reader = csv.reader(stream)
            header = [name.strip() for name in next(reader, [])]
            rows = [row for row in reader if row]
    except (OSError, csv.Error) as error:
        raise InputError(f"{file}: can't be read as csv ({_first_line(error)})") from error
    points = (len(header) - 1) // 2
    expected = [name for k in range(points) for name in (f"x{k}", f"y{k}")]
    if points < 1 or header[0] not in ("face", "image") or header[1:] != expected:
        raise InputError(
            f"{file}: the header begins {','.join(header[:4])[:80]!r}, it must be face,x0,y0,x1,y1,... or "
            "image,x0,y0,x1,y1,..."
        )
    values = np.empty((len(rows), 2 * points))
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise InputError(f"{file}: row {number + 2} has {len(row)} fields, the header {len(header)}")
        try:
            values[number] = [float(field) for field in row[1:]]
        except ValueError as error:
            raise InputError(f"{file}: row {number + 2}: {_first_line(error)}; coordinates must be numbers") from error
    if header[0] == "image":
        return values, tuple(row[0] for row in rows)
    try:
        faces = np.array([int(row[0]) for row in rows], np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{file}: column face: {_first_line(error)}; number the faces from 0") from error
    order = np.argsort(faces, kind="stable")
    wrong = np.flatnonzero(faces[order] != np.arange(len(faces)))
    if len(wrong):
        raise InputError(
            f"{file}: face {int(wrong[0])} is missing or given twice; number the faces from 0, one row each"
        )
    return values[order], None


def _same_order(file: Path, names: Sequence[str], images: Sequence[str]) -> None:
    if len(names) != len(images):
        raise InputError(f"{file}: {len(names)} rows, the dataset has {len(images)} faces; give one row a face")
    for number, (name, image) in enumerate(zip(names, images, strict=True)):
        if name != image and Path(name).name != Path(image).name:
            raise InputError(
                f"{file}: row {number + 2} is of {name!r}, but face {number} of the dataset is in {image!r}; "
                "give the rows in the order of the dataset's list"
            )


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
