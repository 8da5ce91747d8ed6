"""The faces of a benchmark from an npz, which other programs write more easily than annotation files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nmebench.datasets import landmarks
from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.locate import find_image_folder

__all__ = ["is_arrays", "load"]


def is_arrays(place: str | None) -> bool:
    """Return whether the place of a spec is an npz, ``FILE.npz`` or ``FILE.npz::ARRAY``.

    Example:
        >>> is_arrays("truth.npz::gt"), is_arrays("folder")
        (True, False)
    """
    return place is not None and Path(place.partition("::")[0]).suffix.lower() == ".npz"


def load(benchmark: Benchmark, place: str, *, spec: str, format: str | None = None, split: str = "test") -> Dataset:  # noqa: A002
    """Load the faces of an npz with the arrays of :mod:`nmebench.datasets.landmarks` as those of a benchmark.

    Args:
        benchmark: the definition of the data set.
        place: ``FILE.npz`` or ``FILE.npz::ARRAY``.
        spec: as the user gave it, kept in the result.
        format: must be None.
        split: must be ``test``.

    Raises:
        InputError: the file can't be read, or its landmarks are not those of the benchmark's scheme.
    """
    scheme = benchmark.landmark_scheme
    found = landmarks.load(
        place,
        spec=spec,
        format=format,
        split=split,
        scheme=scheme,
        usual=benchmark.normaliser,
        complete=benchmark.unlabelled == "refuse",
    )
    return replace(
        found,
        name=benchmark.name,
        scheme=scheme,
        expected=benchmark.expected(split),
        thresholds=benchmark.thresholds,
        usual_normaliser=benchmark.normaliser,
        image_root=find_image_folder(
            found.root / found.files[0].name, found.root, found.images, benchmark.image_folders
        ),
        origin=benchmark.origins.get(found.format),
    )
