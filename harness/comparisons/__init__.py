"""Comparisons: runs cell by cell, or any cells of any runs, on the faces that all of them measured."""

from nmebench.comparisons.compare_cells import compare_cells
from nmebench.comparisons.compare_runs import compare
from nmebench.comparisons.comparison import CellDifference, CellScores, ComparedPair, ComparedRow, Comparison
from nmebench.comparisons.match_faces import CommonFaces, common_faces
from nmebench.comparisons.output import as_json, lines, markdown
from nmebench.comparisons.selection import Selection, compare_selected, select

__all__ = [
    "CellDifference",
    "CellScores",
    "CommonFaces",
    "ComparedPair",
    "ComparedRow",
    "Comparison",
    "Selection",
    "as_json",
    "common_faces",
    "compare",
    "compare_cells",
    "compare_selected",
    "lines",
    "markdown",
    "select",
]
