"""A data set written in nmebench's own format and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import datasets
from nmebench.datasets.write_faces import write
from nmebench.errors import InputError


def test_the_same_faces_are_read_back(tiny: Any, tmp_path: Path) -> None:
    before = datasets.load(f"wflw:{tiny.root}")
    definition = write(before, tmp_path / "out", "mine")
    assert before.image_root is not None
    (tmp_path / "out" / "images").symlink_to(before.image_root)
    after = datasets.load(f"benchmark:{definition}")
    np.testing.assert_array_equal(after.landmarks, before.landmarks)
    np.testing.assert_array_equal(after.rect, before.rect)
    assert after.images == before.images
    assert after.scheme == before.scheme
    assert after.name == "mine"
    assert {name: mask.tolist() for name, mask in after.subsets.items()} == {
        name: mask.tolist() for name, mask in before.subsets.items() if mask.any()
    }
    assert after.complete
    assert after.photographs.sha256 == before.photographs.sha256


def test_a_scheme_of_ones_own_is_written_out(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "two.toml").write_text(
        'name = "two"\ntitle = "Two"\n[files.test]\nfaces-json = "two.json"\n[scheme]\nname = "two2"\npoints = 2\n'
        'default_normaliser = "width"\nflip = { pairs = [[0, 1]] }\ngroups = { eyes = [0, 1] }\n'
        'normalisers.width = { kind = "distance", first = [0], second = [1], source = "ours" }\n'
    )
    (folder / "two.json").write_text('{"faces": [{"image": "a.jpg", "landmarks": [[1, 2], [0.1, 7]]}]}')
    before = datasets.load(f"benchmark:{folder / 'two.toml'}")
    after = datasets.load(f"benchmark:{write(before, tmp_path, 'again')}")
    assert after.scheme.normalisers == before.scheme.normalisers
    assert after.scheme.groups == before.scheme.groups
    np.testing.assert_array_equal(after.landmarks, before.landmarks)


def test_nothing_is_overwritten_and_no_name_is_taken(tiny: Any, tmp_path: Path) -> None:
    dataset = datasets.load(f"wflw:{tiny.root}")
    write(dataset, tmp_path, "mine")
    with pytest.raises(InputError, match="exists; choose another name"):
        write(dataset, tmp_path, "mine")
    with pytest.raises(InputError, match="the name 'wflw' belongs to a data set of nmebench"):
        write(dataset, tmp_path, "wflw")


@pytest.mark.parametrize("name", ["../mine", "Mine", "", "python"])
def test_a_name_that_no_definition_can_have_is_refused_before_anything_is_written(
    tiny: Any, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match=r"name: must be at most 41 lower-case|belongs to a data set of nmebench"):
        write(datasets.load(f"wflw:{tiny.root}"), tmp_path / "out", name)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "mine.json").exists()
