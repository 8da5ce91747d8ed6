"""Landmarks that other programs predicted."""

from __future__ import annotations

import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nmebench import metrics, scoring
from nmebench.errors import InputError

LANDMARKS = np.random.default_rng(0).uniform(0, 100, (3, 5, 2))


def write_csv(path, first, column, landmarks=LANDMARKS):
    header = [first, *(f"{a}{k}" for k in range(5) for a in "xy")]
    keys = [key if isinstance(key, tuple) else (key,) for key in column]
    rows = [[*key, *map(repr, map(float, face.ravel()))] for key, face in zip(keys, landmarks, strict=True)]
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n")
    return path


def test_spiga_300w_predictions_give_the_published_nme(shared, tmp_path):
    """The published NME 2.9937 (inter-ocular) of SPIGA on 300-W public, from its own predictions."""
    file = shared / "oracle" / "metrics" / "spiga_real_300wpublic.npz"
    landmarks, names, *_ = scoring.import_predictions(Path(f"{file}::pred"))
    truth = scoring.import_predictions(Path(f"{file}::gt")).landmarks
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
    found, names, *_ = scoring.import_predictions(path if kind != "npz-named" else tmp_path / "p.npz::mine")
    np.testing.assert_array_equal(found, LANDMARKS)
    assert names is None


def test_csv_with_face_numbers_is_sorted(tmp_path):
    found, names, rows, _ = scoring.import_predictions(write_csv(tmp_path / "p.csv", "face", [2, 0, 1]))
    np.testing.assert_array_equal(found, LANDMARKS[[1, 2, 0]])
    assert names is None
    assert rows == (3, 4, 2)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["x/a.jpg", "y/a.jpg", "y/b c.jpg"], id="as the list"),
        pytest.param(["x\\a.jpg", "y\\a.jpg", "y\\b c.jpg"], id="backslashes"),
        pytest.param(["WFLW_images/x/a.jpg", "WFLW_images/y/a.jpg", "WFLW_images/y/b c.jpg"], id="longer"),
        pytest.param(["C:\\d\\x\\a.jpg", "C:\\d\\y\\a.jpg", "C:\\d\\y\\b c.jpg"], id="drive"),
        pytest.param(["./x/a.jpg", "y//a.jpg", "b c.jpg"], id="shorter where it is unique"),
    ],
)
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]], ids=["list order", "another order"])
def test_rows_are_matched_by_image_name(tmp_path, names, order):
    """Planted fault: rows were taken in the file's order when only base names agreed."""
    path = write_csv(tmp_path / "p.csv", "image", [names[place] for place in order], LANDMARKS[order])
    found = scoring.import_predictions(path, images=["x/a.jpg", "y/a.jpg", "y/b c.jpg"])
    np.testing.assert_array_equal(found.landmarks, LANDMARKS)
    assert found.images == tuple(names)
    assert [2 + order.index(place) for place in range(3)] == list(found.rows)
    np.testing.assert_array_equal(scoring.import_predictions(path).landmarks, LANDMARKS[order])


@pytest.mark.parametrize(
    ("names", "images", "message"),
    [
        pytest.param(
            ["z/a.jpg", "y/b.jpg", "c.jpg"],
            ["x/a.jpg", "y/b.jpg", "c.jpg"],
            r"row 2 names 'z/a.jpg', which is not among .*; 'x/a.jpg' is in another folder",
            id="another folder",
        ),
        pytest.param(
            ["a.jpg", "y/a.jpg", "c.jpg"],
            ["x/a.jpg", "y/a.jpg", "c.jpg"],
            "row 2 names 'a.jpg', which may be 'x/a.jpg' or 'y/a.jpg'; give the path",
            id="base name of two folders",
        ),
        pytest.param(["a", "b", "d"], ["a", "b", "c"], "row 4 names 'd', which is not among", id="unknown"),
        pytest.param(["a", "b", "a"], ["a", "b", "c"], "rows 2 and 4 name the same face in 'a'", id="repeated"),
        pytest.param(
            ["a", "b", "c"], ["a", "b", "c", "d"], "3 rows for 4 faces .*; face 3 in 'd' has no row", id="few"
        ),
        pytest.param(
            ["a", "a", "b"],
            ["a", "a", "b"],
            "row 2 names 'a', which has 2 faces in the dataset; add the column face",
            id="two faces",
        ),
        pytest.param(["", "b", "c"], ["a", "b", "c"], "row 2 names '', which is not among", id="empty"),
    ],
)
def test_rows_that_match_no_single_face_are_refused(tmp_path, names, images, message):
    path = write_csv(tmp_path / "p.csv", "image", names)
    with pytest.raises(InputError, match=message) as caught:
        scoring.import_predictions(path, images=images)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("first", ["face,image", "image,face"])
