"""The run folder: what is written comes back, and what is damaged is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nmebench import scoring
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.runs.run_store import (
    CellRecord,
    DatasetRecord,
    FaceTable,
    ModelRecord,
    Provenance,
    Run,
    RunRecord,
    Thumbnail,
    cell_id,
)
from nmebench.runs.run_writer import publish, writing

FACES, POINTS = 6, 98


def _faces() -> FaceTable:
    generator = np.random.default_rng(0)
    return FaceTable(
        image=("a/ä b.jpg", "a/ä b.jpg", "c\udcff.jpg", "d'\"\n.jpg", "e.jpg", "f.jpg"),
        line=np.arange(1, FACES + 1),
        landmarks=generator.uniform(0, 300, (FACES, POINTS, 2)),
        normaliser=generator.uniform(50, 60, FACES),
        subsets={"test": np.ones(FACES, bool), "pose": np.arange(FACES) % 2 == 0},
        centre=generator.uniform(0, 300, (FACES, 2)),
        size=generator.uniform(100, 200, (FACES, 2)),
    )


def _record(cell: str) -> RunRecord:
    return RunRecord(
        dataset=DatasetRecord(
            name="wflw", spec="wflw:X", format="official-attr", scheme="wflw98", faces=FACES,
            expected={"test": 2500}, counts={"test": FACES, "pose": 3},
        ),
        models=[ModelRecord(name="net", architecture="onnx", card={"name": "net"}, input_size=(256, 256))],
        cells=[CellRecord(id=cell, model="net", decoder="dark", flip="none", box="landmarks")],
        provenance=Provenance(nmebench="0"),
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Run:
    cell = cell_id("net", "dark", "none", "landmarks")
    faces = _faces()
    Run.write_cell(tmp_path, cell, faces.landmarks + 1, np.ones((FACES, POINTS)))
    thumbnails = [Thumbnail(bytes([n, 255]), (64, 32), np.arange(6.0).reshape(2, 3) + n) for n in range(FACES)]
    run = Run.create(tmp_path, _record(cell), faces, thumbnails=thumbnails, timings={"total": 1.5})
    scoring.score(run)
    return Run.open(tmp_path)


def test_everything_comes_back(run: Run) -> None:
    written, cell = _faces(), run.record.cells[0].id
    assert tuple(run.faces.image) == tuple(written.image)
    np.testing.assert_array_equal(run.faces.landmarks, written.landmarks)
    np.testing.assert_array_equal(run.faces.subsets["pose"], written.subsets["pose"])
    np.testing.assert_array_equal(run.faces.clusters[:2], run.faces.clusters[[1, 0]])
    assert len(set(run.faces.clusters.tolist())) == 5
    np.testing.assert_array_equal(run.landmarks(cell), (written.landmarks + 1).astype(np.float32))
    assert run.confidence(cell).shape == (FACES, POINTS)
    assert run.per_face[cell].shape == (FACES,)
    assert run.timings == {"total": 1.5}
    thumbnails = run.thumbnails
    assert thumbnails is not None
    assert thumbnails[3].jpeg == bytes([3, 255])
    np.testing.assert_array_equal(thumbnails[3].warp, np.arange(6.0).reshape(2, 3) + 3)
    assert run.model("net").architecture == "onnx"
    assert run.cell(cell).decoder == "dark"
    assert run.read_json("nothing.json") is None


def test_partial_set_says_so_and_is_not_complete(run: Run) -> None:
    assert not run.record.dataset.complete
    whole = run.record.dataset.model_copy(update={"counts": {"test": 2500}, "coverage": "2500 faces"})
    assert (whole.complete, whole.describe(), run.record.dataset.describe()) == (True, "2500 faces", "6 faces")


def test_record_of_a_later_minor_version_still_loads(run: Run) -> None:
    raw = json.loads((run.path / "run.json").read_text())
    raw["a_field_of_tomorrow"] = 1
    (run.path / "run.json").write_text(json.dumps(raw))
    assert Run.open(run.path).record.cells == run.record.cells


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('{"schema_version": 99}', "version 99", id="of another schema"),
        pytest.param("[1]", "version None", id="no object"),
        pytest.param("{", "not a run record", id="cut short"),
        pytest.param('{"schema_version": 1}', "not a run record", id="fields missing"),
    ],
)
def test_damaged_record_is_named(run: Run, text: str, says: str) -> None:
    (run.path / "run.json").write_text(text)
    with pytest.raises(InputError, match=says):
        Run.open(run.path)


def test_missing_parts_are_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run here"):
        Run.open(tmp_path / "nowhere")
    (run.path / "faces.parquet").unlink()
    with pytest.raises(InputError, match=r"faces\.parquet"):
        _ = run.faces
    with pytest.raises(InputError, match=r"'netz'.*net"):
        run.model("netz")
    with pytest.raises(InputError, match=r"'x'.*dark"):
        run.cell("x")


def test_run_without_pictures_and_timings(tmp_path: Path) -> None:
    run = Run.create(tmp_path, _record("c"), _faces())
    assert run.thumbnails is None
    assert run.timings == {}


def test_cell_names_are_file_names() -> None:
    assert cell_id("My Net/2", "dark:kernel=17", "flip+shift", "land marks") == (
        "my-net-2__dark-kernel=17__flip+shift__land-marks"
    )


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    write_atomically(file, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, "new")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_publishing_replaces_a_run_as_a_whole(run: Run, tmp_path: Path) -> None:
    run.write_json("verdict.json", {"rows": []})
    out = tmp_path / "out"
    with writing(out, overwrite=False) as work:
        staging = work / "run"
        staging.mkdir()
        Run.create(staging, _record("c"), _faces())
        Run.write_cell(staging, "c", _faces().landmarks, np.ones((FACES, POINTS)))
        publish(staging, out)
    assert sorted(path.name for path in out.iterdir()) == ["confidence", "faces.parquet", "landmarks", "run.json"]
    with pytest.raises(InputError, match="already holds a run"), writing(out, overwrite=False):
        pass


def test_full_disk_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as caught, writing(tmp_path / "out", overwrite=False):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "out")


def test_file_in_the_place_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="is a file"), writing(tmp_path / "out", overwrite=True):
        pass
