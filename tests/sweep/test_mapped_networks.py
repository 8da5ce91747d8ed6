"""Networks of 98 landmarks on data of 68: the numbers, the labels, and the pairs that stay refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from nmebench import checks, reports
from nmebench.__main__ import main
from nmebench.comparisons.settings import changes
from nmebench.errors import InputError
from nmebench.geometry import point_mapping, scheme
from nmebench.models.card import Card
from nmebench.runs.run_record import CellRecord
from nmebench.runs.run_store import Run
from nmebench.scoring import cell_settings
from nmebench.sweep import execute, keys
from nmebench.sweep.configuration import validate

FACES = 5

NET = """
import torch
from torch import nn


class Constant(nn.Module):
    def __init__(self, points=98):
        super().__init__()
        self.points = points

    def forward(self, x):
        made = torch.linspace(0.1, 0.9, self.points * 2).reshape(1, self.points, 2) ** 2
        return made.expand(len(x), -1, -1)
"""

CARD = """
name = "constant"
architecture = "python:net.py:Constant"
{scheme}
[options]
points = {points}
[input]
size = [64, 64]
[output]
kind = "landmarks"
unit = "crop-fraction"
{reported}
"""

REPORTED = '[reported.wflw.paper]\nnme = { test = 9.0 }\nsource = "a test"\ntolerance = 0.01\n'


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A function that writes the card of a network with constant landmarks."""
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))

    def write(points: int = 98, stated: str = "wflw98", reported: str = "") -> Path:
        (tmp_path / "net.py").write_text(NET)
        line = f'scheme = "{stated}"' if stated else ""
        (tmp_path / "card.toml").write_text(CARD.format(scheme=line, points=points, reported=reported))
        return tmp_path / "card.toml"

    return write


def sweep(card: Path, data: Path | str, out: Path, **changes: object) -> Run:
    raw: dict[str, object] = {
        "data": data if isinstance(data, str) else f"300w:{data}",
        "models": [str(card)],
        "engine": "torch",
        "threads": 1,
        "pictures": False,
        "boxes": ["landmarks"],
        "box_padding": 1.0,
    }
    return execute(validate(raw | changes, where="a test"), out)


def constant(points: int = 98) -> np.ndarray:
    """The network's landmarks in fractions of the crop, ``[98, 2]``."""
    return (np.linspace(0.1, 0.9, points * 2).reshape(points, 2)) ** 2


def by_hand(fractions: np.ndarray, run: Run) -> np.ndarray:
    """Landmarks in image px: of each face's square box, then one mapped landmark after the other."""
    found = point_mapping.find("wflw98", "ibug68")
    assert found is not None
    out = np.zeros((FACES, 68, 2))
    for face, (centre, size) in enumerate(zip(run.faces.centre, run.faces.size, strict=True)):
        image = centre - size / 2 + fractions * size
        for target in range(68):
            for origin in range(98):
                out[face, target, 0] += found.x[target, origin] * image[origin, 0]
                out[face, target, 1] += found.y[target, origin] * image[origin, 1]
    return out


def test_landmarks_are_mapped_in_image_px(card: Callable[..., Path], faces300w: Path, tmp_path: Path) -> None:
    run = sweep(card(), faces300w, tmp_path / "run", flip=["none", "flip-coords"])
    plain, flipped = run.record.cells
    np.testing.assert_allclose(run.landmarks(plain.id), by_hand(constant(), run), rtol=0, atol=2e-4)
    # The flip test exchanges the network's own 98 landmarks, before they are mapped.
    mirrored = constant()[scheme.load("wflw98").flip]
    mirrored[:, 0] = 63 / 64 - mirrored[:, 0]
    expected = by_hand((constant() + mirrored) / 2, run)
    np.testing.assert_allclose(run.landmarks(flipped.id), expected, rtol=0, atol=2e-4)
    assert run.confidence(plain.id).shape == (FACES, 68)


def twin_of(faces300w: Path, root: Path) -> Path:
    """The same photographs and boxes with 98 other points per face, in WFLW's list."""
    listing = root / "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt"
    listing.parent.mkdir(parents=True)
    (root / "WFLW_images").symlink_to(faces300w / "images")
    generator = np.random.default_rng(4)
    lines = []
    with (faces300w / "face_landmarks_300w_valid.csv").open(newline="") as stream:
        for row in list(csv.reader(stream))[1:]:
            points = np.array(row[4:], float).reshape(68, 2)
            low, high = points.min(axis=0), points.max(axis=0)
            twin = generator.uniform(low, high, (98, 2))
            twin[:2] = low, high
            numbers = [f"{value:.6f}" for value in twin.ravel()]
            lines.append(" ".join([*numbers, "28", "27", "115", "113", *"000000", row[0]]))
    listing.write_text("\n".join(lines) + "\n")
    return root


