"""The store of training faces: no resampling, shards written once, failures raised instead of waited for."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from nmebench import boxes, datasets
from nmebench.errors import InputError
from nmebench.geometry import crop
from nmebench.training import face_cache
from nmebench.training.loader import plain
from nmebench.training.recipe import TrainingFaces
from nmebench.training.sources import SourceFace

from .conftest import FACES, LIST


def wanted(wflw: Path, faces: int = FACES, skip: int = 0) -> TrainingFaces:
    return TrainingFaces(source=f"wflw:{wflw}", faces=faces, skip=skip)


def test_a_stored_face_is_cropped_as_the_benchmark_crops_it(wflw: Path, cache: Path) -> None:
    stored = face_cache.open_pictures(wanted(wflw))
    with face_cache.drawing(stored) as wait:
        wait(stored, np.arange(FACES))
    dataset = datasets.load(f"wflw:{wflw}", split="train")
    box = boxes.create("landmarks")(dataset)
    found = plain(stored, size=128, flip=dataset.scheme.flip)
    for i in range(FACES):
        image = cv2.imread(str(dataset.image_root / dataset.images[i]))
        expected = crop.crop(image, box.centre[i], box.size[i], (128, 128))
        got = found.images[i].permute(1, 2, 0).numpy()[:, :, ::-1]
        # The matrix is solved in float64 here and in float32 there, which moves single grey levels.
        assert np.abs(got.astype(int) - expected).max() <= 1
        np.testing.assert_allclose(
            found.landmarks[i],
            (dataset.landmarks[i] - box.centre[i] + box.size[i] / 2) * 128 / box.size[i],
            atol=1e-3,
        )


def test_skip_and_faces_name_a_part_of_the_list(wflw: Path, cache: Path) -> None:
    whole, part = face_cache.open_pictures(wanted(wflw)), face_cache.open_pictures(wanted(wflw, faces=4, skip=8))
    assert whole.folder == part.folder
    with face_cache.drawing(whole) as wait:
        wait(whole, np.arange(FACES))
    assert len(part) == 4
    for position in range(4):
        np.testing.assert_array_equal(part.get(position).image, whole.get(position + 8).image)


def test_what_is_there_is_not_made_again(wflw: Path, cache: Path) -> None:
    stored = face_cache.open_pictures(wanted(wflw))
    with face_cache.drawing(stored) as wait:
        wait(stored, np.arange(FACES))
    before = {p.name: p.stat().st_mtime_ns for p in stored.folder.iterdir()}
    with face_cache.drawing(face_cache.open_pictures(wanted(wflw))) as wait:
        wait(stored, np.arange(FACES))
    assert {p.name: p.stat().st_mtime_ns for p in stored.folder.iterdir()} == before


def test_a_picture_that_cannot_be_read_ends_the_waiting(wflw: Path, cache: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / LIST).parent.mkdir(parents=True)
    (broken / LIST).write_text((wflw / LIST).read_text(encoding="utf-8"), encoding="utf-8")
    (broken / "WFLW_images" / "0--Toy").mkdir(parents=True)
    stored = face_cache.open_pictures(wanted(broken))
    with (
        pytest.raises(InputError, match=r"0--Toy.0\.png"),
        face_cache.drawing(stored) as wait,
    ):
        wait(stored, np.arange(FACES))


def test_a_shard_that_another_run_is_making_is_left_to_it(wflw: Path, cache: Path) -> None:
    import filelock

    stored = face_cache.open_pictures(wanted(wflw))
    job = (stored.faces, stored.folder, 0)
    context = multiprocessing.get_context("spawn")
    with filelock.FileLock(stored.folder / "00000.lock"):
        _receive, send = context.Pipe(duplex=False)
        other = context.Process(target=face_cache._draw_all, args=([job], os.getpid(), send))
        other.start()
        other.join(3.0)
        assert other.is_alive()
        assert not stored.has(0)
    other.join(60)
    assert other.exitcode == 0
    assert stored.has(0)


def flip_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-9] ^= 1
    file.write_bytes(bytes(data))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def truncate(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        pytest.param("00000.npy", flip_a_byte, id="changed pixel"),
        pytest.param("00000.npy", cut, id="cut pixels"),
        pytest.param("00000.npy", Path.unlink, id="no pixels"),
        pytest.param("00000.npz", truncate, id="empty index"),
        pytest.param("00000.npz", cut, id="cut index"),
    ],
)
def test_a_damaged_shard_is_drawn_again(
    wflw: Path, cache: Path, name: str, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = face_cache.open_pictures(wanted(wflw))
    # In this process: a second one takes seconds to start.
    monkeypatch.setattr(face_cache.signal, "signal", lambda *_: None)
    draw = lambda: face_cache._draw_all([(stored.faces, stored.folder, 0)], os.getppid(), None)  # noqa: E731
    draw()
    face = face_cache.open_pictures(wanted(wflw)).get(0)
    pixels = face.image.copy()
    damage(stored.folder / name)
    with pytest.warns(UserWarning, match="is damaged .*; drawing its faces again"):
        assert face_cache._missing(stored) == [0]
    draw()
    assert face_cache._missing(stored) == []
    assert np.array_equal(face_cache.open_pictures(wanted(wflw)).get(0).image, pixels)


def test_damage_during_a_run_is_one_line(wflw: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = face_cache.open_pictures(wanted(wflw))
    monkeypatch.setattr(face_cache.signal, "signal", lambda *_: None)
    face_cache._draw_all([(stored.faces, stored.folder, 0)], os.getppid(), None)
    with (stored.folder / "00000.npy").open("wb") as file:
        np.save(file, np.zeros(7, np.uint8))
    with pytest.raises(InputError, match="was damaged during the run"):
        face_cache.open_pictures(wanted(wflw)).get(0)


@pytest.mark.parametrize(
    "centre", [pytest.param((900.0, 700.0), id="inside"), pytest.param((-4000.0, -4000.0), id="far-outside")]
)
def test_a_large_cut_is_shrunk_and_its_landmarks_with_it(centre: tuple[float, float]) -> None:
    image = np.zeros((1500, 1800, 3), np.uint8)
    image[680:721, 880:921] = 255
    cut = face_cache._cut(SourceFace(image, np.array([[900.0, 700.0]]), np.array(centre), 800.0))
    assert max(cut.image.shape[:2]) <= face_cache.LARGEST
    if centre[0] > 0:
        rows, columns = np.nonzero(cut.image[..., 0] > 127)
        np.testing.assert_allclose([columns.mean(), rows.mean()], cut.landmarks[0], atol=0.3)
        assert cut.side == pytest.approx(800 * face_cache.LARGEST / (800 * face_cache.REACH), rel=0.01)
