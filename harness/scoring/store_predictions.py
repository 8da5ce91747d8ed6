"""Store the landmarks that another program predicted as a run with one cell."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench import boxes, datasets, scoring
from nmebench.datasets import benchmark
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.files import file_sha256
from nmebench.metric_names import check_thresholds
from nmebench.protocol import DIRECT
from nmebench.published import methods as published_methods
from nmebench.runs import provenance
from nmebench.runs.cell_id import MAX_CELL_ID, cell_id
from nmebench.runs.face_table import FaceTable
from nmebench.runs.names import check_name
from nmebench.runs.run_record import CellRecord, ModelRecord, RunRecord
from nmebench.runs.run_store import Run
from nmebench.runs.run_writer import dataset_record, publish, writing
from nmebench.scoring.declare_protocol import DeclaredProtocol
from nmebench.scoring.plausibility import misplaced_notes, rounding_note, suspect_note

__all__ = ["store_predictions"]

Array = NDArray[np.float64]


def store_predictions(
    predictions: Path,
    data: str,
    out: Path,
    *,
    name: str,
    format: str | None = None,  # noqa: A002 - the field's word, as in datasets.load
    scheme: str | None = None,
    normaliser: str | None = None,
    thresholds: Sequence[float] = (),
    declared: DeclaredProtocol | None = None,
    published: str | None = None,
    command: Sequence[str] = (),
    overwrite: bool = False,
) -> Run:
    """Score predicted landmarks against a dataset and store the result as a run.

    Args:
        predictions: landmarks, ``[N, K, 2]`` image px, in a form that :func:`~nmebench.scoring.import_predictions`
            reads.
        data: dataset, such as ``wflw:PATH``.
        out: the run folder to write.
        name: name of the network in the run.
        format: annotation format, where the dataset has several.
        scheme: name or TOML file of the landmark scheme, for data sets that have none of their own.
        normaliser: name of the scheme's normaliser; by default the one that the data set's papers use.
        thresholds: thresholds of FR and AUC, percent; by default those that the data set's papers print.
        declared: the protocol with which the predictions were made, from
            :func:`~nmebench.scoring.declare_protocol.declare`. Without it
            the cell's protocol is ``direct, none, none``, which says nothing about the predictions.
        published: the published row whose predictions these are, by its method; a pattern with ``*`` names several.
            ``check`` compares the run with them.
        command: the command line to record.
        overwrite: replace a finished run in ``out``.

    Returns:
        The stored run.

    Raises:
        InputError: a file can't be read, or the number of faces or landmarks differs from the dataset's.

    Example:
        >>> import tempfile
        >>> points = np.random.default_rng(0).uniform(0, 100, (2, 98, 2))
        >>> with tempfile.TemporaryDirectory() as name:
        ...     folder = Path(name)
        ...     np.savez(folder / "truth.npz", landmarks=points)
        ...     np.savez(folder / "mine.npz", landmarks=points + 1.0)
        ...     run = store_predictions(
        ...         folder / "mine.npz", f"landmarks:{folder}/truth.npz", folder / "RUN", name="mine"
        ...     )
        ...     len(run.scores), run.record.cells[0].id
        (1, 'mine__direct__none__none')
    """
    check_name(name, "the predictions' name")
    dataset = datasets.load(data, format=format, scheme=scheme)
    rows = None if published is None else published_methods(published, dataset.name)
    for subset in dataset.subsets:
        check_name(subset, f"{data}: the subset's name")
    _check_first_pixel(predictions, dataset)
    found = scoring.import_predictions(predictions, images=dataset.images, rectangles=dataset.rect)
    landmarks = found.landmarks
    if landmarks.shape != dataset.landmarks.shape:
        raise InputError(
            f"{predictions}: {landmarks.shape[0]} faces with {landmarks.shape[1]} landmarks, but {data} has "
            f"{dataset.landmarks.shape[0]} with {dataset.landmarks.shape[1]}; give one row per face, in the order of "
            "the dataset's list"
        )
    normaliser_name = normaliser or dataset.default_normaliser
    used_thresholds = check_thresholds(thresholds) if thresholds else dataset.thresholds
    distances = dataset.normaliser(normaliser_name)
    notes = [
        suspect_note(landmarks, dataset.landmarks, distances, flip=dataset.scheme.flip),
        *misplaced_notes(landmarks, dataset.landmarks, dataset.images, distances, rows=found.rows),
        rounding_note(landmarks, distances, dtype=found.dtype),
    ]
    dataset = replace(dataset, notes=(*dataset.notes, *filter(None, notes)))
    centre, size = _boxes(dataset, declared)
    cell = _cell(name, declared)
    record = RunRecord(
        kind="score",
        configuration={
            "data": data,
            "predictions": predictions.name,
            "name": name,
            "normaliser": normaliser_name,
            **({} if scheme is None else {"scheme": scheme}),
            "thresholds": list(used_thresholds),
            **({} if declared is None else {"declared": declared.configuration()}),
            **({} if rows is None else {"published": rows}),
        },
        normaliser=normaliser_name,
        thresholds=used_thresholds,
        dataset=dataset_record(dataset),
        models=[_model(name, predictions, declared)],
        cells=[cell],
        provenance=provenance.collect(command=command, threads=1, deterministic=True, seed=0),
    )
    faces = FaceTable(
        image=dataset.images,
        line=dataset.lines,
        landmarks=dataset.landmarks,
        normaliser=distances,
        subsets=dataset.subsets,
        centre=centre,
        size=size,
        occluded=dataset.occluded,
        normalisers=dataset.normalisers(),
    )
    with writing(out, overwrite=overwrite) as work:
        staging = work / "run"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        Run.write_cell(staging, cell.id, landmarks, np.ones(landmarks.shape[:2], np.float32))
        scoring.score(Run.create(staging, record, faces))
        return publish(staging, out)


def _check_first_pixel(predictions: Path, dataset: Dataset) -> None:
    """Refuse SPIGA's predictions where they count the first pixel differently from the annotations.

    SPIGA's predictions count like its own annotations of the data set. Other files don't tell how they count.

    Raises:
        InputError: one counts it as (0, 0), the other as (1, 1).
    """
    if predictions.suffix.lower() != ".json" or dataset.name not in benchmark.names():
        return
    own = benchmark.load(dataset.name).origins.get("spiga-json")
    if None not in (own, dataset.origin) and own != dataset.origin:
        raise InputError(
            f"{predictions}: counts the first pixel as ({own}, {own}), but {dataset.spec} ({dataset.format}) as "
            f"({dataset.origin}, {dataset.origin}), so each landmark is off by a pixel; give "
            "SPIGA's annotations to --data"
        )


def _boxes(dataset: Dataset, declared: DeclaredProtocol | None) -> tuple[Array, Array]:
    """Centre and size of the crops, ``[N, 2]`` image px: of the declared box, else of the landmarks' extents."""
    if declared is not None and declared.input_size is not None:
        rule = boxes.create(declared.box, padding=declared.box_padding)
        try:
            found = rule(dataset).for_input(declared.input_size)
        except InputError:  # annotations without the rectangles that the rule reads
            pass
        else:
            return found.centre, found.size
    low, high = dataset.extents
    return (low + high) / 2, high - low


