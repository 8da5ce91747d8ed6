"""synthface as a dataset: drawn faces in WFLW's layout, from a folder or from the cache."""

from __future__ import annotations

from collections.abc import Mapping

from nmebench import synthface
from nmebench.datasets import benchmark, benchmark_files
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.source import DatasetSource
from nmebench.errors import InputError

__all__ = ["EXPECTED", "SYNTHFACE", "load"]

EXPECTED: Mapping[str, Mapping[str, int]] = {
    "test": {
        "test": 500,
        "pose": 65,
        "expression": 63,
        "illumination": 140,
        "makeup": 41,
        "occlusion": 147,
        "blur": 155,
    }
}
"""Faces of the benchmark's test split, by subset."""


def load(place: str | None, *, spec: str, format: str | None = None, split: str = "test") -> Dataset:  # noqa: A002
    """Load drawn faces.

    Args:
        place: a folder in WFLW's layout; None for the benchmark's test split, which is drawn once and cached.
        spec: as the user gave it, kept in the result.
        format: an annotation format; None to detect it.
        split: ``test`` or ``train``; a training split needs a folder.

    Raises:
        InputError: a training split without a folder, or a file that is missing or wrong.
    """
    if place is None:
        if split != "test":
            raise InputError("synthface without a path is its test split: draw a training split and name its folder")
        place = str(synthface.cached())
    layout = benchmark.load("wflw").model_copy(update={"name": "synthface", "title": "synthface", "counts": EXPECTED})
    return benchmark_files.load(layout, place, spec=spec, format=format, split=split)


SYNTHFACE = DatasetSource(
    summary="synthface or synthface:PATH, drawn faces with exact landmarks, laid out as WFLW", load=load
)