def test_heatmap_networks_give_the_mapped_landmarks_of_a_twin_with_98_points(
    small_card: Path, faces300w: Path, tmp_path: Path
) -> None:
    settings = {"flip": ["none", "flip", "flip-coords"], "decoders": ["dark"], "box_padding": 1.25, "batch_size": 2}
    mapped = sweep(small_card, faces300w, tmp_path / "mapped", **settings)
    own = sweep(small_card, f"wflw:{twin_of(faces300w, tmp_path / 'w')}", tmp_path / "own", **settings)
    found = point_mapping.find("wflw98", "ibug68")
    assert found is not None
    for one, other in zip(mapped.record.cells, own.record.cells, strict=True):
        expected = np.einsum("ts,nsc->ntc", found.x, own.landmarks(other.id).astype(float))
        expected[..., 1] = np.einsum("ts,ns->nt", found.y, own.landmarks(other.id)[..., 1].astype(float))
        np.testing.assert_allclose(mapped.landmarks(one.id), expected, rtol=0, atol=2e-4)
        confidence = np.einsum("ts,ns->nt", (found.x + found.y) / 2, own.confidence(other.id))
        np.testing.assert_allclose(mapped.confidence(one.id), confidence, rtol=0, atol=1e-6)


def test_a_mapped_cell_is_labelled_everywhere(
    card: Callable[..., Path], faces300w: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = sweep(card(stated="", reported=REPORTED), faces300w, tmp_path / "run")  # the scheme follows from the table
    (cell,) = run.record.cells
    assert cell.id == "constant__direct__none__landmarks__wflw98-to-ibug68"
    assert cell.mapping is not None
    stored = json.loads((run.path / "run.json").read_text())["cells"][0]["mapping"]
    found = point_mapping.find("wflw98", "ibug68")
    assert found is not None
    assert stored["sha256"] == found.sha256
    assert "PIPNet" in stored["source"]
    assert cell_settings(run, cell)["point mapping"] == f"wflw98 -> ibug68 (sha256 {found.sha256[:8]})"
    (native,) = changes(run, cell, run, cell.model_copy(update={"mapping": None}))[:1]
    assert native == "decoder direct instead of direct (mapped wflw98 -> ibug68)"
    assert main(["check", str(run.path)]) == 3
    printed = capsys.readouterr().out
    assert "not comparable (measured through the mapping wflw98 -> ibug68 on 300w, and the table is of wflw)" in printed
    page = reports.html(run)
    assert "direct (mapped wflw98 → ibug68)" in page
    assert "For information" not in page  # the card's 9.0 is WFLW's
    assert "measured through the mapping wflw98 -&gt; ibug68" in page


def test_a_card_that_reports_several_schemes_states_its_own() -> None:
    with pytest.raises(ValidationError):
        Card.model_validate({"name": "n", "architecture": "oracle", "scheme": ""})


def test_check_compares_no_table_of_a_mapped_network(
    card: Callable[..., Path], faces300w: Path, tmp_path: Path
) -> None:
    table = REPORTED.replace("wflw.paper", '300w."other people"')
    run = sweep(card(reported=REPORTED + table), faces300w, tmp_path / "run")
    verdict = checks.check(run)
    assert {row.dataset for row in verdict.rows} == {"wflw", "300w"}
    assert {row.status for row in verdict.rows} == {"not comparable"}
    assert all("through the mapping wflw98 -> ibug68" in row.reason for row in verdict.rows)


@pytest.mark.parametrize(
    ("points", "stated", "message"),
    [
        (98, "", r'outputs 98 landmarks, but .* has 68 \(ibug68\); scheme = "wflw98" in the card measures it'),
        (98, "ibug68", "outputs 98 landmarks"),
        (68, "wflw98", r'outputs 68 landmarks, but the scheme of its card.* has 98 \(wflw98\).* scheme = "ibug68" in'),
        (29, "cofw29", "gives the landmarks of cofw29, and .* has those of ibug68: no point mapping is known"),
        (29, "", "outputs 29 landmarks"),
        (98, "wflv98", "did you mean 'wflw98'"),
    ],
)
def test_other_pairs_are_refused_in_one_line(
    card: Callable[..., Path], faces300w: Path, tmp_path: Path, points: int, stated: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        sweep(card(points, stated), faces300w, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run/run.json").exists()


def test_the_oracle_has_the_scheme_of_the_data(faces300w: Path, tmp_path: Path) -> None:
    run = sweep(Path("oracle"), faces300w, tmp_path / "run", models=["oracle"], decoders=["dark"], box_padding=None)
    assert run.record.cells[0].mapping is None
    assert float(run.scores["nme"].max()) < 0.01


def test_the_key_of_a_cell_follows_the_mapping() -> None:
    first = point_mapping.find("wflw98", "ibug68")
    other = point_mapping.find("lapa106", "wflw98")
    found = {keys.cell_key("n", None, "none", mapping) for mapping in (None, first, other)}
    assert len(found) == 3


def test_old_records_have_no_mapping() -> None:
    old = CellRecord.model_validate({"id": "c", "model": "n", "decoder": "dark", "flip": "none", "box": "rect"})
    assert old.mapping is None
    assert old.decoder_label == "dark"
