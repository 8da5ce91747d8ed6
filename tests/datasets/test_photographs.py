"""The hash of the photographs' content, and remarks on them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nmebench import datasets
from nmebench.datasets.photographs import survey_photographs


def load(tiny: Any) -> datasets.Dataset:
    return datasets.load(f"wflw:{tiny.attr}")


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(flip_a_byte, id="content"),
        pytest.param(Path.unlink, id="missing"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes((path.parent / "d'd.jpg").read_bytes()), id="another photograph"),
    ],
)
def test_changed_photograph_changes_the_hash(tiny: Any, change: Callable[[Path], object]) -> None:
    """Planted fault: a photograph is replaced while its size and modification time are kept."""
    before = datasets.photographs_sha256(load(tiny))
    path = tiny.root / "WFLW_images/1--B/c.jpg"
    status = path.stat()
    change(path)
    if path.exists():
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert datasets.photographs_sha256(load(tiny)) != before
    assert len(before) == 64


def test_times_do_not_change_the_hash(tiny: Any) -> None:
    before = datasets.photographs_sha256(load(tiny))
    os.utime(tiny.root / "WFLW_images/1--B/c.jpg", ns=(1, 1))
    assert datasets.photographs_sha256(load(tiny)) == before


def test_names_and_contents_cannot_be_confused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    found = {survey_photographs(tmp_path, names).sha256 for names in (["a"], ["b"], ["a", "b"], ["b", "a"], [])}
    assert len(found) == 5


def test_dataset_without_photographs_has_an_empty_hash() -> None:
    assert survey_photographs(None, ["a.jpg"]).sha256 == ""


def test_photographs_are_read_once(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = load(tiny)
    first = datasets.photographs_sha256(dataset)
    monkeypatch.setattr("nmebench.datasets.photographs.read_bounded", lambda *_: pytest.fail("read again"))
    assert datasets.photographs_sha256(dataset) == first
    assert dataset.with_photograph_notes() is dataset


def test_photograph_without_end_marker_is_a_note(tiny: Any) -> None:
    path = tiny.root / "WFLW_images/1--B/c.jpg"
    path.write_bytes(path.read_bytes()[:-2])
    notes = load(tiny).with_photograph_notes().notes
    assert notes[-1].startswith("1 photographs have no end marker, the first is 1--B/c.jpg")
