"""Scores from raw landmarks, and landmarks of other programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nmebench import metrics, scoring
from nmebench.errors import InputError
from nmebench.runs.run_store import Run

DARK = ("net", "dark", "flip+shift", "landmarks")
ARGMAX = ("net", "argmax", "none", "landmarks")


@pytest.fixture
def run(make_run):
    nme = np.where(np.arange(60) % 10 == 0, 12.0, 4.0)
    return make_run({DARK: nme, ARGMAX: nme + 1}, expected={"test": 2500, "pose": 326})


def test_scores_hold_every_cell_and_subset(run):
    scores = run.scores
    assert list(scores.columns) == list(scoring.COLUMNS)
    assert list(scores["subset"]) == ["test", "pose", "blur"] * 2
    row = scores.iloc[0]
    assert row["nme"] == pytest.approx(4.8, abs=1e-5)
    assert (row["fr10"], row["fr10_count"], row["faces"]) == (10.0, 6, 60)
    assert row["auc10"] == pytest.approx(0.9 * 0.6, abs=1e-6)
    assert row["expected_faces"] == 2500
    assert pd.isna(scores.iloc[2]["expected_faces"])
    for metric in ("nme", "fr10", "auc10"):
        assert (scores[f"{metric}_low"] <= scores[metric]).all()
        assert (scores[metric] <= scores[f"{metric}_high"]).all()


def test_per_face_is_the_nme_of_the_stored_landmarks(run):
    for cell in run.record.cells:
        errors = metrics.point_errors(run.landmarks(cell.id), run.faces.landmarks)
        np.testing.assert_array_equal(run.per_face[cell.id], metrics.nme(errors, run.faces.normaliser))


def test_an_old_run_is_scored_again_to_the_same_bytes(run):
    before = {name: (run.path / name).read_bytes() for name in ("scores.csv", "per_face.parquet")}
    for name in before:
        (run.path / name).unlink()
    scoring.score(Run.open(run.path), resamples=200)
    assert {name: (run.path / name).read_bytes() for name in before} == before


def test_intervals_do_not_depend_on_threads(run):
    script = "import sys\nfrom nmebench import runs, scoring\nscoring.score(runs.Run.open(sys.argv[1]))"
    found = set()
    for threads in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", script, str(run.path)],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
            check=True,
        )
        found.add((run.path / "scores.csv").read_bytes())
    assert len(found) == 1


def test_landmarks_that_are_no_numbers_name_cell_and_face(make_run):
    nme = np.full(60, 4.0)
    nme[7] = np.nan
    with pytest.raises(InputError, match=r"net__dark.*1 faces.*face 7 \(line 8"):
        make_run({DARK: nme})


def test_spigas_300w_predictions(shared, tmp_path):
    """The published NME 2.9937 (inter-ocular) of SPIGA on 300-W public, from its own predictions."""
    file = shared / "oracle" / "metrics" / "spiga_real_300wpublic.npz"
    landmarks, names = scoring.import_predictions(Path(f"{file}::pred"))
    truth, _ = scoring.import_predictions(Path(f"{file}::gt"))
    assert names is None
    assert landmarks.shape == (689, 68, 2)
    distance = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=1)
    nme = metrics.nme(metrics.point_errors(landmarks.astype(np.float32), truth), distance)
    assert round(float(nme.mean()), 4) == 2.9937


class TestImport:
    """Every form, and what is refused."""

    landmarks = np.random.default_rng(0).uniform(0, 100, (3, 5, 2))

    def csv(self, path, first, column):
        header = [first, *(f"{a}{k}" for k in range(5) for a in "xy")]
        rows = [[c, *map(repr, map(float, face.ravel()))] for c, face in zip(column, self.landmarks, strict=True)]
        path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n")
        return path

    @pytest.mark.parametrize("flat", [False, True], ids=["points", "flat"])
    @pytest.mark.parametrize("kind", ["npz", "npz-named", "npy"])
    def test_arrays(self, tmp_path, kind, flat):
        array = self.landmarks.reshape(3, -1) if flat else self.landmarks
        path = tmp_path / f"p.{kind[:3]}"
        if kind == "npy":
            np.save(path, array)
        else:
            np.savez_compressed(path, **{"landmarks" if kind == "npz" else "mine": array})
        found, names = scoring.import_predictions(path if kind != "npz-named" else tmp_path / "p.npz::mine")
        np.testing.assert_array_equal(found, self.landmarks)
        assert names is None

    def test_csv_by_face_in_any_order(self, tmp_path):
        found, names = scoring.import_predictions(self.csv(tmp_path / "p.csv", "face", [2, 0, 1]))
        np.testing.assert_array_equal(found, self.landmarks[[1, 2, 0]])
        assert names is None

    def test_csv_by_image_keeps_the_order_and_checks_it(self, tmp_path):
        path = self.csv(tmp_path / "p.csv", "image", ["a.jpg", "a.jpg", "b.jpg"])
        found, names = scoring.import_predictions(path, images=["x/a.jpg", "x/a.jpg", "x/b.jpg"])
        np.testing.assert_array_equal(found, self.landmarks)
        assert names == ("a.jpg", "a.jpg", "b.jpg")
        with pytest.raises(InputError, match=r"row 3 is of 'a.jpg', but face 1 .* 'b.jpg'"):
            scoring.import_predictions(path, images=["a.jpg", "b.jpg", "a.jpg"])

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param("x,y\n1,2\n", "header begins", id="header"),
            pytest.param("face,x0,y0\n0,1\n", "row 2 has 2 fields", id="short-row"),
            pytest.param("face,x0,y0\n0,1,a\n", "row 2: could not convert", id="text"),
            pytest.param("face,x0,y0\n0,1,nan\n", "face 0 has a coordinate", id="nan"),
            pytest.param("face,x0,y0\n0,1,2\n2,1,2\n", "face 1 is missing", id="missing-face"),
            pytest.param("face,x0,y0\n0,1,2\n0,1,2\n", "face 1 is missing or given twice", id="twice"),
            pytest.param("", "header begins", id="empty"),
        ],
    )
    def test_bad_csv(self, tmp_path, content, message):
        path = tmp_path / "p.csv"
        path.write_text(content)
        with pytest.raises(InputError, match=message) as error:
            scoring.import_predictions(path)
        assert "\n" not in str(error.value)

    def test_a_pickle_is_not_run(self, tmp_path):
        class Planted:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "executed"),)

        for name, save in (("p.npy", np.save), ("p.npz", lambda p, a: np.savez(p, landmarks=a))):
            save(tmp_path / name, np.array([Planted()], dtype=object))
            with pytest.raises(InputError, match=r"pickle|[Oo]bject"):
                scoring.import_predictions(tmp_path / name)
        assert not (tmp_path / "executed").exists()

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            pytest.param("p.npz", b"PK", "can't be read", id="broken-zip"),
            pytest.param("p.npy", b"\x93NUMPY", "not an array", id="broken-npy"),
            pytest.param("p.txt", b"", "suffix", id="suffix"),
        ],
    )
    def test_broken_files(self, tmp_path, name, content, message):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            scoring.import_predictions(tmp_path / name)

    def test_other_key_and_missing_file(self, tmp_path):
        np.savez(tmp_path / "p.npz", other=self.landmarks)
        with pytest.raises(InputError, match=r"no array 'landmarks', there are: other"):
            scoring.import_predictions(tmp_path / "p.npz")
        with pytest.raises(InputError, match="can't be read"):
            scoring.import_predictions(tmp_path / "none.csv")

    def test_too_large_once_unpacked(self, tmp_path, monkeypatch):
        np.savez_compressed(tmp_path / "p.npz", landmarks=np.zeros((1000, 98, 2)))
        monkeypatch.setattr("nmebench.scoring.read_predictions._LIMIT", 100_000)
        with pytest.raises(InputError, match="unpacks to"):
            scoring.import_predictions(tmp_path / "p.npz")
