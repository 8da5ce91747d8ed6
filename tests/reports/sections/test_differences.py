"""Paired gains of decoders, and the words for means and ranks that disagree."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench.reports.sections import differences
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run
from nmebench.statistics import AdjustedDifference, RankTest


def test_each_decoder_is_compared_with_the_plain_one(small_run: Run) -> None:
    view = RunView(small_run)
    found = differences.section(view)
    assert found is not None
    gains = [gain for ladder in found.ladders for gain in ladder.gains]
    assert len(gains) == found.comparisons == 2 / 3 * len(view.cells)
    for gain in gains:
        assert gain.baseline.decoder == "argmax"
        assert (gain.baseline.model, gain.baseline.flip, gain.baseline.box) == (
            gain.cell.model,
            gain.cell.flip,
            gain.cell.box,
        )
        per_face = view.nme[gain.baseline.index] - view.nme[gain.cell.index]
        assert -gain.paired.difference == pytest.approx(float(per_face.mean()))
        assert float(gain.text) == pytest.approx(float(per_face.mean()), abs=0.006)
        low, high = (float(end.replace("−", "-")) for end in gain.interval.split(" to "))
        assert low <= per_face.mean() <= high
        assert 0 <= gain.low <= gain.position <= gain.high <= 100
        images = np.asarray(view.run.faces.image)
        better = [per_face[images == image].mean() > 0 for image in dict.fromkeys(images)]
        assert gain.ranks.lower == sum(better)


def test_ladders_are_sorted_and_one_per_network_is_shown(small_run: Run) -> None:
    found = differences.section(RunView(small_run))
    assert found is not None
    assert [ladder.plain.model for ladder in found.shown] == list(
        dict.fromkeys(lad.plain.model for lad in found.ladders)
    )
    assert len(found.shown) + len(found.others) == len(found.ladders)
    for ladder in found.ladders:
        sizes = [-gain.paired.difference for gain in ladder.gains]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("difference", "p_mean", "ranks", "p_ranks", "words"),
    [
        (-0.2, 0.001, (90, 10), 0.001, "better"),
        (0.2, 0.001, (10, 90), 0.001, "worse"),
        (-0.2, 0.2, (60, 40), 0.2, "no significant difference"),
        (-0.2, 0.001, (52, 48), 0.9, "mean better, ranks undecided: few faces decide"),
        (-0.2, 0.001, (6, 0), 0.25, "mean better, too few faces for the ranks"),
        (900.0, 0.3, (99, 1), 0.001, "better on most faces, mean undecided"),
        (0.2, 0.001, (90, 10), 0.001, "mean worse, better on most faces: few faces decide"),
    ],
)
def test_words_where_one_face_can_decide(
    difference: float, p_mean: float, ranks: tuple[int, int], p_ranks: float, words: str
) -> None:
    paired = AdjustedDifference(difference, difference - 0.1, difference + 0.1, p_mean, p_mean)
    assert differences.outcome_words(paired, RankTest(*ranks, 0, p_ranks), p_ranks) == words
