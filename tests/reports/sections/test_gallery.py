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
        median = np.median(nme)
        nearest = np.sort(np.abs(nme - median))[: len(entry["median"]["test"])]
        assert abs(nme[entry["median"]["test"]] - median).max() <= nearest[-1] * 3 + 1e-9
        if entry["base"] is not None:
            gain = view.nme[entry["base"]] - nme
            assert [gain[i] for i in entry["improved"]["test"]] == sorted(gain[gain > 0], reverse=True)[:6]


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
    for packed, points in (
        (entry["truth"], small_run.faces.landmarks[face]),
        (found.data["cells"][2]["points"][str(face)], small_run.landmarks(cell.id)[face].astype(float)),
    ):
        expected = (points @ warp[:, :2].T + warp[:, 2] + 0.5) / [width, height]
        np.testing.assert_allclose(_unpack(packed), np.clip(expected, -0.5, 1.5), atol=3e-5)
    assert entry["image"] == small_run.faces.image[face]
    assert cv2.imdecode(np.frombuffer(base64.b64decode(entry["picture"]), np.uint8), 1) is not None


def test_every_listed_face_has_data(small_run: Run) -> None:
    found = gallery.section(RunView(small_run))
    assert found is not None
    for entry in found.data["cells"]:
        for kind in ("worst", "median", "improved"):
            for faces in entry.get(kind, {}).values():
                for face in map(str, faces):
                    assert face in found.data["faces"]
                    assert face in entry["points"]
                    assert face in entry["nme"]
                    if kind == "improved":
                        assert face in found.data["cells"][entry["base"]]["points"]


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
    monkeypatch.setattr(gallery, "PER_CELL", 0)
    monkeypatch.setattr(gallery, "POINT_BUDGET", 120_000)
    found = gallery.section(RunView(small_run))
    assert found is not None
    pictures = [face["picture"] for face in found.data["faces"].values() if face["picture"]]
    assert sum(map(len, pictures[:-1])) < 20_000
    assert 0 < found.pictures < found.faces
    assert sum(len(p) for entry in found.data["cells"] for p in entry["points"].values()) <= 120_000
