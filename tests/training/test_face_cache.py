"""The store of training faces: no resampling, shards written once, failures raised instead of waited for."""

from __future__ import annotations

import multiprocessing
import os
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


def test_a_damaged_shard_names_the_way_out(wflw: Path, cache: Path) -> None:
    stored = face_cache.open_pictures(wanted(wflw))
    with face_cache.drawing(stored) as wait:
        wait(stored, np.arange(FACES))
    with (stored.folder / "00000.npy").open("wb") as file:
        np.save(file, np.zeros(7, np.uint8))
    with pytest.raises(InputError, match="is damaged: delete"):
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
