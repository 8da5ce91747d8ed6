"""Ranking with ties."""

from __future__ import annotations

import numpy as np

from nmebench.statistics import ranking


def test_cells_without_a_significant_difference_are_tied():
    rng = np.random.default_rng(4)
    clusters = np.concatenate([np.arange(300), rng.integers(0, 300, 100)])
    hard = 4.0 * np.exp(rng.normal(0, 0.3, 300)[clusters] + rng.normal(0, 0.4, 400))
    cells = {
        "worst": hard + 1.0 + rng.normal(0, 0.1, 400),
        "good": hard + rng.normal(0, 0.1, 400),
        "good too": hard + rng.normal(0, 0.1, 400),
    }
    ranked = ranking(cells, clusters)
    assert [(r.cell, r.rank) for r in ranked][2] == ("worst", 3)
    assert {r.cell: (r.rank, r.tied) for r in ranked[:2]} == {"good": (1, ("good too",)), "good too": (1, ("good",))}
    assert ranked[0].nme <= ranked[1].nme
    assert ranking({}, clusters) == []
