"""Tests of :func:`nmebench.evaluate`: the same values as ``nmebench score`` and as a slow reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from predicted_faces import EYES, PHOTOGRAPHS, SUBSETS, TRUTH, predictions

import nmebench as nb
from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_store import Run

mpl.use("Agg")

DIRECT = ("net", "direct", "none", "landmarks")


def slow_nme(pred: np.ndarray, gt: np.ndarray) -> list[float]:
    """The mean over landmarks of the distance in percent of the outer eye corners' distance."""
    faces = []
    for p, g in zip(pred.tolist(), gt.tolist(), strict=True):
        eyes = math.dist(g[60], g[72])
        shares = [math.dist(a, b) / eyes for a, b in zip(p, g, strict=True) if not math.isnan(b[0])]
        faces.append(100 * sum(shares) / len(shares))
    return faces


def test_equals_the_slow_reference() -> None:
    pred = predictions().astype(np.float32)
    result = nb.evaluate(pred, TRUTH, scheme="wflw98")
    faces = slow_nme(pred.astype(np.float64), TRUTH)
    assert result.per_face == pytest.approx(faces, rel=1e-12)
    assert result.nme == pytest.approx(sum(faces) / len(faces), rel=1e-12)
    assert result.fr(8) == pytest.approx(100 * sum(nme > 8 for nme in faces) / len(faces))
    assert result.auc(8) == pytest.approx(sum(max(0.0, 8 - nme) for nme in faces) / 8 / len(faces), rel=1e-12)
    assert result.ced([5.0]).tolist() == [sum(nme <= 5 for nme in faces) / len(faces)]


def test_equals_a_stored_run_in_every_digit(make_run: Callable[..., Run]) -> None:
    table = FaceTable(
        PHOTOGRAPHS, np.arange(1, 61), TRUTH, EYES, {"test": np.ones(60, bool), **SUBSETS},
        TRUTH.mean(axis=1), np.ptp(TRUTH, axis=1),
    )  # fmt: skip
    run = make_run({DIRECT: predictions()}, table=table)
    result = nb.evaluate(predictions(), TRUTH, scheme="wflw98", subsets=table.subsets, images=PHOTOGRAPHS)
    scores = run.scores.set_index("subset")
    for subset in scores.index:
        part = result.subset(subset)
        row = scores.loc[subset]
        # scores.csv has ten significant digits; the values per face are exact
        assert [part.nme, part.fr(10), part.auc(10)] == pytest.approx([row.nme, row.fr10, row.auc10], rel=1e-9)
        found = part.interval("nme", resamples=200)
        assert [found.low, found.high] == pytest.approx([row.nme_low, row.nme_high], rel=1e-9)
    assert np.array_equal(result.frame["nme"], run.frame()["nme"])


def test_equals_the_command_on_real_predictions(shared: Path, tmp_path: Path) -> None:
    """SPIGA's predictions of 300-W private, scored by both with two normalisers."""
    with np.load(shared / "benchmarks/spiga_300wprivate.npz") as stored:
        gt, pred = stored["gt"], stored["pred"]
    result = nb.evaluate(pred, gt, scheme="ibug68", normaliser="box-size")
    assert result.nme == pytest.approx(2.0306, abs=5e-5)
    assert result.fr(7) == pytest.approx(100 / 600)
    assert result.auc(7) == pytest.approx(0.71003, abs=5e-6)
    assert nb.evaluate(pred, gt, scheme="ibug68").nme == pytest.approx(3.4295, abs=5e-5)


def test_unlabelled_landmarks_do_not_count() -> None:
    pred, gt = predictions(), TRUTH.copy()
    gt[3, 10:50] = np.nan
    result = nb.evaluate(pred, gt, scheme="wflw98")
    assert result.per_face == pytest.approx(slow_nme(pred.astype(np.float32).astype(float), gt), rel=1e-12)
    counted = result.per_landmark.set_index("landmark")["faces"]
    assert (counted[10], counted[50]) == (59, 60)


