"""Landmarks that other programs predicted."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nmebench import metrics, scoring
from nmebench.errors import InputError

LANDMARKS = np.random.default_rng(0).uniform(0, 100, (3, 5, 2))


def write_csv(path, first, column):
    header = [first, *(f"{a}{k}" for k in range(5) for a in "xy")]
    rows = [[c, *map(repr, map(float, face.ravel()))] for c, face in zip(column, LANDMARKS, strict=True)]
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n")
    return path


def test_spiga_300w_predictions_give_the_published_nme(shared, tmp_path):
    """The published NME 2.9937 (inter-ocular) of SPIGA on 300-W public, from its own predictions."""
    file = shared / "oracle" / "metrics" / "spiga_real_300wpublic.npz"
    landmarks, names = scoring.import_predictions(Path(f"{file}::pred"))
    truth, _ = scoring.import_predictions(Path(f"{file}::gt"))
    assert names is None
    assert landmarks.shape == (689, 68, 2)
    distance = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=1)
    nme = metrics.nme(metrics.point_errors(landmarks.astype(np.float32), truth), distance)
    assert round(float(nme.mean()), 4) == 2.9937


@pytest.mark.parametrize("flat", [False, True], ids=["points", "flat"])
@pytest.mark.parametrize("kind", ["npz", "npz-named", "npy"])
def test_arrays_are_read(tmp_path, kind, flat):
    array = LANDMARKS.reshape(3, -1) if flat else LANDMARKS
    path = tmp_path / f"p.{kind[:3]}"
    if kind == "npy":
        np.save(path, array)
    else:
        np.savez_compressed(path, **{"landmarks" if kind == "npz" else "mine": array})
    found, names = scoring.import_predictions(path if kind != "npz-named" else tmp_path / "p.npz::mine")
    np.testing.assert_array_equal(found, LANDMARKS)
    assert names is None


def test_csv_with_face_numbers_is_sorted(tmp_path):
    found, names = scoring.import_predictions(write_csv(tmp_path / "p.csv", "face", [2, 0, 1]))
    np.testing.assert_array_equal(found, LANDMARKS[[1, 2, 0]])
    assert names is None


def test_csv_with_image_names_must_be_in_list_order(tmp_path):
    path = write_csv(tmp_path / "p.csv", "image", ["a.jpg", "a.jpg", "b.jpg"])
    found, names = scoring.import_predictions(path, images=["x/a.jpg", "x/a.jpg", "x/b.jpg"])
    np.testing.assert_array_equal(found, LANDMARKS)
    assert names == ("a.jpg", "a.jpg", "b.jpg")
    with pytest.raises(InputError, match=r"row 3 names 'a.jpg', but face 1 .* 'b.jpg'"):
        scoring.import_predictions(path, images=["a.jpg", "b.jpg", "a.jpg"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("x,y\n1,2\n", "header begins with", id="header"),
        pytest.param("face,x0,y0\n0,1\n", "row 2 has 2 fields", id="short-row"),
        pytest.param("face,x0,y0\n0,1,a\n", "row 2: landmark 0 y is 'a', not a number", id="text"),
        pytest.param("face,x0,y0\n0,1,1_0.5\n", "row 2: landmark 0 y is '1_0.5', not a number", id="underscore"),
        pytest.param('face,x0,y0\n0,1,"2,5"\n', "write a decimal point", id="decimal-comma"),
        pytest.param("face,x0,y0\n1_0,1,2\n", "column face has '1_0'", id="face-underscore"),
        pytest.param("face,x0,y0\n0,1,nan\n", "row 2: landmark 0 y is nan, not a finite number", id="nan"),
        pytest.param("face,x0,y0\n0,1,2\n2,1,2\n", "face 1 is missing", id="missing-face"),
        pytest.param("face,x0,y0\n0,1,2\n0,1,2\n", "face 1 is missing or repeated", id="twice"),
        pytest.param("", "header begins with", id="empty"),
    ],
)
def test_bad_csv_is_refused(tmp_path, content, message):
    path = tmp_path / "p.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        scoring.import_predictions(path)
    assert "\n" not in str(error.value)


def test_pickles_are_not_executed(tmp_path):
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
        pytest.param("p.npz", b"PK", "is not an npz archive", id="broken-zip"),
        pytest.param("p.npy", b"\x93NUMPY", "is not an npy array", id="broken-npy"),
        pytest.param("p.txt", b"", "suffix", id="suffix"),
    ],
)
def test_broken_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        scoring.import_predictions(tmp_path / name)


def test_missing_array_and_missing_file_are_refused(tmp_path):
    np.savez(tmp_path / "p.npz", other=LANDMARKS)
    with pytest.raises(InputError, match=r"no array 'landmarks' \(found: other\)"):
        scoring.import_predictions(tmp_path / "p.npz")
    with pytest.raises(InputError, match=r"none\.csv is missing"):
        scoring.import_predictions(tmp_path / "none.csv")


def test_file_too_large_when_unpacked_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "p.npz", landmarks=np.zeros((1000, 98, 2)))
    monkeypatch.setattr("nmebench.datasets.readers.arrays.MAX_BYTES", 100_000)
    with pytest.raises(InputError, match="unpacks to"):
        scoring.import_predictions(tmp_path / "p.npz")
