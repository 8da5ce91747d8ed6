"""Predictions in SPIGA's results file: joined by photograph and by id, refused when damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest
from face_files import SPIGA_IDS, random_points, spiga_faces, write_spiga

from nmebench import scoring
from nmebench.errors import InputError
from nmebench.scoring.store_predictions import store_predictions

IMAGES = [f"images/private/indoor/indoor_{number:03}.png" for number in range(4)]
POINTS = random_points(4, 68)


def test_faces_are_joined_by_photograph_and_landmarks_by_id(tmp_path):
    faces = spiga_faces(POINTS, IMAGES)
    rng = np.random.default_rng(1)
    for face in faces:  # the order of ids has no meaning
        order = rng.permutation(68)
        face["ids"] = [SPIGA_IDS[place] for place in order]
        face["landmarks"] = [face["landmarks"][place] for place in order]
    write_spiga(tmp_path / "results.json", [faces[place] for place in (2, 0, 3, 1)])
    found = scoring.import_predictions(tmp_path / "results.json", images=IMAGES)
    np.testing.assert_array_equal(found.landmarks, POINTS)
    assert found.images == tuple(IMAGES)
    assert found.rows == (2, 4, 1, 3)


def test_photographs_in_another_folder_match_by_their_end(tmp_path):
    write_spiga(tmp_path / "results.json", spiga_faces(POINTS, IMAGES))
    images = [image.removeprefix("images/") for image in reversed(IMAGES)]
    found = scoring.import_predictions(tmp_path / "results.json", images=images)
    np.testing.assert_array_equal(found.landmarks, POINTS[::-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda f: f[1].update(imgpath=IMAGES[0]), "rows 1 and 2 name the same face", id="twice"),
        pytest.param(lambda f: f.pop(), "3 rows for 4 faces of the dataset", id="a-face-missing"),
        pytest.param(lambda f: f[2].update(imgpath="x.png"), "row 3 names 'x.png', which is not among", id="unknown"),
        pytest.param(lambda f: f[1]["landmarks"].pop(), "68 ids, 67 landmarks", id="a-landmark-missing"),
        pytest.param(lambda f: f[1]["ids"].__setitem__(3, 101), "the id 101 is there twice", id="an-id-twice"),
        pytest.param(lambda f: f[1]["landmarks"].__setitem__(0, [1.0, float("nan")]), "face 2.*not a finite", id="nan"),
        pytest.param(
            lambda f: [one.update(ids=one["ids"][:5]) for one in f], "ids are known for 68.* not for 5", id="5"
        ),
        pytest.param(lambda f: f.clear(), "is not SPIGA's results file", id="empty"),
        pytest.param(lambda f: f[0].pop("ids"), "is not SPIGA's results file", id="another-json"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, message):
    faces = spiga_faces(POINTS, IMAGES)
    change(faces)
    (tmp_path / "results.json").write_text(json.dumps(faces))
    with pytest.raises(InputError, match=message):
        scoring.import_predictions(tmp_path / "results.json", images=IMAGES)


def test_several_faces_in_a_photograph_are_refused(tmp_path):
    images = [IMAGES[0], IMAGES[0], *IMAGES[2:]]
    write_spiga(tmp_path / "results.json", spiga_faces(POINTS, images))
    with pytest.raises(InputError, match=r"has 2 faces in the dataset; give SPIGA's annotations to --data"):
        scoring.import_predictions(tmp_path / "results.json", images=images)


def test_the_boxes_tell_the_faces_of_a_photograph_apart(tmp_path):
    """SPIGA copies the annotations' boxes into its results; many photographs of WFLW have several faces."""
    images = [IMAGES[0], IMAGES[0], *IMAGES[2:]]
    faces = spiga_faces(POINTS, images)
    predicted = spiga_faces(POINTS + 1, images)
    for face, prediction in zip(faces, predicted, strict=True):
        prediction["bbox"] = face["bbox"]
    write_spiga(tmp_path / "results.json", predicted[::-1])
    low, high = POINTS.min(1), POINTS.max(1)
    boxes = np.concatenate([low, high], axis=1)
    found = scoring.import_predictions(tmp_path / "results.json", images=images, rectangles=boxes)
    np.testing.assert_array_equal(found.landmarks, POINTS + 1)
    assert found.rows == (4, 3, 2, 1)
    with pytest.raises(InputError, match="has 2 faces in the dataset, 0 of them with the row's box"):
        scoring.import_predictions(tmp_path / "results.json", images=images, rectangles=boxes + 5)
    boxes[1] = boxes[0]
    with pytest.raises(InputError, match=r"has 2 faces in the dataset, [02] of them with the row's box"):
        scoring.import_predictions(tmp_path / "results.json", images=images, rectangles=boxes)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "results.json").write_bytes(b"\xff\xfe[")
    with pytest.raises(InputError, match="is no UTF-8 text"):
        scoring.import_predictions(tmp_path / "results.json")
    with pytest.raises(InputError, match=r"leave it out for a \.json file"):
        scoring.import_predictions(tmp_path / "results.json::pred")


def test_ground_truth_that_counts_pixels_from_1_is_refused(tmp_path):
    """SPIGA subtracts 1 from 300-W's coordinates: against the release, each landmark would be off by a pixel."""
    write_spiga(tmp_path / "results.json", spiga_faces(POINTS, IMAGES))
    for image, points in zip(IMAGES, POINTS, strict=True):
        file = tmp_path / "raw" / "01_Indoor" / image.rpartition("/")[2].replace(".png", ".pts")
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = "\n".join(f"{x} {y}" for x, y in points + 1)
        file.write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
        file.with_suffix(".png").write_bytes(b"")
    with pytest.raises(InputError, match=r"counts the first pixel as \(0, 0\), but .*\(pts\) as \(1, 1\)"):
        store_predictions(tmp_path / "results.json", f"300w-private:{tmp_path}/raw", tmp_path / "run", name="spiga")
    write_spiga(tmp_path / "annotations" / "test.json", spiga_faces(POINTS + 1, IMAGES))
    run = store_predictions(
        tmp_path / "results.json", f"300w-private:{tmp_path}/annotations/test.json", tmp_path / "run", name="spiga"
    )
    assert run.record.dataset.name == "300w-private"
