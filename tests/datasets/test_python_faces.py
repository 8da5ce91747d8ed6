"""Faces that a function of the user's returns."""

from __future__ import annotations

import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest

from nmebench import datasets
from nmebench.contracts import dataset_contract
from nmebench.datasets.write_faces import write
from nmebench.errors import InputError
from nmebench.geometry.scheme import load as load_scheme
from nmebench.runs.run_store import Run
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate
from nmebench.sweep.keys import data_key

SCHEME = """
name = "five5"
points = 5
default_normaliser = "eyes"
flip = { pairs = [[0, 1], [3, 4]] }
groups = { eyes = [0, 1], nose = [2, 2], mouth = [3, 4] }
normalisers.eyes = { kind = "distance", first = [0], second = [1], source = "the centres of the eyes" }
"""

READER = """
import numpy as np
from shapes import FACE

def load(path, split="test"):
    names = sorted(file.name for file in path.iterdir())
    return {
        "scheme": "five.toml",
        "images": path,
        "name": "mine",
        "faces": [
            {"image": name, "landmarks": FACE + number, "subsets": ["even"] if number % 2 == 0 else [],
             "occluded": np.array([number]), "box": (20, 30, 70, np.float32(80))}
            for number, name in enumerate(names)
        ],
    }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a reader, a module that it imports, a scheme and three photographs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    random = np.random.default_rng(0)
    for number in range(3):
        cv2.imwrite(str(tmp_path / "photos" / f"{number}.png"), random.integers(0, 255, (100, 90, 3), dtype=np.uint8))
    (tmp_path / "reader.py").write_text(READER)
    (tmp_path / "shapes.py").write_text(
        "import numpy as np\nFACE = np.array([[30.0, 40], [60, 40], [45, 55], [33, 70], [57, 70]])\n"
    )
    (tmp_path / "five.toml").write_text(SCHEME)
    return tmp_path


def test_faces_are_read_with_everything_they_have(folder: Path) -> None:
    dataset = datasets.load("python:reader.py:load::photos")
    assert (dataset.name, dataset.scheme.name, dataset.format) == ("mine", "five5", "python")
    assert dataset.images == ("0.png", "1.png", "2.png")
    assert dataset.image_root == folder / "photos"
    assert dataset.landmarks[2, 0].tolist() == [32.0, 42.0]
    assert dataset.subsets["even"].tolist() == [True, False, True]
    assert dataset.occluded is not None
    assert dataset.occluded.argmax(1).tolist() == [0, 1, 2]
    assert dataset.rect is not None
    assert dataset.rect[0].tolist() == [20.0, 30.0, 70.0, 80.0]


def test_it_fulfils_the_contract(folder: Path) -> None:
    results = dataset_contract.run_checks("python:reader.py:load::photos")
    assert {result.outcome for result in results} <= {"passed"}


def test_it_is_swept_and_the_run_names_the_code(folder: Path) -> None:
    configuration = validate(
        {"data": "python:reader.py:load::photos", "models": ["oracle"], "decoders": ["dark"]}, where="test"
    )
    run = execute(configuration, folder / "run")
    record = Run.open(run.path).record.dataset
    assert (record.name, record.faces) == ("mine", 3)
    assert "reader.py" in [file.name for file in record.files]


def test_a_change_of_the_code_changes_the_keys(folder: Path) -> None:
    keys = [data_key(datasets.load("python:reader.py:load::photos"))]
    assert data_key(datasets.load("python:reader.py:load::photos")) == keys[0]
    for name in ("reader.py", "shapes.py"):
        with (folder / name).open("a") as file:
            file.write("# a remark\n")
        keys.append(data_key(datasets.load("python:reader.py:load::photos")))
    assert len(set(keys)) == 3


def test_a_converted_copy_has_the_same_faces(folder: Path) -> None:
    before = datasets.load("python:reader.py:load::photos")
    (folder / "out").mkdir()
    (folder / "out" / "images").symlink_to(folder / "photos")
    after = datasets.load(f"benchmark:{write(before, folder / 'out', 'copy')}")
    for name in ("landmarks", "occluded", "rect"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert after.images == before.images
    assert after.scheme.normalisers == before.scheme.normalisers


def _reader(folder: Path, body: str, head: str = "def load():") -> None:
    (folder / "reader.py").write_text(head + "\n" + textwrap.indent(textwrap.dedent(body), "    "))


FACE = "[[30.0, 40], [60, 40], [45, 55], [33, 70], [57, 70]]"


def test_a_generator_and_a_scheme_of_the_command_line_are_enough(folder: Path) -> None:
    _reader(folder, f"for name in 'ab': yield {{'image': name, 'landmarks': {FACE}}}")
    dataset = datasets.load("python:reader.py:load", scheme="five.toml")
    assert (dataset.name, dataset.images, dataset.image_root) == ("reader", ("a", "b"), None)
    with pytest.raises(InputError, match="the landmark scheme is missing: return 'scheme', or give --scheme"):
        datasets.load("python:reader.py:load")


def test_the_scheme_may_be_a_known_one_or_a_table(folder: Path) -> None:
    _reader(folder, "import numpy as np\nreturn {'scheme': 'cofw29', 'faces': [{'image': 'a', 'landmarks': "
            "np.arange(58.0).reshape(29, 2) + 1}]}")  # fmt: skip
    assert datasets.load("python:reader.py:load").scheme is load_scheme("cofw29")
    _reader(folder, f"import tomllib\nreturn {{'scheme': tomllib.loads('''{SCHEME}'''), 'faces': [{{'image': 'a', "
            f"'landmarks': {FACE}}}]}}")  # fmt: skip
    assert datasets.load("python:reader.py:load").scheme.name == "five5"


def test_a_landmark_that_is_nan_is_not_labelled(folder: Path) -> None:
    face = FACE.replace("[45, 55]", "[float('nan'), float('nan')]")
    _reader(folder, f"return {{'scheme': 'five.toml', 'faces': [{{'image': 'a', 'landmarks': {face}}}]}}")
    with pytest.raises(InputError, match="face 1: landmark 2 is not a list of x and y; a landmark without a position"):
        datasets.load("python:reader.py:load")
    _reader(
        folder,
        f"return {{'scheme': 'five.toml', 'unlabelled': 'exclude', 'faces': [{{'image': 'a', 'landmarks': {face}}}]}}",
    )
    assert datasets.load("python:reader.py:load").labelled[0].tolist() == [True, True, False, True, True]


def test_the_split_is_given_to_the_function(folder: Path) -> None:
    _reader(
        folder,
        f"return {{'scheme': 'five.toml', 'origin': 1, 'faces': [{{'image': split, 'landmarks': {FACE}}}]}}",
        "def load(split):",
    )
    dataset = datasets.load("python:reader.py:load", split="train")
    assert (dataset.images, list(dataset.subsets), dataset.origin) == (("train",), ["train"], 1)
    _reader(folder, "return []")
    with pytest.raises(InputError, match="has no parameter 'split', so it has the test split only, not 'train'"):
        datasets.load("python:reader.py:load", split="train")


RETURN = "return {'scheme': 'five.toml', 'faces': [%s]}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("x = 1\nraise ValueError('bad\\nfile')", "load() failed: ValueError: bad file (reader.py:3)"),
        ("yield 1\n1 / 0", "load() failed: ZeroDivisionError: division by zero (reader.py:3)"),
        ("raise SystemExit(0)", "load() failed: SystemExit: the code ends the process (0) (reader.py:2)"),
        ("return 7", "returns int for the faces, expected a list of dictionaries"),
        ("return {'scheme': 'five.toml'}", "returns NoneType for the faces"),
        ("return {'schema': 1, 'faces': []}", "unknown field 'schema'; did you mean 'scheme'?"),
        ("return {'scheme': 'six.toml', 'faces': []}", "six.toml is missing"),
        ("return {'scheme': 'wflw89', 'faces': []}", "unknown scheme 'wflw89'; did you mean 'wflw98'?"),
        ("return {'scheme': 5, 'faces': []}", "'scheme' is int, expected a name, a TOML file or a table"),
        ("return {'scheme': 'five.toml', 'name': 'wflw', 'faces': []}", "the name 'wflw' belongs to a data set"),
        ("return {'scheme': 'five.toml', 'origin': 2, 'faces': []}", "origins.python: must be 0 or 1"),
        ("return {'scheme': 'five.toml', 'images': 'none', 'faces': []}", "which is no folder"),
        (RETURN % "", "holds no faces"),
        (RETURN % "7", "face 1 is not an object"),
        (RETURN % "{'image': 'a', 'landmarks': [[1, 2]]}", "face 1: 1 landmarks, expected 5"),
        (RETURN % f"{{'image': '../a', 'landmarks': {FACE}}}", "leads out of the image folder"),
        (RETURN % f"{{'image': 'a', 'landmark': {FACE}}}", "unknown field 'landmark'; did you mean 'landmarks'?"),
        (RETURN % f"{{'image': 'a', 'landmarks': {FACE.replace('30.0', 'None')}}}", "landmark 0 x is None, not"),
        (RETURN % f"{{'image': 'a', 'landmarks': {FACE}, 'box': [1]}}", "face 1: 'box' is not a list of four numbers"),
        (RETURN % f"{{'image': 'a', 'landmarks': {FACE.replace('[60, 40]', '[30, 40]')}}}", "face 1: the eyes length"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_line(folder: Path, body: str, message: str) -> None:
    _reader(folder, body)
    with pytest.raises(InputError) as caught:
        datasets.load("python:reader.py:load")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("python", "'python' does not say where the files are"),
        ("python:reader.py", "'python:reader.py' is incomplete: write \"python:reader.py:load\""),
        ("python:readr.py:load", "there is no file"),
        ("python:reader.py:laod", "laod doesn't exist; reader.py has load; did you mean 'load'?"),
        ("python:reader.py:np", "np isn't a class or function"),
        ("python:no_such_module:load", "there is no module 'no_such_module'"),
        (
            "python:reader.py:load",
            "load(path=None, split='test') (the data set names no ::PATH) failed: Attribute",
        ),
    ],
)
def test_a_wrong_spec_is_one_line(folder: Path, spec: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        datasets.load(spec)
    assert message in str(caught.value)


def test_parameters_that_are_not_given_are_named(folder: Path) -> None:
    _reader(folder, "return []", "def load(folder):")
    with pytest.raises(InputError, match="its parameter 'folder' is not given; it may have 'path' and 'split'"):
        datasets.load("python:reader.py:load")
    _reader(folder, "return []")
    with pytest.raises(InputError, match="has no parameter 'path', but the data set names ::photos"):
        datasets.load("python:reader.py:load::photos")
    with pytest.raises(InputError, match="python has no formats"):
        datasets.load("python:reader.py:load", format="faces-json")


def test_a_scheme_that_a_data_set_does_not_have_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="returns another scheme than wflw98; leave out --scheme"):
        datasets.load("python:reader.py:load::photos", scheme="wflw98")


def test_a_generator_may_fill_one_array_or_dictionary_again(folder: Path) -> None:
    body = f"""
