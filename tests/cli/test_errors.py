"""Bad input gives one clear line and exit code 2, without a traceback or partial output."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

Call = Callable[..., Any]

LIST = Path("WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt")

CARD = """
name = "net"
architecture = "timm:mobilenetv3_small_050"
weights = "net.pth"
[reported.wflw.paper]
nme = { test = 4.0 }
source = "a test"
tolerance = 0.01
"""


def _edit(root: Path, change: Callable[[list[str]], list[str]], line: int = 1) -> None:
    lines = (root / LIST).read_text().splitlines()
    lines[line] = " ".join(change(lines[line].split(" ")))
    (root / LIST).write_text("\n".join(lines) + "\n")


def _missing_image(root: Path) -> None:
    (root / "WFLW_images/a/three.jpg").unlink()


def _truncated_jpeg(root: Path) -> None:
    file = root / "WFLW_images/a/two.jpg"
    file.write_bytes(file.read_bytes()[:-700])


def _token_missing(root: Path) -> None:
    _edit(root, lambda tokens: tokens[1:])


def _nan(root: Path) -> None:
    _edit(root, lambda tokens: [*tokens[:5], "nan", *tokens[6:]])


def _eye_corners(root: Path) -> None:
    _edit(root, lambda tokens: [*tokens[:144], *tokens[120:122], *tokens[146:]])


@pytest.mark.parametrize(
    ("damage", "model", "expected"),
    [
        pytest.param(_missing_image, "card", r"three\.jpg", id="missing image"),
        pytest.param(_truncated_jpeg, "card", r"two\.jpg.*(truncated|ends|cut)", id="truncated JPEG"),
        pytest.param(_token_missing, "oracle", r":2.*206.*207", id="206 tokens"),
        pytest.param(_nan, "oracle", r":2.*nan", id="NaN coordinate"),
        pytest.param(_eye_corners, "oracle", r":2.*60 and 72.*is 0", id="coinciding eye corners"),
    ],
)
def test_bad_data(
    nmebench: Call, wflw: Path, tmp_path: Path, damage: Callable[[Path], None], model: str, expected: str
) -> None:
    damage(wflw)
    card = tmp_path / "net.toml"
    card.write_text(CARD)
    _checkpoint("whole", tmp_path)
    result = nmebench(
        "run", "--data", f"wflw:{wflw}", "--model", card if model == "card" else model, "--decoder", "argmax",
        "--engine", "torch", "-o", tmp_path / "run",
    )  # fmt: skip
    assert result.code == 2
    assert re.search(expected, result.error_line, re.IGNORECASE), result.error_line
    assert not (tmp_path / "run/run.json").exists()
    assert not (tmp_path / "run/scores.csv").exists()


def test_unknown_decoder_suggests_the_nearest_name(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    result = nmebench("run", "--data", f"wflw:{wflw}", "--model", "oracle", "--decoder", "drak", "-o", tmp_path / "run")
    assert (result.code, "'drak'" in result.error_line, "'dark'" in result.error_line) == (2, True, True)


def test_unknown_decoder_option_is_named(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    result = nmebench(
        "run", "--data", f"wflw:{wflw}", "--model", "oracle", "--decoder", "dark:kernle=3", "-o", tmp_path / "run"
    )
    assert (result.code, "kernle" in result.error_line, "kernel" in result.error_line) == (2, True, True)


class _Bomb:
    """Creates a file when a pickle of it is loaded unsafely."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


def _checkpoint(kind: str, folder: Path) -> None:
    from nmebench import models

    state = models.create("timm:mobilenetv3_small_050", points=98).state_dict()
    first = next(iter(state))
    if kind == "missing":
        del state[first]
    elif kind == "unexpected":
        state["other.network"] = torch.zeros(2)
    elif kind == "shape":
        state[first] = torch.zeros(3, 1, 2)
    if kind == "bomb":
        (folder / "net.pth").write_bytes(pickle.dumps({"state_dict": _Bomb(folder / "exploded")}))
    elif kind == "empty":
        (folder / "net.pth").write_bytes(b"")
    else:
        torch.save(state, folder / "net.pth")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("missing", r"missing|lacks", id="a key missing"),
        pytest.param("unexpected", r"other\.network", id="an unexpected key"),
        pytest.param("shape", r"shape|\[", id="a wrong shape"),
        pytest.param("bomb", r"net\.pth", id="a pickle that runs code"),
        pytest.param("empty", r"net\.pth.*(empty|0 bytes)", id="an empty file"),
    ],
)
def test_bad_checkpoint(nmebench: Call, wflw: Path, tmp_path: Path, kind: str, expected: str) -> None:
    (tmp_path / "net.toml").write_text(CARD)
    _checkpoint(kind, tmp_path)
    result = nmebench("run", "--data", f"wflw:{wflw}", "--model", tmp_path / "net.toml", "-o", tmp_path / "run")
    assert result.code == 2
    assert re.search(expected, result.error_line), result.error_line
    assert not (tmp_path / "exploded").exists()


