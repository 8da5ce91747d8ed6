"""Scores a stored run by another normaliser or at other thresholds, from its raw landmarks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from nmebench.errors import InputError
from nmebench.files import file_sha256
from nmebench.geometry import scheme as schemes
from nmebench.metric_names import check_thresholds, threshold_text
from nmebench.printable import shown
from nmebench.runs.face_table import FaceTable, write_faces
from nmebench.runs.run_files import write_stored_json
from nmebench.runs.run_record import SCHEMA_VERSION, RescoreRecord, RunRecord
from nmebench.runs.run_store import Run
from nmebench.runs.run_writer import publish, writing
from nmebench.scoring.score_run import score
from nmebench.source_hash import code_hash
from nmebench.suggest import unknown

__all__ = ["describe_rescore", "rescore", "rescored"]

Array = NDArray[np.float64]


def rescore(
    run: Run,
    out: Path,
    *,
    normaliser: str | None = None,
    thresholds: Sequence[float] = (),
    command: Sequence[str] = (),
    overwrite: bool = False,
) -> Run:
    """Store a run with the landmarks of another one, scored otherwise. The other run stays as it is.

    Args:
        run: the run with the landmarks.
        out: the run folder to write.
        normaliser: name of the normaliser; None for the run's.
        thresholds: thresholds of FR and AUC, percent; empty for the run's.
        command: the command line to record.
        overwrite: replace a finished run in ``out``.

    Returns:
        The stored run. Its record has the provenance of the landmarks, and ``rescored`` says how it was made.

    Raises:
        InputError: the normaliser is unknown, isn't known for the run's faces or is 0 on one; a threshold can't be
            used; ``out`` is the run's own folder, holds another run or can't be written; or the run is damaged.
    """
    if out.exists() and out.resolve() == run.path.resolve():
        raise InputError(f"-o {shown(out)}: is the run itself, which stays as it is; give another folder")
    with writing(out, overwrite=overwrite) as work:
        staging = work / "run"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        _write(run, staging, normaliser, thresholds, command)
        return publish(staging, out)


@contextmanager
def rescored(run: Run, *, normaliser: str | None = None, thresholds: Sequence[float] = ()) -> Iterator[Run]:
    """Yield a run with the landmarks of another one, scored otherwise, which exists in this block only.

    Args:
        run: the run with the landmarks.
        normaliser: name of the normaliser; None for the run's.
        thresholds: thresholds of FR and AUC, percent; empty for the run's.

    Raises:
        InputError: as for :func:`rescore`.
    """
    with TemporaryDirectory(prefix="nmebench-") as folder:
        yield _write(run, Path(folder), normaliser, thresholds, ())


def describe_rescore(record: RunRecord) -> list[str]:
    """Return what a rescored run has in place of the other run's: the normaliser, the thresholds."""
    made = record.rescored
    if made is None:
        return []
    pairs = (
        ("normaliser", record.normaliser, made.normaliser),
        ("thresholds", *(", ".join(map(threshold_text, values)) for values in (record.thresholds, made.thresholds))),
    )
    return [f"{name} {now} instead of {before}" if now != before else f"{name} {now}" for name, now, before in pairs]


def _write(run: Run, folder: Path, normaliser: str | None, thresholds: Sequence[float], command: Sequence[str]) -> Run:
    """Write the rescored run into an empty folder."""
    record, faces = run.record, run.faces
    name = normaliser or record.normaliser
    lengths = faces.normaliser if name == record.normaliser else _lengths(run, faces, name)
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        face = int(bad[0])
        where = f"face {face} (line {faces.line[face]}, {faces.image[face]!r})"
        raise InputError(
            f"{shown(run.path)}: the {name} length is {lengths[face]:g} px on {where}, so the NME isn't defined; "
            f"choose another normaliser (faces without a length: {len(bad)})"
        )
    chosen = check_thresholds(thresholds) if thresholds else record.thresholds
    new = record.model_copy(
        update={
            "schema_version": SCHEMA_VERSION,
            "normaliser": name,
            "thresholds": chosen,
            "configuration": {**record.configuration, "normaliser": name, "thresholds": list(chosen)},
            "rescored": RescoreRecord(
                normaliser=record.normaliser,
                thresholds=record.thresholds,
                run_sha256=file_sha256(run.path / "run.json"),
                nmebench=version("nmebench"),
                code_sha256=code_hash(),
                command=list(command),
            ),
        }
    )
    for part in ("landmarks", "confidence"):
        (folder / part).mkdir()
        for cell in record.cells:
            _copy(run, folder, f"{part}/{cell.id}.npy")
    for optional in ("thumbnails.parquet", "timings.json"):
        if (run.path / optional).is_file():
            _copy(run, folder, optional)
    write_faces(folder, replace(faces, normaliser=lengths))
    write_stored_json(folder, "run.json", new.model_dump(mode="json"))
    made = Run(folder, new)
    score(made)
    return made


def _copy(run: Run, folder: Path, name: str) -> None:
    try:
        shutil.copyfile(run.path / name, folder / name)
    except FileNotFoundError as error:
        raise InputError(
            f"{shown(run.path / name)}: is missing, so the run can't be scored again; restore it from a backup, or "
            "repeat the sweep"
        ) from error


def _lengths(run: Run, faces: FaceTable, name: str) -> Array:
    """The lengths ``[N]`` of a normaliser, image px: as stored, else measured on the run's ground truth."""
    if name in faces.normalisers:
        return np.asarray(faces.normalisers[name], np.float64)
    scheme_name = run.record.dataset.scheme
    if scheme_name not in schemes.names():
        raise InputError(
            f"{shown(run.path)}: {unknown('normaliser', shown(name), tuple(faces.normalisers))}; the run stores these "
            f"alone, and its scheme {shown(scheme_name)} is not installed"
        )
    try:
        return schemes.normaliser(schemes.load(scheme_name), faces.landmarks, name)
    except InputError as error:
        raise InputError(f"{shown(run.path)}: {error}") from error
