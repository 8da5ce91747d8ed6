"""The block between markers: found, replaced, and nothing else touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmebench.errors import InputError
from nmebench.reports.tables import block_content, replace_block

START, END = "<!-- nmebench:results -->", "<!-- /nmebench:results -->"


def document(inside: str, newline: str = "\n") -> str:
    return f"\ufeff# Net{newline}{START}{newline}{inside}{END}{newline}tail without newline"


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_only_the_lines_between_the_markers_change(newline):
    before = document(f"old{newline}", newline)
    after = replace_block(before, "results", "new\ntable\n", "a.md")
    assert after == document(f"new{newline}table{newline}", newline)
    assert block_content(after, "results", "a.md") == "new\ntable\n"


@given(
    st.text(alphabet=st.characters(exclude_characters="`~"), max_size=60).filter(lambda t: "nmebench:" not in t),
    st.text(alphabet="ab|\n", max_size=30),
)
def test_what_surrounds_the_block_stays(outside, inside):
    text = f"{outside}\n{START}\nx\n{END}\n{outside}"
    content = inside if inside.endswith("\n") or not inside else inside + "\n"
    after = replace_block(text, "results", inside, "a.md")
    assert after == f"{outside}\n{START}\n{content}{END}\n{outside}"
    assert replace_block(after, "results", inside, "a.md") == after


def test_markers_in_latex():
    text = "% nmebench:results\nold\n% /nmebench:results\n"
    assert replace_block(text, "results", "new\n", "a.tex") == "% nmebench:results\nnew\n% /nmebench:results\n"


@pytest.mark.parametrize("fence", ["```", "~~~~", "```html"])
def test_markers_in_a_code_block_are_examples(fence):
    example = f"{fence}\n{START}\nexample\n{END}\n{fence.rstrip('html')}\n"
    text = example + f"{START}\nold\n{END}\n" + example
    assert replace_block(text, "results", "new\n", "a.md") == example + f"{START}\nnew\n{END}\n" + example
    with pytest.raises(InputError, match="unknown section"):
        block_content(example, "results", "a.md")


def test_markers_within_a_line_do_not_count():
    text = f"see {START} here\n{START}\nx\n{END}\n"
    assert block_content(text, "results", "a.md") == "x\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("# Net\n", r"a.md: unknown section 'results' \(known: none\); put the lines", id="none"),
        pytest.param(
            "<!-- nmebench:result -->\n<!-- /nmebench:result -->\n", "did you mean 'result'", id="another-name"
        ),
        pytest.param(f"{START}\n", "one start and one end marker, found lines 1", id="no-end"),
        pytest.param(f"{END}\n{START}\n", "found lines 1, 2", id="reversed"),
        pytest.param(f"{START}\n{END}\n{START}\n{END}\n", "found lines 1, 2, 3, 4", id="twice"),
        pytest.param(
            f"{START}\n<!-- nmebench:b -->\n<!-- /nmebench:b -->\n{END}\n",
            "a.md:2: the marker of b is between",
            id="nested",
        ),
    ],
)
def test_wrong_markers_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        replace_block(text, "results", "new\n", "a.md")


@pytest.mark.parametrize("section", ["", "a b", "a\n", "x" * 81])
def test_wrong_names_of_sections_are_refused(section):
    with pytest.raises(InputError, match="--section"):
        block_content(f"{START}\n{END}\n", section, "a.md")
