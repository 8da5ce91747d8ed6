"""Readers of annotations, data sets, landmarks, predictions and pictures."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nmebench import datasets
from nmebench.datasets.formats import FORMATS, detect_format, read_rows
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import gather
from nmebench.datasets.verify import verify
from nmebench.errors import InputError
from nmebench.geometry import images, scheme
from nmebench.scoring.plausibility import misplaced_notes, rounding_note, suspect_note
from nmebench.scoring.read_predictions import import_predictions

from seeds import (  # isort: skip
    BENCHMARK,
    IMAGES,
    POINTS,
    annotations,
    landmark_archives,
    pictures,
    points_files,
    predictions,
)

from seeds_benchmarks import cofw68_files, cofw_files, lapa_files, spiga_files  # isort: skip

from reader import Reader, call_each, configurations  # isort: skip

__all__ = ["DATASET_READERS"]


def _read_short(file: Path, name: str) -> None:
    """Read rows of two landmarks, short enough for changed rows to stay complete."""
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    formats = [Path(name).stem]
    try:
        formats.append(detect_format(text, "file"))
    except InputError:
        formats.append("")
    for kind in formats:
        if kind in FORMATS:
            rows = list(read_rows(text, "file", kind, 2))
            assert all(str(row).isprintable() for row in rows if isinstance(row, RowError))
            faces = gather(rows, "file", 2)
            assert faces.landmarks.shape == (len(rows), 2, 2)


def _load(kind: str) -> Callable[[Path, str], object]:
    return lambda file, _name: datasets.load(f"{kind}:{file}")


def _verify(file: Path, _name: str) -> None:
    report = verify(file)
    json.loads(report.to_json())
    assert all("\n" not in finding.message for finding in report.findings)


def _read_points_file(file: Path, _name: str) -> None:
    """Read a ``.pts`` file beside a photograph's name, as part of 300-W's folders."""
    root = Path(os.environ["FUZZ_FOLDER"]) / "base" / "300w"
    place = root / "ibug" / "face.pts"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.with_suffix(".jpg").touch()
    shutil.copyfile(file, place)
    dataset = datasets.load(f"300w:{root}")
    assert dataset.landmarks.shape == (1, 68, 2)


def _folder(name: str) -> Path:
    """Return an empty folder for the files of one case."""
    folder = Path(os.environ["FUZZ_FOLDER"]) / "base" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _read_spiga(file: Path, name: str) -> None:
    """Read SPIGA's json beside its subsets, as annotations and as predictions; one of the two files is changed."""
    root = _folder("spiga")
    for other, content in spiga_files().items():
        (root / other).write_bytes(content)
    shutil.copyfile(file, root / name)
    call_each(
        lambda: datasets.load(f"300w:{root}"),
        lambda: datasets.load(f"cofw68:{root / 'test.json'}"),
        lambda: import_predictions(root / "test.json", images=("images/01345.jpg", "b.jpg", "c.jpg")),
    )


def _read_lapa(file: Path, _name: str) -> None:
    root = _folder("lapa")
    place = root / "test" / "landmarks" / "face.txt"
    place.parent.mkdir(parents=True)
    shutil.copyfile(file, place)
    assert datasets.load(f"lapa:{root}").landmarks.shape == (1, 106, 2)


def _read_cofw68(file: Path, name: str) -> None:
    """Read the files of two faces and the boxes; one of the three is changed."""
    root = _folder("cofw68")
    (root / "test_annotations").mkdir()
    for other, content in cofw68_files().items():
        (root / ("test_annotations" if "points" in other else "") / other).write_bytes(content)
    shutil.copyfile(file, root / ("test_annotations" if "points" in name else "") / name)
    dataset = datasets.load(f"cofw68:{root}")
    assert dataset.landmarks.shape == (2, 68, 2)
    assert np.isfinite(dataset.landmarks).all()


def _read_cofw(file: Path, name: str) -> None:
    root = _folder("cofw")
    os.environ["NMEBENCH_CACHE"] = str(root / "cache")
    shutil.copyfile(file, root / name)
    split = "train" if "train" in name else "test"
    dataset = datasets.load(f"cofw:{root / name}", split=split)
    assert dataset.landmarks.shape[1:] == (29, 2)
    assert dataset.image_root is not None
    for image in dataset.images:
        images.read(dataset.image_root / image)


def _read_benchmark(file: Path, _name: str) -> None:
    """Read a benchmark of the user's own beside its annotations."""
    folder = Path(os.environ["FUZZ_FOLDER"]) / "base" / "own"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.json").write_text('{"faces": [{"image": "a/b.jpg", "landmarks": [[1, 2], [30, 4]]}]}')
    shutil.copyfile(file, folder / "mine.toml")
    datasets.load(f"benchmark:{folder / 'mine.toml'}").normaliser()


def _read_archive(file: Path, name: str) -> None:
    datasets.load(f"{'wflw-geometry' if name.startswith('geometry') else 'landmarks'}:{file}")


def _read_predictions(file: Path, _name: str) -> None:
    failed: InputError | None = None
    for names in (None, IMAGES, ("a", "b", "c")):
        try:
            found = import_predictions(file, images=names)
        except InputError as error:
            failed = error
            continue
        faces, points = found.landmarks.shape[:2]
        truth = np.random.default_rng(0).uniform(0, 200, (faces, points, 2))
        distance = np.full(faces, 60.0)
        notes = [suspect_note(found.landmarks, truth, distance), rounding_note(found.landmarks, distance)]
        notes += misplaced_notes(found.landmarks, truth, ["a"] * faces, distance, rows=found.rows)
        assert all(note is None or note.isprintable() for note in notes)
    if failed is not None:
        raise failed


def _read_picture(file: Path, _name: str) -> None:
    data = file.read_bytes()
    images.lacks_end_marker(data)
    call_each(lambda: images.header(data), lambda: images.read(file))


DATASET_READERS: dict[str, Reader] = {
    "annotations-short": Reader(lambda: annotations(2), _read_short),
    "annotations": Reader(lambda: annotations(POINTS), _load("wflw")),
    "points-files": Reader(points_files, _read_points_file),
    "spiga-json": Reader(spiga_files, _read_spiga),
    "lapa-files": Reader(lapa_files, _read_lapa),
    "cofw68-files": Reader(cofw68_files, _read_cofw68),
    "cofw-files": Reader(cofw_files, _read_cofw),
    "benchmarks": Reader(lambda: {"mine.toml": BENCHMARK}, _read_benchmark),
    "schemes": Reader(configurations("harness/geometry/schemes"), lambda file, _: scheme.read(file)),
    "annotations-verify": Reader(lambda: annotations(POINTS), _verify),
    "landmark-archives": Reader(landmark_archives, _read_archive),
    "predictions": Reader(predictions, _read_predictions),
    "images": Reader(pictures, _read_picture, decoders_print=True),
}