def test_card_with_an_unknown_field(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(CARD.replace("architecture", "colour_blind = true\narchitecture"))
    result = nmebench("run", "--data", f"wflw:{wflw}", "--model", tmp_path / "net.toml", "-o", tmp_path / "run")
    assert (result.code, "colour_blind" in result.error_line, "net.toml" in result.error_line) == (2, True, True)


def test_folder_with_another_run_is_kept(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    arguments = ["run", "--data", f"wflw:{wflw}", "--model", "oracle", "--decoder", "argmax", "-o", tmp_path / "run"]
    assert nmebench(*arguments).code == 0
    before = (tmp_path / "run/run.json").read_bytes()
    result = nmebench(*arguments)
    assert (result.code, "already holds a run" in result.error_line) == (2, True)
    assert (tmp_path / "run/run.json").read_bytes() == before
    assert nmebench(*arguments, "--overwrite").code == 0


def test_folder_with_other_files_is_kept(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.tex").write_text("mine")
    result = nmebench("run", "--data", f"wflw:{wflw}", "--model", "oracle", "-o", tmp_path / "run")
    assert (result.code, "thesis.tex" in result.error_line) == (2, True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--shift"], "--flip", id="shift without flip"),
        pytest.param(["--flip", "--test-time", "none"], "twice", id="flip test set twice"),
        pytest.param(["--weights", "a.pth", "--weights", "b.pth"], "2 --weights for 1 --model", id="too many weights"),
        pytest.param(["--box", "landmark"], "landmarks", id="a misspelt box"),
        pytest.param(["--limit", "0"], "limit", id="no face"),
        pytest.param(["--test-time", "flop"], "flip", id="a misspelt test-time option"),
    ],
)
def test_bad_options(nmebench: Call, wflw: Path, tmp_path: Path, arguments: list[str], expected: str) -> None:
    result = nmebench(
        "run", "--data", f"wflw:{wflw}", "--model", "oracle", "--decoder", "argmax", *arguments, "-o", tmp_path / "run"
    )
    assert result.code == 2
    assert expected in result.error_line, result.error_line


def test_run_without_options(nmebench: Call, tmp_path: Path) -> None:
    result = nmebench("run", "-o", tmp_path / "run")
    assert (result.code, "--data" in result.error_line) == (2, True)


def test_sweep_file_with_an_unknown_field(nmebench: Call, tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text('data = "synthface"\nmodels = ["oracle"]\ndecoder = ["dark"]\n')
    result = nmebench("run", tmp_path / "sweep.toml", "-o", tmp_path / "run")
    assert (result.code, "'decoder'" in result.error_line, "decoders" in result.error_line) == (2, True, True)


def test_report_without_a_run(nmebench: Call, tmp_path: Path) -> None:
    result = nmebench("report", tmp_path)
    assert (result.code, "no run here" in result.error_line) == (2, True)


MISTAKES = {
    "file of a run": (["report", "card.toml"], "card.toml: is a file; give the folder of a run, such as "),
    "folder as a baseline": (["gate", ".", "--baseline", "."], "is a folder, a baseline is a file; make a baseline"),
    "no history": (["history", "report", "h"], "history h: no such folder; add a run with `nmebench history add"),
    "card for a network": (["card", "new", "card.toml", "-o", "c.toml"], "; give a file that torch.onnx.export"),
    "flip test": (["run", "--data", "synthface", "--model", "oracle", "--test-time", "flp", "-o", "r"],
                  "unknown flip test 'flp'; did you mean 'flip'?"),
    "threshold": (["run", "--data", "synthface", "--model", "oracle", "--threshold", "0", "-o", "r"],
                  "field 'thresholds' is [0.0]: threshold 0: must be"),
    "text as weights": (["run", "--data", "DATA", "--model", "card.toml", "--weights", "card.toml", "-o", "r"],
                        "card.toml is a text file, not weights; give the file of the weights"),
    "missing weights": (["run", "--data", "DATA", "--model", "card.toml", "--weights", "CARD.pth", "-o", "r"],
                        "CARD.pth can't be read: No such file or directory; give the file of the weights"),
    "network of bench": (["bench", "--model", "hrnet"], "unknown model 'hrnet'"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_message_names_the_way_out(
    nmebench: Call, wflw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    arguments, message = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "card.toml").write_text(CARD)
    result = nmebench(*(f"wflw:{wflw}" if one == "DATA" else one for one in arguments))
    assert result.code == 2
    assert message in result.error_line, result.error_line


def test_table_for_a_document_that_is_missing(nmebench: Call, make_run: Call, tmp_path: Path) -> None:
    run = make_run({("net", "dark", "none", "landmarks"): 4.0})
    result = nmebench("tables", run.path, "--update", tmp_path / "new.md")
    assert (result.code, "create it with the lines <!-- nmebench:results -->" in result.error_line) == (2, True)


def test_control_characters_in_a_name_are_escaped(nmebench: Call, tmp_path: Path) -> None:
    result = nmebench("report", tmp_path / "x\x1b[2J\ny")
    assert result.code == 2
    assert "\x1b" not in result.error_line


def test_wrong_number_of_predictions(nmebench: Call, wflw: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", landmarks=np.zeros((3, 98, 2)))
    result = nmebench("score", tmp_path / "p.npz", "--data", f"wflw:{wflw}", "-o", tmp_path / "run")
    assert (result.code, "3 faces" in result.error_line, "has 4" in result.error_line) == (2, True, True)
