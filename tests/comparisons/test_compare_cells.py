"""Tests of ``compare_cells``: cells of one run and of several, all pairs, ranking with ties."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nmebench.comparisons import as_json, compare_cells, lines, markdown
from nmebench.errors import InputError
from nmebench.statistics import holm, paired_difference

DARK = ("net", "dark", "none", "landmarks")
ARGMAX = ("net", "argmax", "none", "landmarks")
DIRECT = ("small", "direct", "none", "pfld")


@pytest.fixture
def noise(small_faces):
    return 4 + np.random.default_rng(2).normal(0, 0.2, len(small_faces))


@pytest.fixture
def run(make_run, noise, small_faces):
    """Two cells without a significant difference, and one that is worse."""
    jitter = np.random.default_rng(3).normal(0, 0.2, len(small_faces))
    return make_run({DARK: noise, ARGMAX: noise + jitter - jitter.mean(), DIRECT: noise + 1}, name="run")


def ids(run):
    return [cell.id for cell in run.record.cells]


def test_cells_with_the_first(run):
    found = compare_cells([(run, cell) for cell in ids(run)])
    (row,) = found.rows
    assert found.names == tuple(ids(run))
    assert [d.result for d in row.differences[1:]] == ["no difference", "worse"]
    assert (found.compared, found.pairs, found.ranking, found.exit_code) == (2, (), (), 0)
    raw = [paired_difference(run.per_face[ids(run)[0]], run.per_face[c], run.faces.clusters).p for c in ids(run)[1:]]
    assert [d.p for d in row.differences[1:]] == holm(raw).tolist()


def test_all_pairs_are_ranked_with_ties(run):
    found = compare_cells([(run, cell) for cell in ids(run)], all_pairs=True)
    assert [(p.first, p.second) for p in found.pairs] == [
        (ids(run)[0], ids(run)[1]), (ids(run)[0], ids(run)[2]), (ids(run)[1], ids(run)[2])
    ]  # fmt: skip
    assert [p.difference.result for p in found.pairs] == ["no difference", "worse", "worse"]
    ranks = {cell.cell: (cell.rank, cell.tied) for cell in found.ranking}
    assert ranks == {
        ids(run)[0]: (1, (ids(run)[1],)), ids(run)[1]: (1, (ids(run)[0],)), ids(run)[2]: (3, ())
    }  # fmt: skip
    assert found.summary.startswith("compare: 3 pairs on 60 common faces of wflw: 2 with a significant difference; ")
    text = "\n".join(lines(found))
    assert f"(no significant difference from {ids(run)[1]})" in text
    assert "| rank | cell | NME |" in markdown(found)
    assert [row["rank"] for row in as_json(found)["ranking"]] == [1, 1, 3]


def test_ranking_and_pairs_agree(run):
    """Both are adjusted over the same pairs: cells are tied exactly where a pair has no significant difference."""
    found = compare_cells([(run, cell) for cell in ids(run)], all_pairs=True)
    tied = {frozenset((cell.cell, other)) for cell in found.ranking for other in cell.tied}
    assert tied == {frozenset((p.first, p.second)) for p in found.pairs if p.difference.result == "no difference"}


def test_ranking_and_pairs_agree_beside_a_cell_without_a_rank(make_run, small_faces):
    """A difference that is significant among the ranked cells alone, and not among all pairs of the printed table."""
    generator = np.random.default_rng(0)
    nme, jitter = 4 + generator.normal(0, 0.2, len(small_faces)), generator.normal(0, 0.2, len(small_faces))
    near = nme + jitter - jitter.mean() + 0.065
    lost = [nme + generator.normal(0, 9, len(nme)) for _ in range(4)]
    cells = {DARK: nme, ARGMAX: near} | {("net", f"lost{n}", "none", "landmarks"): one for n, one in enumerate(lost)}
    for one in lost:
        one[0] = 500.0
    run = make_run(cells, name="run")
    found = compare_cells([(run, cell) for cell in ids(run)], all_pairs=True)
    first, second = found.ranking
    p = paired_difference(nme, near, run.faces.clusters).p
    assert p < 0.05 < found.pairs[0].difference.p
    assert (first.rank, second.rank, first.tied, second.tied) == (1, 1, (second.cell,), (first.cell,))


def test_p_is_adjusted_over_the_whole_table(run):
    """The family of one table: all pairs with ``all_pairs``, and those with the first cell without it."""
    cells = [(run, cell) for cell in ids(run)]
    raw = [paired_difference(run.per_face[a], run.per_face[b], run.faces.clusters).p
           for a, b in combinations(ids(run), 2)]  # fmt: skip
    every = compare_cells(cells, all_pairs=True)
    assert [pair.difference.p for pair in every.pairs] == holm(raw).tolist()
    assert [d.p for d in every.rows[0].differences[1:]] == holm(raw).tolist()[:2]
    assert [d.p for d in compare_cells(cells).rows[0].differences[1:]] == holm(raw[:2]).tolist()


def test_settings_of_each_cell_are_beside_its_result(run):
    changed = compare_cells([(run, cell) for cell in ids(run)]).rows[0].changes
    assert changed[1] == ("decoder argmax instead of dark",)
    assert "box pfld instead of landmarks" in changed[2]


def test_other_input_size_and_run(make_run, run, noise):
    other = make_run({DIRECT: noise + 0.5}, name="other")
    models = [model.model_copy(update={"input_size": (112, 112)}) for model in other.record.models]
    object.__setattr__(other, "record", other.record.model_copy(update={"models": models}))
    found = compare_cells([(run, ids(run)[0]), (other, ids(other)[0])])
    assert found.names == (f"run:{ids(run)[0]}", f"other:{ids(other)[0]}")
    assert "input size 112 x 112 instead of 256 x 256" in found.rows[0].changes[1]


def test_cells_that_cannot_be_ranked(run, make_run, noise):
    """A cell in another grid is compared, not ranked; so is one that diverged."""
    cells = [cell.model_copy(update={"mixed": cell.decoder == "argmax"}) for cell in run.record.cells]
    object.__setattr__(run, "record", run.record.model_copy(update={"cells": cells}))
    lost = noise.copy()
    lost[3] = 500.0
    other = make_run({DARK: lost}, name="lost")
    found = compare_cells([*((run, cell) for cell in ids(run)), (other, ids(other)[0])], all_pairs=True)
    assert len(found.pairs) == 6
    assert [cell.cell for cell in found.ranking] == [f"run:{ids(run)[0]}", f"run:{ids(run)[2]}"]
    assert found.names[1].endswith(" (other grid)")
    assert any("diverged on 1 face in lost" in note for note in found.notes)


def test_refused(run):
    first = ids(run)[0]
    with pytest.raises(InputError, match="two or more"):
        compare_cells([(run, first)])
    with pytest.raises(InputError, match="given twice"):
        compare_cells([(run, first), (run, first)])
    with pytest.raises(InputError, match="no such cell"):
        compare_cells([(run, first), (run, "other")])
