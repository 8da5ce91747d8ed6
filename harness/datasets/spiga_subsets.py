"""The subsets of SPIGA's json, which the file ``db_info.json`` beside it lists by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.readers.spiga_json import subset_rows
from nmebench.datasets.readers.text import read_text
from nmebench.files import FileHash
from nmebench.printable import shown

__all__ = ["FILE", "spiga_subsets"]

FILE = "db_info.json"


def spiga_subsets(
    benchmark: Benchmark, file: Path, root: Path, faces: int
) -> tuple[dict[str, NDArray[np.bool_]], list[FileHash]]:
    """Read the subsets of SPIGA's json that the benchmark knows.

    Args:
        benchmark: the definition of the data set.
        file: SPIGA's json.
        root: the dataset's root; hashes name files relative to it.
        faces: the number of faces N of the json.

    Returns:
        Masks ``[N]`` by the benchmark's names, and the file that was read; both empty without such a file.

    Raises:
        InputError: the file is damaged, or has rows that the json doesn't have.
    """
    place = file.with_name(FILE)
    if not place.is_file():
        return {}, []
    text, digest = read_text(place, root)
    found: dict[str, NDArray[np.bool_]] = {}
    for name, rows in subset_rows(text, shown(place), faces).items():
        subset = benchmark.subset_names.get(name, name)
        if subset in benchmark.counts.get("test", {}) and subset != "test":
            mask = np.zeros(faces, np.bool_)
            mask[rows] = True
            found[subset] = mask
    return found, [digest]
