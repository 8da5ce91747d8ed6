"""Plain wording: the page's own texts, without names and fields of the run, avoid a list of phrases."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from nmebench import reports
from nmebench.runs.run_store import Run

PHRASES = {
    "verbs of speech for things": r"\b(is|are|was|were|be) (said|told)\b|\bsays so\b|\btells\b",
    "metaphors of position": r"\bstands?\b(?! for)|\blies\b|\broads?\b|\bheld (to|against)\b|\bgoes on\b",
    "'a' for 'per'": r"\b(?:one|seconds|ms|px|rows?|curves?|numbers?) a (?:face|cell|row|network|subset|point)\b",
    "', for' in place of 'because'": r", for (?:it|they|there|otherwise)\b",
    "'whole' for 'full' or 'complete'": r"\bwhole (?:set|run|page)\b",
    "old or literary words": r"\b(?:anew|dear|dearer|dearest|stranger|somebody|nobody|in words|likeliest)\b",
    "'against' for a comparison in a heading": r"<h[23][^>]*>[^<]*\bagainst\b",
}


def _wording() -> dict[str, str]:
    """Templates and scripts of the page, by file name."""
    package = resources.files("nmebench.reports")
    files = [*package.joinpath("templates").iterdir(), *package.joinpath("assets").iterdir()]
    return {file.name: file.read_text(encoding="utf-8") for file in files if file.name.endswith((".j2", ".js"))}


@pytest.mark.parametrize("phrase", PHRASES.values(), ids=PHRASES)
def test_templates_and_scripts_avoid_the_phrase(phrase: str) -> None:
    wording = _wording()
    assert len(wording) > 20
    assert {name: found[0] for name, text in wording.items() if (found := re.search(phrase, text))} == {}


@pytest.fixture(scope="module")
def page_text(small_run: Run) -> str:
    """The page's text with its headings, without scripts, figures, names (``<bdi>``) and code."""
    html = reports.html(small_run, pictures=False, timings=True)
    html = re.sub(r"<(script|style|svg|bdi|code)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"<(?!h[23])[^>]+>", " ", html)


@pytest.mark.parametrize("phrase", PHRASES.values(), ids=PHRASES)
def test_rendered_page_avoids_the_phrase(page_text: str, phrase: str) -> None:
    assert re.search(phrase, page_text) is None


def test_every_note_is_a_sentence() -> None:
    """Introductions of sections begin with a capital letter or a value and end with a full stop."""
    notes = [n for text in _wording().values() for n in re.findall(r'<p class="note">(.*?)</p>', text, re.DOTALL)]
    assert len(notes) >= 8
    for raw in notes:
        note = re.sub(r"\{%.*?%\}|<[^>]+>", "", raw).strip()
        assert re.match(r"[A-Z]|\{\{", note), raw
        assert note.endswith((".", "}}")), raw
