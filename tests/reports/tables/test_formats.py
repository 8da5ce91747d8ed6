"""Each format escapes its own special characters, and a parser reads the same cells back."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess

import pytest

from nmebench.reports.tables import FORMATS, Column, Table, Value, render

HOSTILE = [
    "a|b", "a\\|b", "*b* _i_ `c`", "<script>alert(1)</script>", "<!-- /nmebench:results -->", "[x](javascript:y)",
    "50% & $1 #2 {x} ~ ^ \\input{/etc/passwd}", "=1+1", "@cmd", "two\nlines", "tab\there", 'quote " comma ,',
    "\x1b[31m", "名前🙂",
]  # fmt: skip


def hostile_table() -> Table:
    columns = (Column("network"), Column("a|b_%", numeric=True, interval=True))
    return Table(columns, tuple((name, Value(3.5, 2, 3.0, 4.0)) for name in HOSTILE), "5 faces of a_b<c>")


def test_markdown_keeps_every_cell_on_its_line_and_in_its_column():
    lines = render(hostile_table(), "md").splitlines()
    assert lines[0] == "| network | a\\|b\\_% |"
    assert lines[1] == "|---|--:|"
    assert lines[2 + len(HOSTILE) :] == ["", "5 faces of a\\_b\\<c\\>"]
    for line in lines[2 : 2 + len(HOSTILE)]:
        # A pipe ends a column unless an odd number of backslashes precedes it.
        bars = [
            i for i, char in enumerate(line)
            if char == "|" and (len(line[:i]) - len(line[:i].rstrip("\\"))) % 2 == 0
        ]  # fmt: skip
        assert len(bars) == 3, line
        assert line.endswith(" 3.50 [3.00, 4.00] |")
        assert "<script" not in line.replace("\\<", "")
        assert "<!--" not in line.replace("\\<", "")


def test_a_link_to_the_scores_is_one_link():
    text = render(hostile_table(), "md", link="out dir/a(b)]c.csv")
    assert text.endswith("; scores: [out dir/a(b)\\]c.csv](out%20dir/a%28b%29%5Dc.csv)\n")
    assert "scores" not in render(hostile_table(), "md", link="x.csv", source=False)


def test_csv_is_read_back_and_holds_no_formula():
    rows = list(csv.reader(io.StringIO(render(hostile_table(), "csv"))))
    assert rows[0] == ["network", "a|b_%", "a|b_% low", "a|b_% high"]
    assert [row[1:] for row in rows[1:]] == [["3.50", "3.00", "4.00"]] * len(HOSTILE)
    assert [row[0].removeprefix("'") for row in rows[1:]] == HOSTILE
    assert not any(row[0].startswith(("=", "+", "-", "@")) for row in rows)


def test_csv_of_numbers_that_do_not_exist():
    columns = (Column("a"), Column("n", numeric=True, interval=True))
    table = Table(columns, (("x", Value(None, 3)), ("y", Value(1.0, 3, 0.5, 2.0, word="diverged on 2 faces"))))
    assert render(table, "csv").splitlines()[1:] == ["x,,,", "y,diverged on 2 faces,,"]


def test_latex_escapes_every_command_character():
    text = render(hostile_table(), "latex")
    body = text.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert len(body) == len(HOSTILE)
    for name, line in zip(HOSTILE, body, strict=True):
        cells = line.removesuffix(r" \\").replace(r"\&", "").split("&")
        assert len(cells) == 2, name
        bare = line.replace(r"\%", "").replace(r"\$", "").replace(r"\#", "").replace(r"\_", "")
        assert not set("%$#_^~") & set(bare), name
        assert "\\input" not in line.replace(r"\textbackslash{}", "")
    assert text.startswith("% 5 faces of a_b<c>\n% needs")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(tmp_path):
    names = tuple(n for n in HOSTILE if n.isascii())
    table = Table((Column("n"), Column("x", numeric=True)), tuple((n, Value(None, 2)) for n in names))
    document = (
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs}\\begin{document}\n%s\\end{document}"
    )
    (tmp_path / "t.tex").write_text(document % render(table, "latex"))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_ends_with_one_newline(form):
    text = render(hostile_table(), form)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
