"""The bounds of the geometry checks on real faces."""

from __future__ import annotations

from pathlib import Path

from nmebench import datasets
from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.verify.geometry import check_faces
from nmebench.datasets.verify.report import Collector


def test_real_geometry_has_no_findings(shared: Path) -> None:
    """None of 2168 real faces, with all of the large-pose subset, is reported as degenerate, mirrored or damaged."""
    dataset = datasets.load(f"wflw-geometry:{shared / 'wflw-geometry'}")
    into = Collector()
    faces = AnnotatedFaces(dataset.images, dataset.lines, dataset.landmarks, None, None, None)
    check_faces(faces, dataset.scheme, "npz", into)
    assert into.findings == []
