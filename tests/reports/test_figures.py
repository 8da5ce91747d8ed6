"""Curves, differences, boxes, landmarks, sizes: each against a slow reference, and the SVG that carries them."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from nmebench.reports.render import svg
from nmebench.reports.sections import ced, differences, landmarks, sizes
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


@pytest.fixture(scope="module")
def view(small_run: Run) -> RunView:
    return RunView(small_run)


def test_curve_counts_are_the_faces_at_or_below(view: RunView) -> None:
    thresholds = np.array([0.0, 2.5, 4.0, 9.0, 1e6])
    found = ced.counts(view.nme, thresholds)
    slow = [[sum(bool(v <= t) for v in row) for t in thresholds] for row in view.nme]
    assert found.tolist() == slow
    assert ced.counts(np.array([[4.0, 4.0, 5.0]]), np.array([4.0])).tolist() == [[2]]


def _unpacked(row: list[int], points: int) -> list[int]:
    increments = [value for step in row for value in ([0] * -step if step < 0 else [step])]
    return np.cumsum(increments + [0] * (points - len(increments))).tolist()


@pytest.mark.parametrize(
    ("counts", "packed"),
    [([0, 0, 0, 2, 2, 5], [-3, 2, -1, 3]), ([3, 3, 3], [3]), ([0, 0], []), ([1, 1, 2, 2], [1, -1, 1])],
)
def test_packed_counts(counts: list[int], packed: list[int]) -> None:
    assert ced.packed(np.array([counts])) == [packed]
    assert _unpacked(packed, len(counts)) == counts


def test_curves_carry_every_subset_for_the_script(view: RunView) -> None:
    section = ced.section(view)
    assert section is not None
    for axis in section.axes:
        steps = section.data["axes"][axis.name]["steps"]
        assert list(section.data["subsets"]) == list(view.masks)
        for subset, mask in view.masks.items():
            totals = [_unpacked(row, len(axis.thresholds)) for row in steps[subset]]
            np.testing.assert_array_equal(totals, ced.counts(view.nme[:, mask], axis.thresholds))
        assert axis.figure.count('class="curve"') == len(view.cells)
        left, top, width, height = axis.box
        frame = [float(v) for v in re.search(r'viewBox="([^"]+)"', axis.figure)[1].split()]
        assert 0 < left < left + width <= frame[2]
        assert 0 < top < top + height <= frame[3]


def test_curve_lies_where_the_script_would_draw_it(view: RunView) -> None:
    section = ced.section(view)
    assert section is not None
    axis = section.axes[0]
    path = re.search(r'data-cell="0"[^>]*>\s*<path d="([^"]+)"', axis.figure)[1]
    drawn = np.array([float(v) for v in re.findall(r"-?[\d.]+", path)]).reshape(-1, 2)
    left, top, width, height = axis.box
    share = ced.counts(view.nme, axis.thresholds)[0] / len(view.nme[0])
    x = left + width * np.linspace(0, 1, len(share))
    y = top + height * (1 - share)
    np.testing.assert_allclose(np.interp(drawn[:, 0], x, y), drawn[:, 1], atol=0.5)


@pytest.mark.parametrize(
    ("nme", "high"),
    [
        pytest.param([[0.02, 0.03]], 0.1, id="floors"),
        pytest.param([[3.0, 4.0]], 5.0, id="good"),
        pytest.param([[60.0]], 10.0, id="bad"),
    ],
)
def test_linear_axis_ends_where_the_errors_do(nme: list[list[float]], high: float) -> None:
    linear, log = ced.grids(np.array(nme))
    assert linear[0] == 0
    assert linear[-1] == high
    assert log[0] <= min(map(min, nme))
    assert log[-1] >= max(map(max, nme))


def test_differences_are_paired_with_the_plain_decoder(view: RunView) -> None:
    forest = differences.section(view)
    assert forest is not None
    assert len(forest.rows) == 2 / 3 * len(view.cells)
    for row in forest.rows:
        assert row.baseline.decoder == "argmax"
        assert (row.baseline.model, row.baseline.flip, row.baseline.box) == (
            row.cell.model,
            row.cell.flip,
            row.cell.box,
        )
        mean = float(np.mean(view.nme[row.cell.index] - view.nme[row.baseline.index]))
        assert row.paired.difference == pytest.approx(mean)
        assert row.paired.low <= mean <= row.paired.high
        assert row.paired.p_holm >= row.paired.p
        assert 0 <= row.low <= row.at <= row.high <= 100
        assert (row.verdict == "no significant difference") == (row.paired.p_holm >= 0.05)


def test_boxes_stand_side_by_side(view: RunView) -> None:
    found = differences.boxes(view)
    assert found is not None
    assert found.names == ("landmarks", "rect")
    assert len(found.rows) == len(view.cells) / 2
    for row in found.rows:
        assert row.spread_value == pytest.approx(max(row.values) - min(row.values))


def test_landmark_errors_against_a_loop(view: RunView) -> None:
    table = landmarks.per_landmark(view)
    faces, cell = view.run.faces, view.cells[3]
    predicted = view.run.landmarks(cell.id)
    for k in (0, 54, 97):
        slow = [
            100 * float(np.hypot(*(predicted[i, k].astype(float) - faces.landmarks[i, k]))) / faces.normaliser[i]
            for i in range(len(faces))
        ]
        assert table[3, k] == pytest.approx(np.mean(slow))
    # The mean over landmarks is the mean NME.
    np.testing.assert_allclose(table.mean(1), view.nme.mean(1), rtol=1e-6)


def test_groups_keep_the_order_of_the_face_and_their_means(view: RunView) -> None:
    found = landmarks.section(view)
    assert found is not None
    assert [name for name, _ in found.groups][:3] == ["contour", "right-brow", "left-brow"]
    assert found.rows[0].values[0] == pytest.approx(found.table[0, :33].mean())
    assert len(found.faces) == 2
    assert all(len(face.dots) == 98 for face in found.faces)


def test_mean_face_ignores_place_and_size() -> None:
    shape = np.random.default_rng(0).random((5, 2))
    size = np.array([[10.0, 20.0], [100.0, 50.0]])
    centre = np.array([[3.0, 4.0], [-200.0, 9.0]])
    faces = centre[:, None] + shape * size[:, None]
    np.testing.assert_allclose(landmarks.mean_face(faces, centre, size), shape)


def test_size_bins_are_a_partition_in_order() -> None:
    size = np.random.default_rng(1).lognormal(5, 1, 103)
    parts = sizes.bins(size)
    assert sorted(np.concatenate(parts).tolist()) == list(range(103))
    assert {len(p) for p in parts} <= {12, 13}
    assert all(size[a].max() <= size[b].min() for a, b in pairwise(parts))


def test_sizes_table_holds_the_bins_means(view: RunView) -> None:
    found = sizes.section(view)
    assert found is not None
    extent = view.run.faces.size
    parts = sizes.bins(np.sqrt(extent[:, 0] * extent[:, 1]))
    row = found.rows[0]
    assert list(row.texts) == [f"{view.nme[row.cell.index][part].mean():.2f}" for part in parts]


def test_svg_is_the_same_twice_themed_and_its_ids_its_own() -> None:
    def draw() -> str:
        drawing, axes = svg.figure(3, 2)
        axes.plot([0, 1], [0, 1], color=svg.series(2), gid="cell-7")
        axes.set_xlabel("$a_b$ <c>")
        return svg.render(drawing, "one", title="A <title>", description="what & why")

    text = draw()
    assert text == draw()
    assert 'data-cell="7"' in text
    assert "var(--s2)" in text
    assert "#0102" not in text
    assert "$a_b$ &lt;c&gt;" in text
    assert "A &lt;title&gt;" in text
    assert all(found.startswith("one-") for found in re.findall(r' id="([^"]+)"', text))
    assert "date" not in text.lower()


@pytest.mark.parametrize(
    ("ends", "reach"),
    [
        pytest.param([-0.3, 0.1, 0.45], 0.5, id="all inside"),
        pytest.param([0.1, 0.2, 0.3, 5e5], 1.0, id="an outlier goes beyond"),
        pytest.param([float("nan")], 0.01, id="nothing known"),
        pytest.param([0.0, 0.0], 0.01, id="no difference"),
    ],
)
def test_scale_holds_what_it_should(ends: list[float], reach: float) -> None:
    scale = differences.Scale.of(ends)
    assert scale.reach == reach
    assert scale.at(0) == 50
    assert scale.at(-2 * reach) == 0
    assert scale.at(reach / 2) == 75
