"""The order of landmarks: the schematic faces, mirrored and turned files, and schemes of one's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from plausible_files import plausible

from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.verify.order import check_order, check_scheme
from nmebench.datasets.verify.report import Collector
from nmebench.datasets.verify.shapes import fit, shape_of
from nmebench.geometry import scheme as schemes
from nmebench.geometry.scheme import Normaliser, Scheme
from nmebench.synthface import template


def found(landmarks: np.ndarray, scheme: Scheme) -> dict[str, str]:
    into = Collector()
    images = tuple(map(str, range(len(landmarks))))
    check_order(AnnotatedFaces(images, np.arange(len(landmarks)), landmarks, None, None, None), scheme, "f", into)
    check_scheme(scheme, "the scheme", into)
    return {finding.code: finding.message for finding in into.findings}


@pytest.mark.parametrize("name", ["wflw98", "ibug68", "cofw29", "aflw19", "lapa106"])
def test_schematic_faces_are_upright_and_symmetric(name: str) -> None:
    scheme = schemes.load(name)
    shape = shape_of(scheme)
    assert shape is not None
    np.testing.assert_allclose(shape[scheme.flip] * [-1, 1], shape, atol=0.051)
    eyes, mouth = (
        scheme.normalisers["inter-ocular"],
        shape[list(scheme.groups.get("mouth", scheme.groups.get("outer-lip")))],
    )
    assert shape[eyes.second[0], 0] - shape[eyes.first[0], 0] == pytest.approx(100, abs=0.2)
    assert mouth[:, 1].mean() > 50


def test_the_face_of_98_landmarks_is_the_drawn_average_face() -> None:
    """No data set is in the shapes: they come from nmebench's own drawing."""
    shape = shape_of(schemes.load("wflw98"))
    drawn = np.array([template._HALF[i][:2] for i in sorted(template._HALF)])
    np.testing.assert_allclose(np.asarray(shape)[sorted(template._HALF)], drawn, atol=0.051)


def test_a_fit_is_the_least_squares_map() -> None:
    shape = shape_of(schemes.load("aflw19"))
    assert shape is not None
    faces = plausible("aflw19").landmarks
    faces[3, 4:9] = np.nan
    result = fit(shape, faces)
    for face in (0, 3):
        known = ~np.isnan(faces[face]).any(axis=1)
        source = np.column_stack([shape[known], np.ones(known.sum())])
        slow, *_ = np.linalg.lstsq(source, faces[face][known], rcond=None)
        np.testing.assert_allclose(result.maps[face], slow[:2], rtol=1e-8)
        np.testing.assert_allclose(
            result.residuals[face][known] @ slow[:2], faces[face][known] - source @ slow, atol=1e-8
        )
    assert np.isnan(result.residuals[3, 4:9]).all()


def test_faces_on_a_line_have_no_map() -> None:
    shape = shape_of(schemes.load("aflw19"))
    assert shape is not None
    line = np.repeat(np.arange(19.0)[None, :, None], 2, axis=2)
    assert np.isnan(fit(shape, line).maps).all()
    assert not fit(shape, line).mirrored.any()
    nothing = np.full((1, 19, 2), np.nan)
    assert np.isnan(fit(shape, nothing).maps).all()


@pytest.mark.parametrize(
    ("matrix", "code", "words"),
    [
        ([[0, 1], [1, 0]], "mirrored", "are the columns of x and y swapped?"),
        ([[1, 0], [0, -1]], "mirrored", "does y count from the bottom"),
        ([[-1, 0], [0, 1]], "mirrored", "without exchanging left and right"),
        ([[0, 1], [-1, 0]], "turned", "turned by"),
        ([[-1, 0], [0, -1]], "turned", "turned by"),
    ],
)
def test_the_message_names_the_likely_cause(matrix: list[list[int]], code: str, words: str) -> None:
    faces = found(plausible("ibug68").landmarks @ np.array(matrix, float) + 300, schemes.load("ibug68"))
    assert words in faces[code]


def test_one_mirrored_face_is_found_among_others() -> None:
    landmarks = plausible("ibug68").landmarks.copy()
    landmarks[4] = landmarks[4] * [-1, 1] + [240, 0]
    assert found(landmarks, schemes.load("ibug68")) == {
        "mirrored": "the face is mirrored: x and y swapped, or left and right landmarks exchanged"
    }


@pytest.fixture
def five() -> Scheme:
    return schemes.build(
        {
            "name": "five5",
            "points": 5,
            "default_normaliser": "eyes",
            "flip": {"pairs": [[0, 1], [3, 4]]},
            "groups": {"eyes": [0, 1], "nose": [2, 2], "mouth": [3, 4]},
            "normalisers": {"eyes": {"kind": "distance", "first": [0], "second": [1], "source": "ours"}},
        },
        "five.toml",
    )


def five_faces() -> np.ndarray:
    rng = np.random.default_rng(0)
    face = np.array([[30.0, 40.0], [60.0, 40.0], [45.0, 55.0], [33.0, 70.0], [57.0, 70.0]])
    return face + rng.normal(0, 2, (12, 5, 2)) + rng.uniform(0, 50, (12, 1, 2))


def test_an_own_scheme_is_checked_by_its_symmetry(five: Scheme) -> None:
    faces = five_faces()
    assert found(faces, five) == {}
    assert set(found(faces[..., ::-1], five)) == {"mirrored"}
    assert set(found(np.roll(faces, 1, axis=1), five)) == {"point-order"}
    assert set(found(faces[:, [3, 1, 2, 0, 4]], five)) == {"point-order"}


def test_an_own_schemes_table_is_checked(five: Scheme) -> None:
    wrong = replace(five, normalisers={"eyes": Normaliser("distance", (0,), (3,), "ours")})
    assert "between the landmarks 0 and 3" in found(five_faces(), wrong)["normaliser-points"]
    middle = replace(five, normalisers={"nose": Normaliser("distance", (0,), (2,), "ours")})
    assert "normaliser-points" in found(five_faces(), middle)
    identity = replace(five, flip=np.arange(5), normalisers={})
    assert set(found(five_faces(), identity)) == {"flip-identity"}
    swapped = replace(five, flip=np.array([3, 1, 2, 0, 4]), normalisers={})
    assert "point-order" in found(five_faces(), swapped)