def test_face_numbers_order_the_faces_of_a_photograph(tmp_path, first):
    names = ["d\\b.jpg", "a.jpg", "a.jpg"]
    faces = [2, 1, 0]
    keys = [(f, n) if first == "face,image" else (n, f) for f, n in zip(faces, names, strict=True)]
    path = write_csv(tmp_path / "p.csv", first, keys)
    found = scoring.import_predictions(path, images=["a.jpg", "a.jpg", "d/b.jpg"])
    np.testing.assert_array_equal(found.landmarks, LANDMARKS[::-1])
    assert found.images == ("a.jpg", "a.jpg", "d\\b.jpg")
    with pytest.raises(InputError, match=r"row 4 names 'a.jpg', but face 0 of the dataset is in 'd/b.jpg'; number the"):
        scoring.import_predictions(path, images=["d/b.jpg", "a.jpg", "a.jpg"])


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
        pytest.param("face,x0,y0\n", "holds no faces", id="no-faces"),
        pytest.param("face,x0,y0\n\n\n0,1,a\n", "row 4: landmark 0 y is 'a'", id="row-after-blank-lines"),
        pytest.param("face,x0,y0\n0,1,1e300\n", r"row 2: landmark 0 y is 1e300, beyond 1e\+09 px", id="too-far"),
        pytest.param("face,face,x0,y0\n0,0,1,2\n", "header begins with", id="face-twice"),
        pytest.param("face,image,y0,x0\n0,a,1,2\n", "header begins with", id="y-before-x"),
        pytest.param("face,x0,y0\n0,1," + "9" * 200_000, "can't be read as csv", id="long-field"),
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
        pytest.param("p.npy::x", b"", "names an array of an npz; leave it out for a .npy file", id="array-of-npy"),
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


def npy(header, data=b""):
    """An npy file with any header."""
    text = header.encode("latin1")
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


HEADERS = {
    "no-faces": ("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 98, 2)}", "holds no faces"),
    "no-faces-flat": ("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 196)}", "holds no faces"),
    "no-points": ("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 0, 2)}", "must be"),
    "scalar": ("{'descr': '<f8', 'fortran_order': False, 'shape': ()}", "can be read|must be"),
    "huge": ("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000, 98, 2)}", "can be read|memory"),
    "beyond-64-bits": (f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**70}, 98, 2)}}", "can be read"),
    "negative": ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 98, 2)}", "can be read"),
    "negative-twice": ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -98, 2)}", "can be read"),
    "boolean": ("{'descr': '<f8', 'fortran_order': False, 'shape': (True, 1, 2)}", "can be read|must be|EOF"),
    "empty-type": ("{'descr': '|V0', 'fortran_order': False, 'shape': (3, 98, 2)}", "must be numbers|can be read"),
    "complex": ("{'descr': '<c16', 'fortran_order': False, 'shape': (0, 1, 2)}", "holds no faces|must be numbers"),
    "structure": ("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (0, 1, 2)}", "holds no faces|must be"),
    "unknown-type": ("{'descr': '<q9', 'fortran_order': False, 'shape': (1, 1, 2)}", "can be read"),
    "nested": ("[" * 3000, "can be read"),
    "digits": ("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",)}", "can be read"),
    "code": ("__import__('os').abort()", "can be read"),
    "null": ("{'descr': '\\x00', 'fortran_order': False, 'shape': (1, 1, 2)}", "can be read"),
}


@pytest.mark.parametrize("suffix", ["npy", "npz"])
@pytest.mark.parametrize(("header", "message"), [pytest.param(*case, id=name) for name, case in HEADERS.items()])
def test_odd_npy_headers_are_one_line(tmp_path, header, message, suffix):
    path = tmp_path / f"p.{suffix}"
    if suffix == "npy":
        path.write_bytes(npy(header))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("landmarks.npy", npy(header))
    with pytest.raises(InputError, match=message) as caught:
        scoring.import_predictions(path)
    assert str(caught.value).isprintable()


def test_unknown_compression_and_repeated_arrays_are_one_line(tmp_path):
    path = tmp_path / "p.npz"
    np.savez(path, landmarks=LANDMARKS)
    data = path.read_bytes()
    for magic, place in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        start = data.index(magic) + place
        data = data[:start] + b"\x63\0" + data[start + 2 :]
    path.write_bytes(data)
    with pytest.raises(InputError, match="is not an npz archive that can be read"):
        scoring.import_predictions(path)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for _ in range(2):
            archive.writestr("landmarks.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 98, 2)}"))
    with pytest.raises(InputError, match="holds the array 'landmarks' 2 times"):
        scoring.import_predictions(path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        pytest.param(LANDMARKS[:0], "holds no faces", id="no-faces"),
        pytest.param(np.full((2, 5, 2), np.nan), "face 0 has a coordinate that is not a finite number", id="nan"),
        pytest.param(
            np.full((2, 5, 2), -1e300), r"face 0 has a coordinate of -1e\+300, beyond 1e\+09 px", id="too-far"
        ),
        pytest.param(np.full((2, 5, 3), 1.0), r"shape \[2, 5, 3\]", id="three-columns"),
        pytest.param(np.full((2, 5, 2), "1"), "have type <U1", id="text"),
        pytest.param(np.full((2, 5, 2), True), "have type bool", id="boolean"),
        pytest.param(np.full((2, 5, 2), 1j), "have type complex128", id="complex"),
    ],
)
def test_arrays_that_hold_no_landmarks_are_refused(tmp_path, array, message):
    np.save(tmp_path / "p.npy", array)
    with pytest.raises(InputError, match=message):
        scoring.import_predictions(tmp_path / "p.npy")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes don't exist here")
@pytest.mark.parametrize("suffix", ["npz", "npy", "csv"])
def test_pipes_and_folders_are_refused_without_waiting(tmp_path, suffix):
    os.mkfifo(tmp_path / f"p.{suffix}")
    (tmp_path / f"d.{suffix}").mkdir()
    with pytest.raises(InputError, match="is not a regular file"):
        scoring.import_predictions(tmp_path / f"p.{suffix}")
    with pytest.raises(InputError, match="is a folder"):
        scoring.import_predictions(tmp_path / f"d.{suffix}")
