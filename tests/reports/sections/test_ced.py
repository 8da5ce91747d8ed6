"""Error curves: counts, axes, and the data for the page's script."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nmebench.reports.sections import ced
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run


@pytest.fixture(scope="module")
def view(small_run: Run) -> RunView:
    return RunView(small_run)


def test_counts_are_the_faces_at_or_below_each_threshold(view: RunView) -> None:
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
def test_packed_counts_unpack(counts: list[int], packed: list[int]) -> None:
    assert ced.packed(np.array([counts])) == [packed]
    assert _unpacked(packed, len(counts)) == counts


def test_data_for_the_script_has_every_subset(view: RunView) -> None:
    section = ced.section(view)
    assert section is not None
    for axis in section.axes:
        steps = section.data["axes"][axis.name]["steps"]
        assert list(section.data["subsets"]) == list(view.masks)
        headline = [head.cell.index for head in view.headline]
        assert section.data["cells"] == headline
        for subset, mask in view.masks.items():
            totals = [_unpacked(row, len(axis.thresholds)) for row in steps[subset]]
            np.testing.assert_array_equal(totals, ced.counts(view.nme[headline][:, mask], axis.thresholds))
        assert axis.figure.count('class="curve"') == len(headline)
        assert section.all_cells is not None
        assert section.all_cells.count('class="curve"') == len(view.cells)
        left, top, width, height = axis.box
        frame = [float(v) for v in re.search(r'viewBox="([^"]+)"', axis.figure)[1].split()]
        assert 0 < left < left + width <= frame[2]
        assert 0 < top < top + height <= frame[3]


def test_curve_is_drawn_where_the_script_draws_it(view: RunView) -> None:
    section = ced.section(view)
    assert section is not None
    axis = section.axes[0]
    cell = view.headline[0].cell.index
    path = re.search(rf'data-cell="{cell}"[^>]*>\s*<path d="([^"]+)"', axis.figure)[1]
    drawn = np.array([float(v) for v in re.findall(r"-?[\d.]+", path)]).reshape(-1, 2)
    left, top, width, height = axis.box
    share = ced.counts(view.nme, axis.thresholds)[cell] / len(view.nme[0])
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
def test_axes_span_the_errors(nme: list[list[float]], high: float) -> None:
    linear, log = ced.thresholds(np.array(nme))
    assert linear[0] == 0
    assert linear[-1] == high
    assert log[0] <= min(map(min, nme))
    assert log[-1] >= max(map(max, nme))


def test_shares_at_the_end_of_the_linear_axis(view: RunView) -> None:
    section = ced.section(view)
    assert section is not None
    end = section.axes[0].thresholds[-1]
    assert float(section.at) == end
    assert [text for _, text in section.shares] == [
        f"{100 * (view.nme[cell.index] <= end).mean():.1f} %" for cell, _ in section.shares
    ]
    values = [float(text.removesuffix(" %")) for _, text in section.shares]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("end", [10.0, 8.0, 7.0, 2.5, 25.0])
def test_the_linear_axis_ends_at_the_threshold_or_before(end: float) -> None:
    rng = np.random.default_rng(0)
    far, near = rng.uniform(0, 3 * end, (2, 200)), rng.uniform(0, 0.04 * end, (2, 200))
    assert ced.thresholds(far, end)[0][-1] == end
    assert ced.thresholds(near, end)[0][-1] < end
    assert ced.thresholds(np.full((1, 3), np.nan), end)[0][-1] == end
