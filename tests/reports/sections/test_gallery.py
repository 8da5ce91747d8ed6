"""Which faces the page shows, and the positions of their points."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from nmebench.reports.sections import gallery
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


def _unpack(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<u2").reshape(-1, 2) / 32767.5 - 0.5


def _unpack_offsets(packed: tuple[float, str], truth: np.ndarray) -> np.ndarray:
    step, text = packed
    return truth + step * np.frombuffer(base64.b64decode(text), np.int8).reshape(-1, 2)


def test_packed_offsets_unpack_to_a_127th_of_the_largest() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.1, 0.9, (98, 2))
    points = truth + rng.normal(0, 0.02, (98, 2))
    packed = gallery.pack_offsets(points, truth)
    np.testing.assert_allclose(_unpack_offsets(packed, truth), points, atol=np.abs(points - truth).max() / 250)
    far = gallery.pack_offsets(np.array([[0.5, 1e9]]), np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(_unpack_offsets(far, np.array([[0.5, 0.5]])), [[0.5, 1.5]], atol=1e-5)
    assert gallery.pack_offsets(truth, truth)[0] > 0


def test_packed_points_unpack() -> None:
    points = np.array([[0.0, 1.0], [0.25, 0.75], [-9.0, 9.0], [np.nan, 0.5]])
    back = _unpack(gallery.pack(points))
    np.testing.assert_allclose(back, [[0, 1], [0.25, 0.75], [-0.5, 1.5], [-0.5, 0.5]], atol=2e-5)


def test_worst_median_and_improved_faces(small_run: Run) -> None:
    view = RunView(small_run)
    found = gallery.section(view)
    assert found is not None
    for cell, entry in zip(view.cells, found.data["cells"], strict=True):
        nme = view.nme[cell.index]
        for subset, mask in view.masks.items():
            members = sorted(np.flatnonzero(mask), key=lambda i: -nme[i])
            assert entry["worst"][subset] == members[: len(entry["worst"][subset])]
        if cell in [head.cell for head in view.headline]:
            nearest = np.sort(np.abs(nme - np.median(nme)))[: len(entry["median"])]
            assert abs(nme[entry["median"]] - np.median(nme)).max() <= nearest[-1] * 3 + 1e-9
        for other, faces in entry["improved"].items():
            gain = view.nme[int(other)] - nme
            assert [gain[i] for i in faces] == sorted(gain[gain > 0], reverse=True)[: len(faces)]


def test_headline_cells_are_compared_with_each_other_and_share_their_faces(small_run: Run) -> None:
    view = RunView(small_run)
    found = gallery.section(view)
    assert found is not None
    headline = found.data["headline"]
    assert headline == [head.cell.index for head in view.headline]
    assert len(headline) > 2
    for index in headline:
        entry = found.data["cells"][index]
        for face in entry["worst"]["test"] + entry["median"]:
            assert all(str(face) in found.data["cells"][other]["points"] for other in headline)
        compared = {int(other) for other in entry["improved"]} - {entry["base"]}
        assert compared <= set(headline) - {index}


def test_points_are_in_the_frame_of_the_picture(small_run: Run) -> None:
    view = RunView(small_run)
    found = gallery.section(view)
    assert found is not None
    thumbnails = small_run.thumbnails
    assert thumbnails is not None
    cell = view.cells[2]
    face = found.data["cells"][2]["worst"]["test"][0]
    entry = found.data["faces"][str(face)]
    warp, (width, height) = thumbnails[face].warp, thumbnails[face].size

    def framed(points: np.ndarray) -> np.ndarray:
        return np.clip((points @ warp[:, :2].T + warp[:, 2] + 0.5) / [width, height], -0.5, 1.5)

    truth = framed(small_run.faces.landmarks[face])
    np.testing.assert_allclose(_unpack(entry["truth"]), truth, atol=3e-5)
    packed = found.data["cells"][2]["points"][str(face)]
    predicted = framed(small_run.landmarks(cell.id)[face].astype(float))
    np.testing.assert_allclose(_unpack_offsets(packed, truth), predicted, atol=packed[0] / 2 + 1e-9)
    assert entry["image"] == small_run.faces.image[face]
    assert cv2.imdecode(np.frombuffer(base64.b64decode(entry["picture"]), np.uint8), 1) is not None


def test_every_listed_face_has_data(small_run: Run) -> None:
    found = gallery.section(RunView(small_run))
    assert found is not None
    for entry in found.data["cells"]:
        lists = [*entry["worst"].values(), entry["median"], *entry["improved"].values()]
        for face in {str(face) for faces in lists for face in faces}:
            assert face in found.data["faces"]
            assert face in entry["points"]
            assert face in entry["nme"]
        for other, faces in entry["improved"].items():
            assert all(str(face) in found.data["cells"][int(other)]["points"] for face in faces)


def test_pictures_can_be_left_out(small_run: Run) -> None:
    found = gallery.section(RunView(small_run), pictures=False)
    assert found is not None
    assert found.pictures == 0
    assert "left out" in found.reason
    assert all(face["picture"] is None for face in found.data["faces"].values())


def test_reason_for_missing_pictures(make_report_run: Callable[..., Run], tmp_path: Path) -> None:
    small = {"models": ("net",), "decoders": ("argmax",), "flips": ("none",), "faces": 12}
    bare = gallery.section(RunView(make_report_run(tmp_path / "bare", pictures=False, **small)))
    assert bare is not None
    assert bare.reason == "The run has no stored pictures."
    run = make_report_run(tmp_path / "broken", **small)
    broken = [type(t)(b"no picture", t.size, t.warp) for t in run.thumbnails or ()]
    again = Run.create(run.path, run.record, run.faces, thumbnails=broken)
    found = gallery.section(RunView(Run.open(again.path)))
    assert found is not None
    assert found.reason == "No stored picture could be read."


def test_budgets_are_kept(small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "PICTURE_BUDGET", 20_000)
    monkeypatch.setattr(gallery, "POINT_BUDGET", 60_000)
    found = gallery.section(RunView(small_run))
    assert found is not None
    pictures = [face["picture"] for face in found.data["faces"].values() if face["picture"]]
    assert sum(map(len, pictures[:-1])) < 20_000
    assert 0 < found.pictures < found.faces
    assert sum(len(p[1]) for entry in found.data["cells"] for p in entry["points"].values()) <= 60_000
