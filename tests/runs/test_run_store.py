"""A run folder returns stored values unchanged, and errors name the damaged file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.runs import stored_table
from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_record import RunRecord
from nmebench.runs.run_store import Run


def test_every_part_is_returned_as_written(run: Run, face_table: FaceTable) -> None:
    cell = run.record.cells[0].id
    assert tuple(run.faces.image) == tuple(face_table.image)
    np.testing.assert_array_equal(run.faces.landmarks, face_table.landmarks)
    np.testing.assert_array_equal(run.faces.subsets["pose"], face_table.subsets["pose"])
    np.testing.assert_array_equal(run.faces.clusters[:2], run.faces.clusters[[1, 0]])
    assert len(set(run.faces.clusters.tolist())) == 5
    np.testing.assert_array_equal(run.landmarks(cell), (face_table.landmarks + 1).astype(np.float32))
    assert run.confidence(cell).shape == (6, 98)
    assert run.per_face[cell].shape == (6,)
    assert run.timings == {"total": 1.5}
    thumbnails = run.thumbnails
    assert thumbnails is not None
    assert thumbnails[3].jpeg == bytes([3, 255])
    np.testing.assert_array_equal(thumbnails[3].warp, np.arange(6.0).reshape(2, 3) + 3)
    assert run.model("net").architecture == "onnx"
    assert run.cell(cell).decoder == "dark"
    assert run.read_json("nothing.json") is None


def test_partial_dataset_is_described_and_not_complete(run: Run) -> None:
    assert not run.record.dataset.complete
    complete = run.record.dataset.model_copy(update={"counts": {"test": 2500}, "coverage": "2500 faces"})
    assert (complete.complete, complete.describe(), run.record.dataset.describe()) == (True, "2500 faces", "6 faces")


def test_record_with_fields_of_a_later_minor_version_loads(run: Run) -> None:
    raw = json.loads((run.path / "run.json").read_text())
    raw["a_later_field"] = 1
    (run.path / "run.json").write_text(json.dumps(raw))
    assert Run.open(run.path).record.cells == run.record.cells


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('{"schema_version": 99}', "version 99", id="another schema version"),
        pytest.param("[1]", "version None", id="not an object"),
        pytest.param("{", "not a json.*with --overwrite", id="cut short"),
        pytest.param('{"schema_version": 1}', "not a run record", id="fields missing"),
    ],
)
def test_damaged_record_is_named(run: Run, text: str, message: str) -> None:
    (run.path / "run.json").write_text(text)
    with pytest.raises(InputError, match=message):
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


def test_run_without_thumbnails_and_timings(
    tmp_path: Path, face_table: FaceTable, record: Callable[[str], RunRecord]
) -> None:
    run = Run.create(tmp_path, record("c"), face_table)
    assert run.thumbnails is None
    assert run.timings == {}


def test_tables_are_read_without_threads(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyarrow's threads may outlive the interpreter, which then ends with SIGABRT."""
    given = []

    class Recorded(stored_table.pq.ParquetFile):
        def __init__(self, *arguments: object, **options: object) -> None:
            given.append(options)
            super().__init__(*arguments, **options)

        def read_row_group(self, number: int, **options: object) -> object:
            given.append({name: options[name] for name in ("use_threads",)})
            return super().read_row_group(number, **options)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("read_table starts threads of a scanner, even with use_threads=False")

    monkeypatch.setattr(stored_table.pq, "ParquetFile", Recorded)
    monkeypatch.setattr(stored_table.pq, "read_table", refuse)
    assert len(run.faces) == 6
    assert run.per_face
    assert run.thumbnails
    assert run.thumbnails[0].jpeg
    assert [options["pre_buffer"] for options in given[::2]] == [False] * 4
    assert given[1::2] == [{"use_threads": False}] * 4


@pytest.mark.slow
def test_processes_that_read_runs_end_normally_under_load(run: Run) -> None:
    """160 processes, sixteen at a time. With pyarrow's threads, 14 of 136 ended with SIGABRT."""
    code = (
        "import sys; from nmebench.runs.run_store import Run; run = Run.open(sys.argv[1]); "
        "print(len(run.faces), len(run.per_face), len(run.thumbnails))"
    )

    def read(_: int) -> int:
        return subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, check=False).returncode

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(read, range(160))) == {0}


def test_names_that_look_like_numbers_stay_names(run: Run) -> None:
    text = (run.path / "scores.csv").read_text().replace(",net,", ",1e5,")
    (run.path / "scores.csv").write_text(text)
    assert set(Run.open(run.path).scores["model"]) == {"1e5"}


def test_scores_with_many_columns_are_refused_quickly(run: Run) -> None:
    file = run.path / "scores.csv"
    header, _, rows = file.read_text().partition("\n")
    file.write_text(f"{header}{',' * 2_000_000}\n{rows}")
    with pytest.raises(InputError, match=r"scores\.csv: damaged \(has 2000020 columns\); write it again"):
        Run.open(run.path).scores  # noqa: B018 - the property reads the file


@pytest.mark.parametrize("thresholds", [[], [0.05], [10, 10], ["ten"], [None], 10, {"a": 1}])
def test_damaged_thresholds_are_refused(run: Run, thresholds: object) -> None:
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**record, "thresholds": thresholds}))
    with pytest.raises(InputError, match=r"run\.json: damaged \(not a run record: thresholds") as error:
        Run.open(run.path)
    assert "\n" not in str(error.value)


def test_scores_at_other_thresholds_than_the_record_are_refused(run: Run) -> None:
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**record, "thresholds": [8]}))
    with pytest.raises(InputError, match=r"scores\.csv: damaged \(has no column 'fr8'\); write it again"):
        Run.open(run.path).scores  # noqa: B018
