"""The texts of the project are in plain English: a list of phrases to avoid, each with the reason."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: Files and folders that are checked.
CHECKED = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "decoders",
    "docs",
    "harness",
    "models",
    "noxfile.py",
    "reports",
    "tests",
)

#: Kinds of files with texts. Of Python files, only docstrings, comments and strings are checked.
SUFFIXES = (".py", ".md", ".j2")

#: Generated files, stored results, and a test that lists phrases itself.
EXCLUDED = ("docs/results", "docs/faults.md", "LICENSE", "tests/reports/test_words.py")

#: Phrase (a regular expression, ignoring case) and the reason to avoid it.
PHRASES: dict[str, str] = {
    r"\banew\b": "archaic: write again",
    r"\bdear(?:er|est)\b": "archaic: write expensive or slow",
    r"\bstrangers?\b": "a metaphor: write unexpected, other, third-party",
    r"\bhouse style\b": "unclear: name the rule",
    r"\bheld (?:to|against)\b": "a metaphor: write must satisfy, is tested against, is compared with",
    r"\b(?:goes|gone|go|going|went) on (?=\b(?:at|from|with|until|there|here|after)\b)": "write continues or resumes",
    r"\b(?:is|are|was|were|be|isn't|aren't) said\b": "name who says it: the source states, the message names",
    r"\broads?\b": "a metaphor: write path, process, steps",
    r":(?:param|returns?|raises?|rtype)\b[^`]*?:": "docstrings have Google style: Args, Returns, Raises",
    r"\bupon\b|\bunto\b|\bwhilst\b|\bhither\b|\bought to\b|\bfor otherwise\b": "archaic",
}

#: Beginnings of docstrings that are a subordinate clause instead of a statement.
VERBLESS = re.compile(r"(?:Of all|What|Whether|Whatever|Wherever|Such as|How much|How many)\b")


def files() -> list[Path]:
    """All checked files."""
    found: set[Path] = set()
    for name in CHECKED:
        path = ROOT / name
        assert path.exists(), f"{name}: no such file; correct CHECKED"
        found |= {path} if path.is_file() else {file for file in path.rglob("*") if file.suffix in SUFFIXES}
    return sorted(
        file
        for file in found
        if "__pycache__" not in file.parts and not any(file.is_relative_to(ROOT / name) for name in EXCLUDED)
    )


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of every docstring, comment and string of a Python file, or of every line of another."""
    content = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        yield from enumerate(content.splitlines(), start=1)
        return
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type in kinds:
            yield from enumerate(token.string.splitlines(), start=token.start[0])


def docstrings(file: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of every docstring, including those under constants and fields."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield statement.lineno, value.value


def findings(file: Path) -> list[str]:
    """One line per phrase to avoid."""
    name = str(file.relative_to(ROOT))
    found = []
    for number, text in texts(file):
        # This file contains the phrases themselves.
        for phrase, reason in PHRASES.items() if file != Path(__file__).resolve() else ():
            if match := re.search(phrase, text, re.IGNORECASE):
                found.append(f"{name}:{number}: {match[0]!r}: {reason}")
    if file.suffix == ".py":
        for number, text in docstrings(file):
            if match := VERBLESS.match(text.strip()):
                found.append(f"{name}:{number}: docstring starts with {match[0]!r}: say what the thing does or is")
    return found


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_texts_are_in_plain_english(file: Path) -> None:
    assert findings(file) == []


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("a.md", "The sweep is begun anew.", "'anew'", id="markdown"),
        pytest.param("a.j2", "<p>The network is held to it.</p>", "'held to'", id="template"),
        pytest.param("a.py", "# It is said of a cell.\n", "'is said'", id="comment"),
        pytest.param("a.py", "raise E(f'{x} goes on from here')\n", "'goes on '", id="message"),
        pytest.param(
            "a.py", 'def f(x):\n    """Do.\n\n    :param x: it\n    """\n', "':param x:'", id="docstring style"
        ),
        pytest.param("a.py", 'x: int\n"""What a field holds."""\n', "starts with 'What'", id="verbless docstring"),
        pytest.param("a.py", "broad = roads = 1\n'a broad-phase'\n", None, id="names and parts of words"),
    ],
)
def test_phrases_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str, expected: str | None
) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    (tmp_path / name).write_text(content)
    found = findings(tmp_path / name)
    assert len(found) == (expected is not None), found
    assert expected is None or expected in found[0]
