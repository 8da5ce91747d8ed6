"""The commands of every tutorial run, and print what the page shows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tutorial_page import Tutorial, blocks, commands, install, same

from nmebench import synthface

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs/tutorials").glob("*-*.md")), ROOT / "docs/index.md"]

DRAW = "nmebench data make synthface -o faces --faces 24"
"""The first command of most pages; the tests draw the faces once."""


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The faces that the pages draw."""
    folder = tmp_path_factory.mktemp("tutorials") / "faces"
    synthface.make(folder, faces=24, seed=0, workers=1)
    return folder


def marks(page: Path) -> list[pytest.MarkDecorator]:
    """Two trainings take half a minute."""
    return [pytest.mark.slow] if page.stem.startswith("train-") else []


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem, marks=marks(page)) for page in PAGES])
def test_tutorial(
    page: Path,
    drawn: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(drawn.parent / "cache"))
    monkeypatch.syspath_prepend(tmp_path / "installed")
    special = {
        DRAW: lambda folder: shutil.copytree(drawn, folder / "faces"),
        "pip install --editable .": install,
        "python -m pip install .": lambda folder: None,
    }
    assert Tutorial(page, tmp_path, capsys, monkeypatch, special).run() >= 2


def test_skipped_blocks_have_a_reason() -> None:
    skipped = [block for page in PAGES for block in blocks(page) if block.skipped]
    assert skipped
    assert all(len(block.skipped.split()) > 1 for block in skipped)


@pytest.mark.parametrize(
    ("expected", "actual", "equal"),
    [
        pytest.param("a  1.000 b", "a 1.02 b\n", True, id="a number within 3 percent"),
        pytest.param("a 1.000 b", "a 1.04 b\n", False, id="another number"),
        pytest.param("a b", "a c\n", False, id="another word"),
        pytest.param("a\n...\nc", "a\nb\nb\nc\n", True, id="any lines"),
        pytest.param("time: ... s", "time: 3.25 s\n", True, id="any text"),
        pytest.param("a", "a\nb\n", False, id="a line too many"),
        pytest.param("a -0.5", "a 0.5\n", False, id="another sign"),
    ],
)
def test_outputs_are_compared(expected: str, actual: str, equal: bool) -> None:
    assert same(expected, actual) == equal


def test_commands_have_exit_codes() -> None:
    text = "# a comment\nnmebench check \\\n    RUN  # exit code 1, as it deviates\nnmebench list boxes\n"
    assert [(" ".join(command.split()), code) for command, code in commands(text)] == [
        ("nmebench check RUN", 1),
        ("nmebench list boxes", 0),
    ]
