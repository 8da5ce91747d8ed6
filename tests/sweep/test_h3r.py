"""H3R's network on 143 real faces against the landmarks and figures of the authors' own pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nmebench.checks import check
from nmebench.runs.run_store import Run
from nmebench.scoring.diverged import diverged_cells
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

MODEL = "h3r-mobilenetv2-256"
CHECKPOINT = "weights/h3r_mobilenetv2_wflw_256x256_p2-b7e0b470.pth"
FLIPS = ("none", "flip", "flip+shift", "flip+align", "flip-coords")


@pytest.fixture(scope="module")
def run(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The network with our box and crop, and with the authors'."""
    if not (shared / CHECKPOINT).is_file() or not (shared / "oracle/h3r").is_dir():
        pytest.skip("the authors' checkpoint and landmarks (../shared/weights, ../shared/oracle/h3r) are missing")
    fields = {
        "data": f"wflw:{shared / 'wflw-sample'}",
        "models": [{"card": MODEL, "weights": str(shared / CHECKPOINT)}],
        "decoders": ["argmax", "quarter-offset", "dark", "soft-argmax", "top-k-logits"],
        "flip": FLIPS,
        "boxes": ["landmarks", "h3r-landmarks"],
        "engine": "torch",
        "pictures": False,
    }
    return execute(validate(fields, where="a test"), tmp_path_factory.mktemp("h3r") / "run")


@pytest.fixture(scope="module")
def nmes(run: Run) -> dict[tuple[str, str, str], float]:
    """NME over all faces by decoder, flip test and box."""
    rows = [row for row in run.score_rows() if row["subset"] == "test"]
    return {(row["decoder"], row["flip"], row["box"]): float(row["nme"]) for row in rows}


@pytest.mark.parametrize(
    ("flip", "name", "figure"), [("none", "landmarks", "nme"), ("flip-coords", "landmarks_flip", "nme_flip")]
)
def test_landmarks_equal_the_authors(run: Run, shared: Path, flip: str, name: str, figure: str) -> None:
    with np.load(shared / "oracle/h3r/sample143.npz") as stored:
        expected, nme = stored[f"{name}_image_px"], 100 * stored[figure]
    cell = f"{MODEL}__top-k-logits__{flip}__h3r-landmarks"
    size = run.per_face[cell]
    np.testing.assert_allclose(run.landmarks(cell), expected, rtol=0, atol=2e-3)  # image px of faces of up to 400 px
    np.testing.assert_allclose(size, nme, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("decoder", "flip", "box", "expected"),
    [
        ("argmax", "none", "landmarks", 5.047),
        ("quarter-offset", "none", "landmarks", 4.839),
        ("dark", "none", "landmarks", 4.700),
        ("top-k-logits", "none", "landmarks", 4.719),
        ("top-k-logits", "flip-coords", "landmarks", 4.669),
        ("dark", "none", "h3r-landmarks", 4.659),
    ],
)
def test_nme_equals_the_reference(
    nmes: dict[tuple[str, str, str], float], decoder: str, flip: str, box: str, expected: float
) -> None:
    assert nmes[decoder, flip, box] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("decoder", ["argmax", "quarter-offset", "dark"])
def test_averaged_maps_are_best_where_they_are_aligned(
    nmes: dict[tuple[str, str, str], float], shared: Path, decoder: str
) -> None:
    reference = json.loads((shared / "oracle/h3r/sample143.json").read_text())["nme_percent_flip_by_averaged_maps"]
    found = [nmes[decoder, flip, "h3r-landmarks"] for flip in ("flip+align", "flip+shift", "flip")]
    assert found == sorted(found)
    shifts = ("0.75", "1", "0")
    expected = [reference[f"{decoder}, maps averaged, shift {shift}"]["test"] for shift in shifts]
    assert found == pytest.approx(expected, abs=0.002)


def test_soft_argmax_diverges(run: Run) -> None:
    diverged = {cell for cell in diverged_cells(run) if "__soft-argmax__" in cell}
    assert diverged == {cell.id for cell in run.record.cells if cell.decoder == "soft-argmax"}
    assert len(diverged) == len(diverged_cells(run))


def test_no_map_is_empty(run: Run) -> None:
    assert all(cell.counts["empty"] == cell.counts["invalid"] == 0 for cell in run.record.cells)


def test_check_names_the_faces_and_the_box(run: Run) -> None:
    (row,) = check(run).rows
    assert row.status == "not comparable"
    assert row.reason.startswith("143 of 2500 faces; measured with box ")
    assert row.reason.endswith("reported with box h3r-rect")
