"""Objects of the Python interface print one line, without their arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from few_faces import write_few_faces

import nmebench
from nmebench import boxes, datasets, gates, models
from nmebench.geometry import scheme
from nmebench.runs.run_store import Run


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> datasets.Dataset:
    return datasets.load(f"wflw:{write_few_faces(tmp_path_factory.mktemp('few') / 'WFLW')}")


def test_dataset(faces: datasets.Dataset) -> None:
    line = repr(faces)
    assert line.startswith(f"<Dataset {faces.spec}: 11 of 2500 faces, wflw98, subsets test, pose")
    assert line.endswith(">")
    assert "\n" not in line


def test_boxes_and_scheme(faces: datasets.Dataset) -> None:
    found = boxes.boxes_of(boxes.create("landmarks"), faces)
    assert repr(found) == "<Boxes landmarks: 11 faces, padding 1.25, affine>"
    assert repr(scheme.load("wflw98")).startswith("<Scheme wflw98: 98 points, normalisers inter-ocular, ")


def test_evaluation() -> None:
    truth = np.random.default_rng(0).uniform(0, 255, (4, 98, 2))
    result = nmebench.evaluate(truth, truth, scheme="wflw98", name="mine\n")
    assert repr(result) == "<Evaluation mine\\n: 4 faces, wflw98, NME 0.0000 % of inter-ocular>"


def test_baseline_and_faces_of_a_run(make_run: Callable[..., Run]) -> None:
    run = make_run({("net", "dark", "none", "landmarks"): 3.0})
    assert repr(gates.make_baseline(run)) == f"<Baseline of wflw: {len(run.faces)} faces, 1 cell>"
    assert repr(run.faces).startswith(f"<FaceTable: {len(run.faces)} faces, 98 landmarks, subsets test, ")


def test_network() -> None:
    assert repr(models.build(models.card.load("oracle"))) == "<network oracle: oracle>"
