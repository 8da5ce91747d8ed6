"""``list published``, and predictions that are declared to be those of a published row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from face_files import random_points, spiga_faces, write_spiga

Call = Callable[..., Any]

IMAGES = [f"images/private/indoor/indoor_{number}.png" for number in range(3)]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """SPIGA's two files of three faces, in different orders."""
    truth = random_points(3, 68)
    write_spiga(tmp_path / "test.json", spiga_faces(truth, IMAGES))
    write_spiga(tmp_path / "results.json", spiga_faces((truth + 1)[::-1], IMAGES[::-1]))
    return tmp_path


def test_list_of_a_data_set_names_contradictions_and_disagreements(nmebench: Call) -> None:
    found = nmebench("list", "published", "--dataset", "300w")
    assert found.code == 0, found.err
    text = " ".join(found.out.split())
    assert "published 300-W rows, NME in percent" in text
    assert "LAB (STAR table) (!)" in text
    assert "contradiction in LAB (STAR table): nme: 2.98 (common) and 5.19 (challenge) give 3.413" in text
    assert (
        "tables of the same weights disagree: 300w, weights eea53406, nme of test: 3.37 in mmpose HRNetV2-W18" in text
    )
    assert "other data sets, for --dataset: 300w-private, aflw, cofw, cofw68, lapa, wflw" in text


def test_list_filters_and_prints_json(nmebench: Call) -> None:
    found = nmebench("list", "published", "--dataset", "cofw", "--metric", "auc10", "--json")
    document = json.loads(found.out)
    assert document["dataset"] == "cofw"
    assert [row["method"] for row in document["rows"]] == ["DCFE (ADNet table)", "AWing (ADNet table)", "ADNet"]
    assert [bool(row["faults"] or row["suspect"]) for row in document["rows"]] == [True, True, False]
    assert {row["protocol"]["normaliser"] for row in document["rows"]} == {"inter-pupil"}
    assert len(json.loads(nmebench("list", "published", "--json").out)["rows"]) == 90, "WFLW's rows by default"
    log = nmebench("list", "published", "--dataset", "aflw", "--method", "log), last").out
    assert "  1.0004  " in log, "logs are shown with four decimals"


def test_unknown_data_sets_are_refused(nmebench: Call) -> None:
    found = nmebench("list", "published", "--dataset", "300v")
    assert found.code == 2
    assert "dataset '300v': no such dataset, allowed: wflw, 300w" in found.error_line


def test_score_and_check_a_published_row(nmebench: Call, faces: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    data = f"300w-private:{faces}/test.json"
    found = nmebench(
        "score", faces / "results.json", "--data", data, "--normaliser", "box-size", "--published", "spiga", "-o", run
    )
    assert found.code == 0, found.err
    found = nmebench("check", run, "--json")
    verdict = json.loads(found.out)
    assert {row["table"] for row in verdict["rows"]} == {"SPIGA"}
    assert {row["metric"] for row in verdict["rows"]} == {"nme", "fr7", "auc7"}
    assert found.code == verdict["exit_code"] == 3, "three faces are not the complete set"
    # Rescored by another normaliser, the run keeps its declaration.
    other = tmp_path / "other"
    assert nmebench("score", run, "--normaliser", "inter-ocular", "-o", other).code == 0
    reasons = {row["reason"] for row in json.loads(nmebench("check", other, "--json").out)["rows"]}
    assert any("normalised by inter-ocular, reported by box-size" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--published", "SPIGGA"], "did you mean 'SPIGA'?", id="unknown-method"),
        pytest.param(["--data", "landmarks:{0}/truth.npz"], "no published rows are known for landmarks", id="no-rows"),
    ],
)
def test_wrong_declarations(nmebench: Call, faces: Path, arguments: list[str], message: str) -> None:
    np.savez(faces / "truth.npz", landmarks=random_points(3, 68))
    given = {"--data": f"300w-private:{faces}/test.json", "--published": "SPIGA"}
    given |= dict([[part.format(faces) for part in arguments]])
    options = [part for pair in given.items() for part in pair]
    found = nmebench("score", faces / "results.json", *options, "-o", faces / "run")
    assert found.code == 2
    assert message in found.error_line
    assert not (faces / "run").exists()


def test_a_stored_run_has_its_declaration(nmebench: Call, faces: Path) -> None:
    data = f"300w-private:{faces}/test.json"
    assert nmebench("score", faces / "results.json", "--data", data, "-o", faces / "run").code == 0
    found = nmebench("score", faces / "run", "--published", "SPIGA")
    assert found.code == 2
    assert "remove the declared options" in found.error_line
