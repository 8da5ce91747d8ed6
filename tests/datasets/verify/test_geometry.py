"""The bounds of the geometry checks on real faces, in every scheme that WFLW's landmarks can stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nmebench import datasets
from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.verify.geometry import check_faces
from nmebench.datasets.verify.order import check_order
from nmebench.datasets.verify.report import Collector
from nmebench.geometry import point_mapping
from nmebench.geometry.scheme import Scheme
from nmebench.geometry.scheme import load as load_scheme


def findings(landmarks: np.ndarray, scheme: Scheme) -> set[str]:
    into = Collector()
    faces = AnnotatedFaces(
        tuple(map(str, range(len(landmarks)))), np.arange(len(landmarks)), landmarks, None, None, None
    )
    check_faces(faces, scheme, "npz", into, fractions=False)
    check_order(faces, scheme, "npz", into)
    return {finding.code for finding in into.findings}


@pytest.fixture(scope="module")
def real(shared: Path) -> datasets.Dataset:
    return datasets.load(f"wflw-geometry:{shared / 'wflw-geometry'}")


def test_real_geometry_has_no_findings(real: datasets.Dataset) -> None:
    """None of 2168 real faces, with all of the large-pose subset, is reported as degenerate, mirrored or damaged."""
    assert findings(real.landmarks, real.scheme) == set()


def test_turned_faces_alone_have_no_findings(real: datasets.Dataset) -> None:
    pose = real.landmarks[real.subsets["pose"]]
    assert findings(pose, real.scheme) == set()
    rng = np.random.default_rng(0)
    for faces in (1, 2, 3, 6, 10, 12):
        for _ in range(20):
            assert findings(pose[rng.choice(len(pose), faces, replace=False)], real.scheme) == set()


def test_real_faces_in_68_landmarks_have_no_findings(real: datasets.Dataset, shared: Path) -> None:
    mapping = point_mapping.between(real.scheme, load_scheme("ibug68"))
    assert mapping is not None
    assert findings(mapping.landmarks(real.landmarks), load_scheme("ibug68")) == set()
    with np.load(shared / "benchmarks/spiga_300wprivate.npz") as archive:
        assert findings(archive["gt"], load_scheme("ibug68")) == set()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param([*range(33, 41), *range(42, 50)], [*range(60, 76)], id="brows and eyes"),
        pytest.param([*range(76, 84)], [*range(88, 96)], id="outer and inner lip"),
        pytest.param([*range(51, 56)], [*range(55, 60)][::-1], id="nose line and base"),
        pytest.param([*range(33)], [*range(32, -1, -1)], id="contour from the other side"),
    ],
)
def test_groups_that_change_places_are_found(real: datasets.Dataset, first: list[int], second: list[int]) -> None:
    """Small exchanges, which need many faces to tell them from the turn of heads."""
    landmarks = real.landmarks.copy()
    landmarks[:, first], landmarks[:, second] = real.landmarks[:, second], real.landmarks[:, first]
    assert "point-order" in findings(landmarks, real.scheme)
