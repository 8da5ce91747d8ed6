"""The archives of the benchmarks, unpacked into the cache, are data sets that can be read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from nmebench import datasets
from nmebench.fetch import add, fetch
from nmebench.fetch.sources import load_sources

POINTS = np.random.default_rng(0).uniform(20, 200, (68, 2))


def points_file() -> str:
    lines = "\n".join(f"{x} {y}" for x, y in POINTS)
    return f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n"


def archive(path: Path, *faces: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for face in faces:
            file.writestr(f"{face}.pts", points_file())
            file.writestr(f"{face}.jpg", "")
    return path


def test_300w_from_its_three_archives(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    add(archive(tmp_path / "helen.zip", "testset/1_1", "trainset/2_1"), name="300w-helen", cache=cache)
    add(archive(tmp_path / "lfpw.zip", "testset/image_0001"), name="300w-lfpw", cache=cache)
    add(archive(tmp_path / "ibug.zip", "image_003_1"), name="300w-ibug", cache=cache)
    folder = fetch("300w", cache=cache)  # everything is installed: nothing is downloaded and no licence is asked for
    assert folder == cache / "300w"
    found = datasets.load(f"300w:{folder}")
    assert {name: int(mask.sum()) for name, mask in found.subsets.items()} == {"test": 3, "common": 2, "challenge": 1}
    assert sorted(found.images) == ["helen/testset/1_1.jpg", "ibug/image_003_1.jpg", "lfpw/testset/image_0001.jpg"]
    assert found.image_root is not None


@pytest.mark.parametrize("top", ["", "300W/"])
def test_300w_private_from_its_joined_archive(tmp_path: Path, top: str) -> None:
    file = archive(tmp_path / "300w.zip", f"{top}01_Indoor/indoor_001", f"{top}02_Outdoor/outdoor_001")
    folder = add(file, name="300w-private-faces", cache=tmp_path / "cache")
    found = datasets.load(f"300w-private:{folder / top}")
    assert {name: int(mask.sum()) for name, mask in found.subsets.items()} == {"test": 2, "indoor": 1, "outdoor": 1}


def test_the_files_of_a_group_are_in_one_folder() -> None:
    """The path that `data fetch` prints is the PATH of the data set."""
    for name, members in load_sources().groups.items():
        if name.startswith("weights") or name == "cofw68":  # its photographs are in COFW's file
            continue
        folders = {str(load_sources()[member].unpacks_to).partition("/")[0] for member in members}
        assert folders == {name}