def _cell(name: str, declared: DeclaredProtocol | None) -> CellRecord:
    protocol = (DIRECT, "none", "none") if declared is None else (declared.decoder, declared.flip, declared.box)
    identifier = cell_id(name, *protocol)
    if len(identifier) > MAX_CELL_ID:
        raise InputError(f"name {name[:40]!r}...: {len(name)} characters; give a shorter one")
    return CellRecord(
        id=identifier,
        model=name,
        decoder=protocol[0],
        flip="none" if declared is None else declared.flip,
        box=protocol[2],
        convention="stride" if declared is None else declared.convention,
    )


def _model(name: str, predictions: Path, declared: DeclaredProtocol | None) -> ModelRecord:
    """The record of a network that only its predictions and a declaration describe."""
    own = {
        "name": name,
        "predictions": predictions.name,
        "sha256": file_sha256(Path(str(predictions).partition("::")[0])),
    }
    if declared is None:
        return ModelRecord(
            name=name, architecture="predictions", card=own, input_size=(0, 0), engine="none (predictions)"
        )
    source = f"like the card {declared.card['name']}" if declared.card else "on the command line"
    return ModelRecord(
        name=name,
        architecture="predictions",
        card={**declared.card, **own},
        input_size=declared.input_size or (0, 0),
        engine="none (predictions)",
        notes=[f"{name}: decoder, flip test, box and settings are declared ({source}), not measured"],
    )
