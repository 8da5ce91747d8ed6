"""The page of a comparison."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nmebench import reports
from nmebench.comparisons import Comparison, compare, compare_cells
from nmebench.runs.run_store import Run


@pytest.fixture(scope="module")
def comparison(
    small_run: Run, make_report_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory
) -> Comparison:
    """Compare the run with one whose first cell is 0.3 points worse and that has no second network."""
    other = make_report_run(
        tmp_path_factory.mktemp("other") / "candidate",
        models=[m.name for m in small_run.record.models[:1]],
        decoders=("argmax", "quarter-offset", "dark"),
        boxes=("landmarks", "rect"),
        faces=60,
    )
    cells = {c.id for c in other.record.cells}
    per_face = {cell: nme.copy() for cell, nme in small_run.per_face.items() if cell in cells}
    per_face[next(iter(per_face))] += 0.3 + np.random.default_rng(0).normal(0, 0.05, 60)
    other.write_scores(small_run.scores[small_run.scores["cell"].isin(cells)], per_face)
    faces = replace(small_run.faces)
    Run.create(other.path, other.record, faces)
    return compare([small_run, Run.open(other.path)], names=["base", "candidate"])


def test_page_marks_the_worse_cell(comparison: Comparison) -> None:
    text = reports.comparison_html(comparison)
    assert comparison.compared == 12
    assert "12 comparisons with base: 1 worse and 11 without a significant difference." in text
    assert text.count('<tr class="worse">') == 1
    row = text[text.index('<tr class="worse">') :].partition("</tr>")[0]
    found = re.search(r"\+(0\.\d+)<small>", row)
    assert found is not None
    assert float(found[1]) == pytest.approx(0.3, abs=0.05)
    assert "no such cell" in text


def test_page_is_deterministic_and_written_atomically(comparison: Comparison, tmp_path: Path) -> None:
    out = reports.write_comparison(comparison, tmp_path / "compare.html")
    assert out.read_text(encoding="utf-8") == reports.comparison_html(comparison)
    assert [p.name for p in tmp_path.iterdir()] == ["compare.html"]


def test_names_are_escaped(comparison: Comparison) -> None:
    text = reports.comparison_html(replace(comparison, names=("<script>x</script>", "b"), notes=("<img src=x>",)))
    assert "<script>x" not in text
    assert "<img" not in text


def test_sentence_when_nothing_is_comparable(comparison: Comparison) -> None:
    rows = tuple(replace(row, differences=(None, None)) for row in comparison.rows)
    text = reports.comparison_html(replace(comparison, rows=rows))
    assert "Nothing was comparable" in text


def test_page_of_all_pairs(small_run: Run) -> None:
    cells = [cell.id for cell in small_run.record.cells][:3]
    comparison = compare_cells([(small_run, cell) for cell in cells], all_pairs=True)
    text = reports.comparison_html(comparison)
    ranking = text[text.index('id="ranking"') :]
    assert all(cell in ranking for cell in cells)
    assert "No significant difference from" in ranking
    pairs = text[text.index('id="pairs"') :]
    assert len(re.findall(r"<td class=\"forest\">", pairs)) == 3
    assert f"measured with <bdi>{comparison.rows[0].changes[1][0]}" in text
