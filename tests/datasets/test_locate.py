"""The search for annotation files and photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nmebench import datasets
from nmebench.datasets import locate
from nmebench.errors import InputError


def test_two_lists_of_one_name_at_one_depth_are_refused(tiny: Any) -> None:
    other = tiny.attr.parent.with_name("copy") / tiny.attr.name
    other.parent.mkdir()
    other.write_bytes(tiny.attr.read_bytes())
    with pytest.raises(InputError, match=r"holds list_98pt_rect_attr_test\.txt twice"):
        datasets.load(f"wflw:{tiny.root}")


def test_single_list_of_any_name_is_found(tiny: Any, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "my faces.txt").write_bytes(tiny.attr.read_bytes())
    (folder / "readme.txt").write_text("nothing of interest\n")
    assert len(datasets.load(f"wflw:{folder}")) == 6


def test_test_list_is_not_read_as_training_list(tiny: Any, tmp_path: Path) -> None:
    for name in (tiny.attr.name, "my_test.txt"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_bytes(tiny.attr.read_bytes())
        assert len(datasets.load(f"wflw:{folder}")) == 6
        with pytest.raises(InputError, match="does not hold a WFLW annotation file"):
            datasets.load(f"wflw:{folder}", split="train")


def test_images_folder_beside_csv_is_found(tiny: Any) -> None:
    (tiny.root / "WFLW_images").rename(tiny.csv.parent / "images")
    assert datasets.load(f"wflw:{tiny.csv}").image_root == tiny.csv.parent / "images"


def test_unsearchable_folders_are_refused(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "MAX_ENTRIES", 5)
    with pytest.raises(InputError, match="holds too many files to search: name the annotation file"):
        datasets.load(f"wflw:{tiny.root}")

    def refused(folder: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(locate.os, "scandir", refused)
    with pytest.raises(InputError, match="can't be listed: Permission denied"):
        datasets.load(f"wflw:{tiny.root}")


def test_folder_of_photographs_is_not_searched(tiny: Any) -> None:
    (tiny.root / "WFLW_images" / tiny.attr.name).write_bytes(tiny.attr.read_bytes())
    assert len(datasets.load(f"wflw:{tiny.root}")) == 6
