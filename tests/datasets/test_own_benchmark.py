"""A data set of one's own: one TOML and one json."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from nmebench import datasets
from nmebench.datasets.verify import verify
from nmebench.errors import InputError
from nmebench.runs.run_store import Run
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate

TOML = """
name = "five"
title = "Five points"

[scheme]
name = "five5"
points = 5
default_normaliser = "eyes"
flip = { pairs = [[0, 1], [3, 4]] }
groups = { eyes = [0, 1], nose = [2, 2], mouth = [3, 4] }
normalisers.eyes = { kind = "distance", first = [0], second = [1], source = "the centres of the eyes" }

[files.test]
faces-json = "five.json"

[counts.test]
test = 6
dark = 2
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The TOML file of a data set of six faces, of which two are dark."""
    random = np.random.default_rng(5)
    face = np.array([[30.0, 40], [60, 40], [45, 55], [33, 70], [57, 70]])
    (tmp_path / "images").mkdir()
    faces = []
    for number in range(6):
        cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), random.integers(0, 255, (100, 90, 3), dtype=np.uint8))
        points = (face + random.normal(0, 2, (5, 2))).round(3).tolist()
        faces.append({"image": f"{number}.png", "landmarks": points, "subsets": ["dark"] if number < 2 else []})
    (tmp_path / "five.json").write_text(json.dumps({"faces": faces}))
    (tmp_path / "five.toml").write_text(TOML)
    return tmp_path / "five.toml"


def test_it_is_read_with_its_scheme_and_subsets(own: Path) -> None:
    dataset = datasets.load(f"benchmark:{own}")
    assert (dataset.name, dataset.scheme.name, dataset.format) == ("five", "five5", "faces-json")
    assert dataset.scheme.flip.tolist() == [1, 0, 2, 4, 3]
    assert dataset.subsets["dark"].tolist() == [True, True, False, False, False, False]
    assert dataset.complete
    assert dataset.describe() == "6 faces"


def test_it_is_swept_with_the_oracle_and_reported(own: Path, tmp_path: Path) -> None:
    from nmebench import reports

    configuration = validate(
        {"data": f"benchmark:{own}", "models": ["oracle"], "decoders": ["argmax", "dark"], "flip": ["none", "flip"]},
        where="test",
    )
    run = execute(configuration, tmp_path / "run")
    rows = {(row["decoder"], row["flip"], row["subset"]): row for row in run.score_rows()}
    assert {subset for _, _, subset in rows} == {"test", "dark"}
    assert rows["dark", "none", "test"]["nme"] < 0.1 < rows["argmax", "none", "test"]["nme"]
    assert rows["dark", "none", "dark"]["faces"] == 2
    assert Run.open(run.path).record.dataset.name == "five"
    page = reports.write(run, tmp_path / "report.html", pictures=True).read_text()
    assert "five" in page
    assert "dark" in page


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "five"', 'name = "wflw"', "the name 'wflw' belongs to a data set of nmebench"),
        ('name = "five"', 'name = "synthface"', "the name 'synthface' belongs to a data set of nmebench"),
        ('name = "five5"', 'name = "wflw98"', "the scheme's name 'wflw98' belongs to another scheme"),
        ("[3, 4]]", "[3, 5]]", "landmark 5 is beyond its 5 landmarks"),
        ("mouth = [3, 4]", "mouth = [3, 3]", "the groups are not a partition"),
        ('"eyes"\nflip', '"pupils"\nflip', "no normaliser 'pupils'"),
        ("faces-json", "faces-jsn", "files.test: unknown format 'faces-jsn'; did you mean 'faces-json'?"),
        ("five.json", "six.json", "looked for six.json"),
        ('title = "Five points"', "titel = 1", "titel: unknown field; did you mean 'title'?; title: is missing"),
    ],
    ids=["wflw", "synthface", "scheme", "pair", "groups", "normaliser", "format", "file", "title"],
)
def test_a_wrong_definition_is_one_line(own: Path, old: str, new: str, message: str) -> None:
    assert old in TOML
    own.write_text(TOML.replace(old, new))
    if new == "six.json":
        (own.parent / "five.json").rename(own.parent / "five.dat")
    with pytest.raises(InputError) as caught:
        datasets.load(f"benchmark:{own}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_scheme_may_be_a_file_of_its_own(own: Path) -> None:
    head, _, rest = TOML.partition("[scheme]\n")
    scheme, _, files = rest.partition("[files.test]")
    (own.parent / "schemes").mkdir()
    (own.parent / "schemes" / "five5.toml").write_text(scheme)
    own.write_text(f'{head}scheme = "schemes/five5.toml"\n[files.test]{files}')
    assert datasets.load(f"benchmark:{own}").scheme.flip.tolist() == [1, 0, 2, 4, 3]
    (own.parent / "schemes" / "five5.toml").write_text(scheme.replace('"five5"', '"wflw98"'))
    with pytest.raises(InputError, match=r"five5\.toml: the scheme's name 'wflw98' belongs to another scheme"):
        datasets.load(f"benchmark:{own}")


def test_a_missing_definition_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is missing"):
        datasets.load(f"benchmark:{tmp_path / 'none.toml'}")


def test_a_path_that_is_no_spec_names_the_right_one(own: Path) -> None:
    with pytest.raises(InputError, match=f"such as benchmark:{own}$"):
        datasets.load(str(own))
    with pytest.raises(InputError, match=f"write benchmark:{own}$"):
        verify(own)
    with pytest.raises(InputError, match=r"is a folder: write benchmark:FILE\.toml"):
        datasets.load(f"benchmark:{own.parent}")


def test_a_face_outside_its_split_is_refused(own: Path) -> None:
    table = json.loads((own.parent / "five.json").read_text())
    table["faces"][0]["subsets"].append("test")
    (own.parent / "five.json").write_text(json.dumps(table))
    with pytest.raises(InputError, match="the subset 'test' is every face"):
        datasets.load(f"benchmark:{own}")


def test_the_test_file_is_not_read_as_the_training_split(own: Path) -> None:
    with pytest.raises(InputError, match="that split has no usual names"):
        datasets.load(f"benchmark:{own}", split="train")


def test_a_loop_of_links_is_no_annotation_file(own: Path) -> None:
    file = own.parent / "five.json"
    file.unlink()
    file.symlink_to(file.name)
    with pytest.raises(InputError, match=r"looked for five\.json"):
        datasets.load(f"benchmark:{own}")


def test_a_definition_that_is_not_utf8_is_refused(own: Path) -> None:
    own.write_bytes(own.read_bytes().replace(b"Five points", b"F\xfcnf"))
    with pytest.raises(InputError, match="a byte is not UTF-8"):
        datasets.load(f"benchmark:{own}")


@pytest.mark.parametrize("value", ["[true]", '["8"]'])
def test_thresholds_are_numbers(own: Path, value: str) -> None:
    own.write_text(f"thresholds = {value}\n{own.read_text()}")
    with pytest.raises(InputError, match=r"thresholds\.0: must be a number"):
        datasets.load(f"benchmark:{own}")
