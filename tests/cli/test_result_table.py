"""Tables: no number is broken at any width, and a pipe gets every column without padding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmebench.cli import console, listing, scores_table, verbosity
from nmebench.cli.result_table import ResultTable, wrapped
from nmebench.runs.run_store import Run

Call = Callable[..., Any]

numbers = st.builds("{:.{}f}".format, st.floats(-999, 999), st.integers(0, 4))
texts = st.lists(st.text("abcdefgh-", min_size=1, max_size=14), min_size=1, max_size=6).map(" ".join)


@settings(deadline=None)
@given(
    st.lists(st.tuples(texts, numbers, texts, numbers, numbers, numbers), min_size=1, max_size=5),
    st.integers(12, 130),
    st.booleans(),
)
def test_every_number_is_complete_and_fits(rows: list[tuple[str, ...]], width: int, optional: bool) -> None:
    table = ResultTable("title", ("name", "NME", "note", "FR", "AUC", "p"), ("note",) if optional else ())
    for row in rows:
        table.add_row(*row)
    lines = table.lines(width)
    printed = re.findall(r"-?\d[\d.]*", "\n".join(lines))
    for row in rows:
        for number in (row[1], *row[3:]):
            assert number in printed
    longest_word = max(len(word) for row in rows for cell in row for word in cell.split())
    assert max(map(len, lines)) <= max(width, longest_word + len("name") + 2)
    assert all(line == line.rstrip() for line in lines)


def scores() -> ResultTable:
    head = ("model", "decoder", "flip", "box", "test", "pose", "expression", "blur", "FR@10", "AUC@10")
    title = "wflw: 143 of 2500 faces, NME in percent (inter-ocular)"
    table = ResultTable(title, head, ("AUC@10", "FR@10"), {"expression": "expr"})
    table.add_row("net", "dark", "none", "pfld", "5.286", "8.311", "6.016", "5.605", "6.294 (9)", "0.4846")
    table.add_row("net", "argmax", "none", "pfld", "10.286", "8.311", "-", "5.605", "16.294 (19)", "0.4")
    return table


SNAPSHOTS = {
    None: """\
wflw: 143 of 2500 faces, NME in percent (inter-ocular)
model  decoder  flip  box     test   pose  expression   blur        FR@10  AUC@10
net    dark     none  pfld   5.286  8.311       6.016  5.605    6.294 (9)  0.4846
net    argmax   none  pfld  10.286  8.311           -  5.605  16.294 (19)     0.4""",
    80: """\
wflw: 143 of 2500 faces, NME in percent (inter-ocular)
model net, flip none, box pfld
decoder    test   pose  expression   blur        FR@10  AUC@10
dark      5.286  8.311       6.016  5.605    6.294 (9)  0.4846
argmax   10.286  8.311           -  5.605  16.294 (19)     0.4""",
    60: """\
wflw: 143 of 2500 faces, NME in percent (inter-ocular)
model net, flip none, box pfld
decoder    test   pose   expr   blur        FR@10  AUC@10
dark      5.286  8.311  6.016  5.605    6.294 (9)  0.4846
argmax   10.286  8.311      -  5.605  16.294 (19)     0.4""",
    45: """\
wflw: 143 of 2500 faces, NME in percent
  (inter-ocular)
model net, flip none, box pfld
decoder    test   pose  expression   blur
dark      5.286  8.311       6.016  5.605
argmax   10.286  8.311           -  5.605
(without AUC@10, FR@10; --verbose shows every
  column)""",
    30: """\
wflw: 143 of 2500 faces, NME
  in percent (inter-ocular)
model       net
decoder     dark
flip        none
box         pfld
test        5.286
pose        8.311
expression  6.016
blur        5.605
FR@10       6.294 (9)
AUC@10      0.4846

model       net
decoder     argmax
flip        none
box         pfld
test        10.286
pose        8.311
expression  -
blur        5.605
FR@10       16.294 (19)
AUC@10      0.4""",
}


@pytest.mark.parametrize("width", [None, 120, 80, 60, 45, 30])
def test_snapshot(width: int | None) -> None:
    assert "\n".join(scores().lines(width)) == SNAPSHOTS[None if width == 120 else width]


def test_text_is_wrapped_between_words() -> None:
    table = ResultTable("", ("name", "summary"))
    table.add_row("landmarks", "square of the landmarks' extent in whole pixels")
    table.add_row("rect", "square around the rectangle")
    assert table.lines(40) == [
        "name       summary",
        "landmarks  square of the landmarks'",
        "           extent in whole pixels",
        "rect       square around the rectangle",
    ]


def test_control_characters_and_wrong_rows() -> None:
    table = ResultTable("", ("name",))
    table.add_row("two\nlines\x1b[31m")
    assert table.lines() == ["name", "two\\nlines\\x1b[31m"]
    with pytest.raises(ValueError, match="2 cells for 1 columns"):
        table.add_row("a", "b")


def test_wrapped_keeps_paths_and_numbers() -> None:
    line = "note: /a/very/long/path/to/a/run has an NME of 12.3456789 %"
    assert wrapped(line, 20) == ["note:", "  /a/very/long/path/to/a/run", "  has an NME of", "  12.3456789 %"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_commands_on_a_terminal(
    nmebench: Call, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """No line of a result is longer than the terminal, except for words such as paths."""
    faces = np.random.default_rng(0).normal(4, 0.1, 60)
    card = {"name": "net", "reported": {"wflw": {"paper": {"nme": {"test": 4.0}, "tolerance": 0.01, "source": "x"}}}}
    run = make_run({("net", d, "none", "landmarks"): faces for d in ("dark", "argmax")}, cards={"net": card}).path
    for module in (scores_table, console):
        monkeypatch.setattr(module, "console", lambda: console.Output(width))
    for command in (["score", run], ["check", run, "--no-explain"]):
        result = nmebench(*command)
        for line in result.out.splitlines():
            assert len(line) <= width or max(map(len, line.split())) > width - 20, line
        assert re.search(r"\b4\.\d+", result.out)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", ["models", "decoders", "boxes", "datasets", "normalisers", "recipes", "published"])
def test_lists_on_a_terminal(nmebench: Call, monkeypatch: pytest.MonkeyPatch, name: str, width: int) -> None:
    monkeypatch.setattr(listing, "console", lambda: console.Output(width))
    result = nmebench("list", name)
    assert result.code == 0
    for line in result.out.splitlines():
        words = line.split()
        assert len(line) <= width or (len(words) < 3 and len(words[-1]) > width // 2), line


def test_a_pipe_has_every_column_without_padding(nmebench: Call) -> None:
    result = nmebench("list", "decoders", "--verbose")
    lines = result.out.splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert "source" in lines[1]
    assert "source" not in nmebench("list", "decoders").out.splitlines()[1]


def test_verbosity_is_reset(nmebench: Call, tmp_path: Path) -> None:
    assert nmebench("-v", "list", "boxes").code == 0
    assert nmebench("list", "boxes").code == 0
    assert not verbosity.is_verbose()


def test_the_scores_of_any_subset_are_printed(make_run: Call, small_faces: Any, capsys: Any) -> None:
    """300-W has common and challenging, a data set of one's own any names."""
    hard = np.arange(len(small_faces)) < 20
    faces = replace(small_faces, subsets={"challenging": hard, "test": hard | ~hard})
    scores_table.print_scores(make_run({("net", "dark", "none", "landmarks"): np.where(hard, 6.0, 3.0)}, table=faces))
    printed = capsys.readouterr().out
    assert "challenging" in printed
    assert "6.000" in printed