import numpy as np
def faces():
    points, face = np.empty((5, 2)), {{}}
    for number in range(3):
        points[:] = np.array({FACE}) + number
        face.update(image=f"{{number}}", landmarks=points)
        yield face
return {{"scheme": "five.toml", "faces": KIND(faces())}}
"""
    _reader(folder, body.replace("KIND", ""))
    dataset = datasets.load("python:reader.py:load")
    assert dataset.images == ("0", "1", "2")
    assert (dataset.landmarks - dataset.landmarks[0])[:, 0, 0].tolist() == [0, 1, 2]
    assert not any("same object" in note for note in dataset.notes)
    _reader(folder, body.replace("KIND", "list"))
    assert any("of 2 faces are the same object" in note for note in datasets.load("python:reader.py:load").notes)


@pytest.mark.parametrize(
    "made",
    [
        "load = functools.lru_cache(faces)",
        "load = functools.partial(faces)",
        "load = lambda: faces()",
    ],
)
def test_callables_that_are_no_plain_function(folder: Path, made: str) -> None:
    face = f"{{'image': 'a', 'landmarks': {FACE}}}"
    text = f"import functools\ndef faces():\n    return {{'scheme': 'five.toml', 'faces': [{face}]}}\n{made}\n"
    (folder / "reader.py").write_text(text)
    before = datasets.load("python:reader.py:load")
    (folder / "reader.py").write_text(text + "OTHER = 1\n")
    assert datasets.load("python:reader.py:load").files[0].sha256 != before.files[0].sha256


def test_what_the_code_prints_is_no_output_of_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    face = f"{{'image': 'a', 'landmarks': {FACE}}}"
    _reader(folder, f"print('hello')\nreturn {{'scheme': 'five.toml', 'faces': [{face}]}}")
    datasets.load("python:reader.py:load")
    assert capsys.readouterr() == ("", "hello\n")
