"""The mutants of ``docs/tools/mutants.py``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from mutants import mutants

ROOT = Path(__file__).resolve().parents[1]


def changes(source: str, operator: str) -> list[str]:
    return [mutant.after for mutant in mutants(source) if mutant.operator == operator]


@pytest.mark.parametrize(
    ("source", "operator", "expected"),
    [
        pytest.param("x = a < b <= c", "boundary", ["x = a <= b <= c", "x = a < b < c"], id="boundary"),
        pytest.param("x = a < b", "negation", ["x = a >= b"], id="negation"),
        pytest.param("x = a in b", "negation", ["x = a not in b"], id="membership"),
        pytest.param("if a:\n    pass", "condition", ["if not a:"], id="condition"),
        pytest.param("if a == b:\n    pass", "condition", [], id="condition-negated-by-its-comparison"),
        pytest.param("x = [a for a in b if a]", "condition", ["x = [a for a in b if not a]"], id="comprehension"),
        pytest.param("x = a and not b", "boolean", ["x = a or not b", "x = a and b"], id="boolean"),
        pytest.param("x = a + b * -c", "arithmetic", ["x = a - b * -c", "x = a + b / -c", "x = a + b * c"], id="sum"),
        pytest.param("x = 'a' + b", "arithmetic", [], id="text-is-not-arithmetic"),
        pytest.param("x += 2", "arithmetic", ["x -= 2"], id="augmented"),
        pytest.param("x = 3", "constant", ["x = 4", "x = 2"], id="integer"),
        pytest.param("x = 0", "constant", ["x = 1"], id="zero"),
        pytest.param("x = 0.5", "constant", ["x = 1.5", "x = 0.0"], id="float"),
        pytest.param("x = True", "constant", ["x = False"], id="boolean-constant"),
        pytest.param("x = 'text'", "constant", [], id="text"),
        pytest.param("f(a, b, c=d)", "argument", ["f(a, b)", "f(b, a, c=d)"], id="argument"),
        pytest.param("x = max(a, b)", "argument", [], id="commutative"),
        pytest.param("x = zip(a, b, strict=True)", "argument", ["x = zip(b, a, strict=True)"], id="no-effect"),
        pytest.param("def f():\n    return a", "return", ["return None"], id="return"),
        pytest.param("def f():\n    return None", "return", [], id="return-of-nothing"),
        pytest.param("f(a)\nx = a\nx[0] = a\nraise E", "statement", ["pass", "pass", "pass"], id="statement"),
    ],
)  # fmt: skip
def test_operators(source: str, operator: str, expected: list[str]) -> None:
    assert changes(source, operator) == expected


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('"""Docstring 1."""', id="docstring"),
        pytest.param("x: Literal[1]", id="annotation"),
        pytest.param("@dataclass(frozen=True)\nclass A:\n    pass", id="decorator"),
        pytest.param("__all__ = ['a', 1]", id="all"),
        pytest.param("x = f'{1 + 1}'", id="message"),
        pytest.param("from a import b", id="import"),
        pytest.param("if TYPE_CHECKING:\n    x = 1", id="type-checking"),
    ],
)
def test_nothing_is_changed_in(source: str) -> None:
    assert mutants(source) == []


def test_the_arguments_of_an_error_are_its_message() -> None:
    assert [m.after for m in mutants("raise E(1, 2)")] == ["pass"]


def test_mutants_are_the_source_with_one_change() -> None:
    source = "def f(x):\n    # a comment\n    return x + 1, x + 1\n\nclass A:\n    y = 1\n"
    found = mutants(source)
    assert len({mutant.text() for mutant in found}) == len(found), "every mutant differs"
    assert {mutant.function for mutant in found} == {"f", "A"}
    assert [mutant.line for mutant in found] == sorted(mutant.line for mutant in found)
    original = ast.unparse(ast.parse(source)) + "\n"
    assert all(mutant.text() != original for mutant in found)
    assert ast.unparse(ast.parse(source)) + "\n" == original, "the tree is restored"
    keys = {(m.function, m.before, m.after) for m in found}
    assert len(keys) == len(found), "equal changes of one statement are numbered"


@pytest.mark.parametrize("name", [path.name for path in sorted((ROOT / "harness" / "gate").glob("[!_]*.py"))])
def test_mutants_of_every_file_are_python(name: str) -> None:
    source = (ROOT / "harness" / "gate" / name).read_text(encoding="utf-8")
    original = ast.dump(ast.parse(source))
    found = mutants(source)[::10]
    assert found, "the file has mutants"
    for mutant in found:
        assert ast.dump(ast.parse(mutant.text())) != original, (mutant.before, mutant.after)
