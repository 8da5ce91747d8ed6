"""Run folders are written by one process, completely or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.runs import run_writer
from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_record import RunRecord
from nmebench.runs.run_store import Run
from nmebench.runs.run_writer import CellWriter, publish, writing
from nmebench.runs.thumbnail import Thumbnail


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6], [6, 0, 1, 5, 3, 4, 2]], ids=["in order", "shuffled"])
def test_cell_written_in_parts_has_the_same_bytes(tmp_path: Path, order: list[int]) -> None:
    generator = np.random.default_rng(0)
    landmarks = generator.normal(size=(7, 5, 2)).astype(np.float32)
    confidence = generator.random((7, 5)).astype(np.float32)
    for folder in ("parts", "once"):
        (tmp_path / folder).mkdir()
    Run.write_cell(tmp_path / "once", "c", landmarks, confidence)
    writer = CellWriter(tmp_path / "parts", "c", 7, 5)
    for start in range(0, 7, 3):
        rows = np.asarray(order[start : start + 3])
        writer.write(rows, landmarks[rows], confidence[rows])
    for name in ("landmarks/c.npy", "confidence/c.npy"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "once" / name).read_bytes()


def test_publishing_replaces_every_file_of_the_old_run(
    tmp_path: Path, face_table: FaceTable, record: Callable[[str], RunRecord]
) -> None:
    out = tmp_path / "out"
    for cell, thumbnails in (("old", [Thumbnail(b"jpeg", (1, 1), np.eye(2, 3))] * 6), ("new", None)):
        with writing(out, overwrite=True) as work:
            staging = work / "run"
            staging.mkdir()
            Run.write_cell(staging, cell, face_table.landmarks, np.ones(face_table.landmarks.shape[:2]))
            publish(Run.create(staging, record(cell), face_table, thumbnails=thumbnails).path, out)
        if cell == "old":
            for name in run_writer._FILES:
                (out / name).touch()
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {"confidence/new.npy", "faces.parquet", "landmarks/new.npy", "run.json"}
    with pytest.raises(InputError, match="already holds a run"), writing(out, overwrite=False):
        pass


def test_publishing_refuses_a_file_that_it_would_not_replace(run: Run, tmp_path: Path) -> None:
    (run.path / "new.json").touch()
    with pytest.raises(ValueError, match=r"new\.json is missing in _FILES"):
        publish(run.path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_full_disk_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as caught, writing(tmp_path / "out", overwrite=False):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "out")


def test_file_with_the_name_of_the_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="is a file"), writing(tmp_path / "out", overwrite=True):
        pass


@pytest.mark.parametrize("name", ["landmarks", "run.json", ".work"])
def test_link_in_an_overwritten_folder_is_refused_before_anything_is_removed(
    run: Run, tmp_path: Path, name: str
) -> None:
    elsewhere = tmp_path.parent / f"elsewhere-{name}"
    if (run.path / name).exists():
        (run.path / name).rename(elsewhere)
    else:
        elsewhere.mkdir()
    (run.path / name).symlink_to(elsewhere)
    before = (run.path / "run.json").read_bytes()
    with pytest.raises(InputError, match=rf"{name}: is a link.*-o"), writing(run.path, overwrite=True):
        pass
    staging = tmp_path / "staging"
    staging.mkdir()
    with pytest.raises(InputError, match="is a link"):
        publish(staging, run.path)
    assert (run.path / "run.json").read_bytes() == before
    assert Run.open(run.path).faces.image


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(OSError(37, "No locks available"), id="ENOLCK"),
        pytest.param(OSError(95, "Not supported"), id="EOPNOTSUPP"),
    ],
)
def test_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: OSError) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise refusal

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(InputError, match=r"refuses the lock.*-o"), writing(tmp_path / "out", overwrite=False):
        pass


def test_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"File name too long.*-o"), writing(tmp_path / ("x" * 300), overwrite=False):
        pass
