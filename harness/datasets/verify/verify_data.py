"""Checks the data set that a spec names: the files of a benchmark, or the arrays of any other data set."""

from __future__ import annotations

from pathlib import Path

from nmebench import datasets
from nmebench.datasets import benchmark as benchmarks
from nmebench.datasets import own_benchmark
from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.benchmark_arrays import is_arrays
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.locate import NoAnnotationFileError
from nmebench.datasets.plausibility import SUSPECT
from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.source import existing_path
from nmebench.datasets.verify.across_files import check_counts
from nmebench.datasets.verify.annotations import find_annotations
from nmebench.datasets.verify.geometry import check_boxes, check_faces
from nmebench.datasets.verify.order import check_order, check_scheme
from nmebench.datasets.verify.photographs import check_photographs
from nmebench.datasets.verify.protocols import served_protocols
from nmebench.datasets.verify.report import Collector, Report
from nmebench.datasets.verify.verify_benchmark import verify_benchmark
from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.suggest import similar_path, unknown

__all__ = ["verify"]


def verify(
    data: str | Path,
    format: str | None = None,  # noqa: A002
    *,
    images: bool = True,
    scheme: str | None = None,
) -> Report:
    """Check a data set: its annotation files, each other's consistency, and the photographs.

    Args:
        data: a spec, such as ``300w:PATH`` or ``benchmark:FILE.toml``; a path alone is WFLW's.
        format: check only this format's files.
        images: whether to read every photograph (milliseconds each).
        scheme: the landmark scheme, its name or its TOML file, as for :func:`nmebench.datasets.load`.

    Returns:
        A report with all findings. Errors inside the annotation files of a benchmark are findings, not exceptions.

    Raises:
        InputError: the data set is unknown, has no annotation file, or can't be read at all.
    """
    name, colon, place = str(data).partition(":")
    if name not in datasets.REGISTRY or (not colon and Path(data).exists()):
        path = Path(data).expanduser()
        if not path.exists():
            raise InputError(f"{shown(path)} does not exist{shown(similar_path(path))}{_spec_hint(str(data))}")
        if path.suffix == ".toml":
            raise InputError(f"{shown(path)} is no annotation file: write benchmark:{shown(path)}")
        return _verify_files(benchmarks.load("wflw"), path, format, images=images)
    if scheme is not None:
        return _verify_faces(datasets.load(str(data), format=format, scheme=scheme), images=images)
    if name in benchmarks.names() and not is_arrays(place):
        return _verify_files(benchmarks.load(name), existing_path(place, str(data)), format, images=images)
    if name == "benchmark":
        definition, where = own_benchmark.read_definition(place, str(data))
        if not is_arrays(where):
            return _verify_files(definition, existing_path(where, str(data)), format, images=images)
    return _verify_faces(datasets.load(str(data), format=format), images=images)


def _spec_hint(data: str) -> str:
    """Return a remark on a text that is probably a spec with an unknown name."""
    name, colon, _ = data.partition(":")
    return f"; {unknown('dataset', name, datasets.names())}" if colon and "/" not in name else ""


def _verify_files(benchmark: Benchmark, path: Path, format: str | None, *, images: bool) -> Report:  # noqa: A002
    try:
        return verify_benchmark(benchmark, path, format, images=images)
    except NoAnnotationFileError as error:
        other = next((one for one in benchmarks.names() if _has_files(benchmarks.load(one), path)), None)
        hint = f"; it holds files of {other}: write {other}:{path}" if other and other != benchmark.name else ""
        raise NoAnnotationFileError(f"{error}{hint}") from error


def _has_files(benchmark: Benchmark, path: Path) -> bool:
    usual = benchmark.files["test"].values()
    try:
        found = find_annotations(benchmark, path, split="test", format=None)
    except InputError:
        return False
    return any(Path(name).name in usual or name.endswith(" files") for name, _ in found)


def _verify_faces(dataset: Dataset, *, images: bool) -> Report:
    """Check the faces of a data set that is not a benchmark's files."""
    into = Collector()
    name = dataset.files[0].name if dataset.files else dataset.name
    faces = AnnotatedFaces(
        images=dataset.images,
        lines=dataset.lines,
        landmarks=dataset.landmarks,
        rect=dataset.rect,
        centre_scale=dataset.centre_scale,
        attributes=None,
        subsets=dataset.subsets,
        occluded=dataset.occluded,
    )
    check_scheme(dataset.scheme, f"the scheme {dataset.scheme.name}", into)
    check_faces(faces, dataset.scheme, name, into, fractions=False)
    check_order(faces, dataset.scheme, name, into)
    check_boxes(faces, name, into, landmark_boxes_only=False)
    known = {finding.code for finding in into.findings}
    for note in dataset.notes:
        if not (note.startswith(SUSPECT) and "unit" in known):
            into.add("warning" if note.startswith(SUSPECT) else "note", "reader", name, None, note)
    if dataset.expected:
        subsets = {subset: mask for subset, mask in dataset.subsets.items() if subset != dataset.split}
        check_counts(len(dataset), subsets, dataset.expected, name, into)
    if images and dataset.image_root is not None:
        check_photographs(faces, dataset.image_root, name, into, declared={}, other_names={})
    into.facts["faces"] = len(dataset)
    return Report(
        path=dataset.spec,
        files={file.name: dataset.format for file in dataset.files},
        facts=dict(into.facts),
        findings=tuple(into.findings),
        protocols=served_protocols(
            name=dataset.name,
            faces=len(dataset),
            total=dataset.expected.get(dataset.split, 0),
            missing_subsets=[subset for subset in dataset.expected if subset not in dataset.subsets],
            rect=dataset.rect is not None,
            scale=dataset.centre_scale is not None,
            train=0,
            all_train=0,
            findings=into.findings,
        ),
    )
