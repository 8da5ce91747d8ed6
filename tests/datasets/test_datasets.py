"""Specs, formats and splits: what `datasets.load` accepts and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nmebench.synthface
from nmebench import datasets
from nmebench.errors import InputError


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param("wflv:x", r"unknown dataset 'wflv'.*did you mean 'wflw'\?", id="near match"),
        pytest.param("wflw", r"write wflw:PATH", id="no path"),
        pytest.param("wflw:", r"write wflw:PATH", id="empty path"),
        pytest.param("synthface:", r"write synthface:PATH", id="synthface with a colon only"),
        pytest.param("wflw:/no/such/folder", r"/no/such/folder does not exist", id="absent"),
        pytest.param("wflw-geometry:/no/such/folder", r"does not exist", id="absent geometry"),
    ],
)
def test_wrong_specs_are_refused(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        datasets.load(spec)


def test_wrong_formats_splits_and_folders_are_refused(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown format of WFLW 'csv'"):
        datasets.load(f"wflw:{tiny.root}", format="csv")
    with pytest.raises(InputError, match=r"unknown split 'val'"):
        datasets.load(f"wflw:{tiny.root}", split="val")
    with pytest.raises(InputError, match="one format and the split test only"):
        datasets.load(f"wflw-geometry:{tmp_path}", split="train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="does not hold a WFLW annotation file: looked for list_98pt_rect_attr_test"):
        datasets.load(f"wflw:{tmp_path / 'empty'}")
    with pytest.raises(InputError, match=rf"write NAME:PATH, such as wflw:{tmp_path}"):
        datasets.load(str(tmp_path))
    with pytest.raises(InputError, match="name its folder"):
        datasets.load("synthface", split="train")
    tiny.json.unlink()
    with pytest.raises(InputError, match=r"does not hold face_landmarks_wflw_test\.json"):
        datasets.load(f"wflw:{tiny.root}", format="mmpose-json")


def test_names_and_descriptions() -> None:
    assert datasets.names() == (
        *("wflw", "300w", "300w-private", "cofw", "cofw68", "aflw", "lapa"),
        *("wflw-geometry", "landmarks", "benchmark", "python", "synthface"),
    )
    assert datasets.describe("wflw").startswith("wflw:PATH")
    with pytest.raises(InputError, match="unknown dataset"):
        datasets.describe("300-W")


def test_synthface_reads_folder_in_wflw_layout(tiny: Any) -> None:
    dataset = datasets.load(f"synthface:{tiny.root}")
    assert (dataset.name, dataset.expected["test"], dataset.expected["blur"]) == ("synthface", 500, 155)
    assert dataset.describe() == "6 of 500 faces"


def test_synthface_without_path_uses_the_cache(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmebench.synthface, "cached", lambda: tiny.root, raising=False)
    assert datasets.load("synthface").spec == "synthface"