@pytest.mark.parametrize(
    "form",
    [
        lambda array: array,
        lambda array: torch.tensor(array, requires_grad=True),
        lambda array: array.tolist(),
        lambda array: pd.DataFrame(
            {f"{axis}{k}": array[:, k, "xy".index(axis)] for axis in "yx" for k in range(98)} | {"image": "a.jpg"}
        ),
    ],
    ids=["array", "tensor", "list", "frame with columns in another order"],
)
def test_forms_of_landmarks(form: Callable[[np.ndarray], Any]) -> None:
    expected = nb.evaluate(predictions(), TRUTH, scheme="wflw98").per_face
    found = nb.evaluate(form(predictions()), form(TRUTH), scheme="wflw98").per_face
    assert np.array_equal(found, expected)


def frame(array: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({f"{axis}{k}": array[:, k, "xy".index(axis)] for k in range(98) for axis in "xy"})


def test_masked_numbers_are_not_labelled() -> None:
    gt = np.ma.array(TRUTH, mask=False)
    gt[3, 10:50] = np.ma.masked
    gt.data[3, 10:50] = 9999.0
    expected = nb.evaluate(predictions(), gt.filled(np.nan), scheme="wflw98")
    for form in (gt, list(gt)):
        assert np.array_equal(nb.evaluate(predictions(), form, scheme="wflw98").per_face, expected.per_face)
    with pytest.raises(nb.InputError, match="face 3: a coordinate of pred is not finite"):
        nb.evaluate(gt, TRUTH, scheme="wflw98")


@pytest.mark.parametrize("column", ["image", "face"])
def test_rows_of_data_frames_must_name_the_same_faces(column: str) -> None:
    names = [f"{number}" for number in range(60)]
    pred, gt = frame(predictions()), frame(TRUTH)
    with pytest.raises(nb.InputError, match="different indexes"):
        nb.evaluate(pred.iloc[::-1], gt, scheme="wflw98")
    pred, gt = pred.assign(**{column: names}), gt.assign(**{column: names[::-1]})
    with pytest.raises(nb.InputError, match=f"different values in the column '{column}', first in row 0"):
        nb.evaluate(pred, gt, scheme="wflw98")
    pose = pd.Series(SUBSETS["pose"]).iloc[::-1]
    for truth in (gt, TRUTH):
        with pytest.raises(nb.InputError, match="subset 'pose' has another index"):
            nb.evaluate(predictions(), truth, scheme="wflw98", subsets={"pose": pose})
    filtered = pd.Series(SUBSETS["pose"], index=np.arange(100, 160))
    assert len(nb.evaluate(predictions(), TRUTH, scheme="wflw98", subsets={"pose": filtered}).subset("pose")) == 15


def placed(position: float) -> np.ndarray:
    gt = TRUTH.copy()
    gt[5, 10:13] = position
    return gt


def bad(change: Callable[[np.ndarray], Any]) -> tuple[Any, np.ndarray]:
    return change(predictions()), TRUTH


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (bad(lambda p: p.reshape(60, 196)), {}, r"pred: has shape \[60, 196\]; landmarks must be \[N, 98, 2\]"),
        (bad(lambda p: p.transpose(0, 2, 1)), {}, r"pred: has shape \[60, 2, 98\]"),
        (bad(lambda p: p[:59]), {}, "pred has 59 faces and gt 60"),
        (bad(lambda p: np.where(np.arange(60)[:, None, None] == 7, np.nan, p)), {}, "face 7: a coordinate of pred"),
        (bad(lambda p: p.astype(str)), {}, "pred: has type <U"),
        (bad(lambda p: torch.tensor(p, device="meta")), {}, "pred: is no array of shape"),
        (bad(lambda p: torch.tensor(p).to_sparse()), {}, "pred: is no array of shape"),
        (bad(lambda p: pd.concat([frame(p), frame(p)[["x3"]]], axis=1)), {}, "has the column 'x3' twice"),
        ((predictions(), placed(0.0)), {}, r"gt: face 5: landmark 10 is exactly \(0, 0\)"),
        ((predictions(), placed(-1.0)), {}, r"gt: face 5: landmark 10 is exactly \(-1, -1\)"),
        ((predictions(), TRUTH), {"subsets": {"test": SUBSETS["pose"]}}, "subset 'test': is the name of all faces"),
        ((predictions(), TRUTH), {"subsets": ["pose"]}, "subsets: expected a dictionary"),
        ((predictions(), TRUTH), {"scheme": None}, "scheme: is NoneType"),
        (bad(lambda p: pd.DataFrame({"x0": p[:, 0, 0]})), {}, "no column 'y0'"),
        ((predictions()[:0], TRUTH[:0]), {}, "no faces"),
        ((predictions(), np.zeros_like(TRUTH)), {}, "face 0 and 59 others: the normaliser 'inter-ocular'"),
        ((predictions(), np.where(np.arange(2) == 0, np.nan, TRUTH)), {}, "has one coordinate"),
        (bad(lambda p: p), {"normaliser": "inter-oculr"}, "inter-ocular"),
        (bad(lambda p: p), {"scheme": "wflw-98"}, "wflw98"),
        (bad(lambda p: p), {"subsets": {"pose": np.arange(3)}}, "subset 'pose': has type int64"),
        (bad(lambda p: p), {"images": ["a.jpg"]}, "has 1 names for 60 faces"),
        (bad(lambda p: p), {"box_side": [1.0]}, "box_side: has shape"),
    ],
)
def test_refuses(arguments: tuple[Any, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(nb.InputError, match=message) as caught:
        nb.evaluate(*arguments, **{"scheme": "wflw98", **options})
    assert "\n" not in str(caught.value)


def test_warns_of_another_unit() -> None:
    with pytest.warns(UserWarning, match=r"suspect: net: the median NME is .* %.*times 2"):
        result = nb.evaluate(predictions() / 2, TRUTH, scheme="wflw98", name="net")
    assert len(result.notes) == 1
    assert nb.evaluate(predictions(), TRUTH, scheme="wflw98").notes == ()


def test_photographs_are_resampled_together() -> None:
    alone = nb.evaluate(predictions(), TRUTH, scheme="wflw98").interval()
    shared = nb.evaluate(predictions(), TRUTH, scheme="wflw98", images=["a.jpg"] * 30 + ["b.jpg"] * 30)
    assert float(alone.estimate) == pytest.approx(float(shared.interval().estimate))
    assert float(alone.low) != float(shared.interval().low)


def test_curve_ends_at_the_failure_rate() -> None:
    result = nb.evaluate(predictions(), TRUTH, scheme="wflw98", name="net <b>")
    axes = result.plot_ced(end=8)
    x, y = axes.lines[0].get_data()
    assert (x[0], x[-1]) == (0, 8)
    assert y[-1] == pytest.approx(1 - result.fr(8) / 100)
    area = np.sum(np.diff(x) * np.asarray(y)[:-1]) / 8
    assert area == pytest.approx(result.auc(8))
    assert result.plot_ced(axes) is axes
    assert len(axes.lines) == 2
    assert "<b>" not in result._repr_html_()


def test_unknown_and_empty_subsets() -> None:
    result = nb.evaluate(
        predictions(),
        TRUTH,
        scheme="wflw98",
        subsets={"test": np.ones(60, bool), "pose": SUBSETS["pose"], "none": np.zeros(60, bool)},
    )
    with pytest.raises(nb.InputError, match="did you mean 'pose'"):
        result.subset("poes")
    with pytest.raises(nb.InputError, match="has no faces"):
        result.subset("none")
    again = nb.evaluate(predictions(), TRUTH, scheme="wflw98", thresholds=[8, 7.5])
    assert (again.fr(), again.auc()) == (result.fr(8), result.auc(8))
    assert again.scores.columns.tolist() == ["subset", "faces", "nme", "fr8", "auc8", "fr7.5", "auc7.5"]
    assert result.scores["subset"].tolist() == ["test", "pose"]
    with pytest.raises(nb.InputError, match=r"write 8 for 0\.08"):
        result.fr(0.08)
