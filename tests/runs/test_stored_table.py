"""Tables of a run in groups of rows: the same content for every size of a group, and old forms stay readable."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nmebench.errors import InputError
from nmebench.runs import face_table as faces_file
from nmebench.runs import per_face as per_face_file
from nmebench.runs import thumbnail as thumbnails_file
from nmebench.runs.face_table import FaceTable, read_faces, write_faces
from nmebench.runs.per_face import read_per_face, write_per_face
from nmebench.runs.run_store import Run
from nmebench.runs.thumbnail import Thumbnail, read_thumbnails, write_thumbnails


def assert_equal(found: FaceTable, wanted: FaceTable) -> None:
    assert tuple(found.image) == tuple(wanted.image)
    for name in ("line", "landmarks", "normaliser", "centre", "size", "occluded", "clusters"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    for name in ("subsets", "normalisers"):
        assert getattr(found, name).keys() == getattr(wanted, name).keys()
        for key, values in getattr(wanted, name).items():
            np.testing.assert_array_equal(getattr(found, name)[key], values)


def with_flags(faces: FaceTable) -> FaceTable:
    landmarks = faces.landmarks.copy()
    landmarks[1, 3] = np.nan
    occluded = np.zeros(landmarks.shape[:2], bool)
    occluded[2, 5:9] = True
    return replace(faces, landmarks=landmarks, occluded=occluded, normalisers={"box-size": np.arange(6.0) + 1})


def old_file(run: Path, faces: FaceTable) -> None:
    """``faces.parquet`` as schema 1 and the first runs of schema 2 have it: names as bytes, landmarks as one list."""
    columns = {
        "face": np.arange(6),
        "line": faces.line,
        "image": pa.array([os.fsencode(name) for name in faces.image], pa.binary()),
        "normaliser": faces.normaliser,
        "centre_x": faces.centre[:, 0],
        "centre_y": faces.centre[:, 1],
        "size_x": faces.size[:, 0],
        "size_y": faces.size[:, 1],
        **{f"subset_{name}": mask for name, mask in faces.subsets.items()},
        **{f"normaliser_{name}": length for name, length in faces.normalisers.items()},
        "landmarks": pa.array(faces.landmarks.reshape(6, -1).tolist(), pa.list_(pa.float64())),
        "occluded": pa.array(faces.occluded.tolist(), pa.list_(pa.bool_())),
        "labelled": pa.array((~np.isnan(faces.landmarks).any(2)).tolist(), pa.list_(pa.bool_())),
    }
    pq.write_table(pa.table(columns), run / "faces.parquet", store_schema=False)


@pytest.mark.parametrize("group", [1, 4, 4096])
def test_faces_are_returned_as_written(
    tmp_path: Path, face_table: FaceTable, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    monkeypatch.setattr(faces_file, "_GROUP", group)
    wanted = with_flags(face_table)
    write_faces(tmp_path, wanted)
    assert_equal(read_faces(tmp_path, 6), wanted)


def test_faces_of_an_old_run_are_read(tmp_path: Path, face_table: FaceTable) -> None:
    wanted = with_flags(face_table)
    old_file(tmp_path, wanted)
    assert_equal(read_faces(tmp_path, 6), wanted)


def test_pandas_shows_names_and_typed_landmarks(tmp_path: Path, face_table: FaceTable) -> None:
    names = ("a/ä b.jpg", "a/ä b.jpg", "c.jpg", "d'\"\n.jpg", "e.jpg", "f.jpg")
    write_faces(tmp_path, replace(face_table, image=names))
    frame = pd.read_parquet(tmp_path / "faces.parquet", use_threads=False)
    assert frame["image"].tolist() == list(names)
    assert "image_bytes" not in frame
    np.testing.assert_array_equal(np.stack([np.stack(face) for face in frame["landmarks"]]), face_table.landmarks)


def test_names_that_are_not_utf_8_are_readable_and_kept(tmp_path: Path, face_table: FaceTable) -> None:
    write_faces(tmp_path, face_table)
    frame = pd.read_parquet(tmp_path / "faces.parquet", use_threads=False)
    assert frame["image"][2] == "c\\xff.jpg"
    assert frame["image_bytes"][2] == b"c\xff.jpg"
    assert read_faces(tmp_path, 6).image[2] == "c\udcff.jpg"


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        pytest.param("landmarks", [[[1.0, 2.0]]] * 5 + [[[1.0, 2.0], [3.0, 4.0]]], "one form", id="another number"),
        pytest.param("landmarks", [[[1.0, 2.0, 3.0]]] * 6, "one form", id="three numbers"),
        pytest.param("landmarks", [[[1.0, None]]] * 6, "one form", id="missing number"),
        pytest.param("landmarks", [[[1, 2]]] * 6, "one form", id="whole numbers"),
        pytest.param("landmarks", [[[[1.0, 2.0]]]] * 6, "one form", id="deeper"),
        pytest.param("landmarks", [1.0] * 6, "has the type double", id="no list"),
        pytest.param("image", [1] * 6, "has the type int64", id="numbers for names"),
        pytest.param("image_bytes", ["a"] * 6, "not bytes", id="text for bytes"),
        pytest.param("image_bytes", [None, *[b"a"] * 5], "bytes of a name are missing", id="missing bytes"),
        pytest.param("subset_pose", [None, *[True] * 5], "not true or false", id="missing flag"),
        pytest.param("normaliser_x", ["a"] * 6, "not a number", id="text for a length"),
    ],
)
def test_damaged_faces_are_named(
    tmp_path: Path, face_table: FaceTable, column: str, values: list[object], message: str
) -> None:
    write_faces(tmp_path, face_table)
    file = tmp_path / "faces.parquet"
    table = pq.read_table(file, use_threads=False, pre_buffer=False)
    if column in table.column_names:
        table = table.drop_columns([column])
    pq.write_table(table.append_column(column, pa.array(values)), file)
    with pytest.raises(InputError, match=rf"faces.parquet: damaged .*{message}"):
        read_faces(tmp_path, 6)


@pytest.mark.parametrize("rows", [1, 3, 7, 1 << 20])
def test_per_face_is_returned_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(per_face_file, "GROUP_ROWS", rows)
    wanted = {"a": np.arange(5.0), "b": np.arange(5.0) * 2, "c": np.arange(5.0) * 3}
    write_per_face(tmp_path, wanted)
    found = read_per_face(tmp_path, list(wanted), 5)
    assert found.keys() == wanted.keys()
    for cell, nme in wanted.items():
        np.testing.assert_array_equal(found[cell], nme)
    frame = pd.read_parquet(tmp_path / "per_face.parquet", use_threads=False)
    assert frame["cell"].tolist() == [cell for cell in "abc" for _ in range(5)]
    assert frame["face"].tolist() == list(range(5)) * 3
    with pytest.raises(InputError, match=r"other faces than run\.json for the cell a"):
        read_per_face(tmp_path, ["a"], 6)


@pytest.mark.parametrize("group", [1, 2, 1024])
def test_thumbnails_are_returned_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    monkeypatch.setattr(thumbnails_file, "_GROUP", group)
    wanted = [Thumbnail(bytes([face] * (face + 1)), (face + 1, 2), np.arange(6.0).reshape(2, 3)) for face in range(5)]
    write_thumbnails(tmp_path, iter(wanted))
    found = read_thumbnails(tmp_path, 5)
    assert found is not None
    assert [(one.jpeg, one.size) for one in found] == [(one.jpeg, one.size) for one in wanted]
    assert [one.jpeg for one in found[3:0:-1]] == [one.jpeg for one in wanted[3:0:-1]]
    assert found[-1].jpeg == wanted[4].jpeg
    with pytest.raises(IndexError):
        _ = found[5]
    with pytest.raises(InputError, match="one picture per face"):
        read_thumbnails(tmp_path, 6)


def test_pictures_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    """10,000 pictures of 4 kB; reading a thousand neighbours holds one group of them."""
    pictures = (Thumbnail(os.urandom(4096), (8, 8), np.zeros((2, 3))) for _ in range(10_000))
    tracemalloc.start()
    write_thumbnails(tmp_path, pictures)
    found = read_thumbnails(tmp_path, 10_000)
    assert found is not None
    assert all(len(found[face].jpeg) == 4096 for face in range(4000, 5000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6, f"{peak / 1e6:.0f} MB"


def test_some_landmarks_are_read_without_the_others(run: Run, face_table: FaceTable) -> None:
    cell = run.record.cells[0].id
    whole = run.landmarks(cell)
    np.testing.assert_array_equal(run.landmarks_of(cell, [4, 0, 4]), whole[[4, 0, 4]])
    blocks = list(run.landmark_blocks(cell, 4))
    assert [(rows.start, rows.stop) for rows, _ in blocks] == [(0, 4), (4, 6)]
    np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), whole)
    assert run.landmarks_of(cell, []).shape == (0, 98, 2)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-8], id="cut short"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data.replace(b"'<f4'", b"'|O' "), id="objects"),
        pytest.param(lambda data: data.replace(b"False", b"True "), id="other order"),
    ],
)
def test_a_damaged_array_is_named(run: Run, damage: object) -> None:
    cell = run.record.cells[0].id
    file = run.path / "landmarks" / f"{cell}.npy"
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(InputError, match=r"landmarks/.*\.npy is not an npy array"):
        list(run.landmark_blocks(cell))
