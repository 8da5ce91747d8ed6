"""The trend page: numbers, links, escaping, and the same bytes twice."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from load_module import load_module

from nmebench import history
from nmebench.history import Repository, trend
from nmebench.protocol import FLIPS
from nmebench.reports.history import history_html, write_history

synthetic = load_module("history/synthetic.py")
PLANTED = [(10, "net-a", "occlusion", 0.05), (20, "net-a", "occlusion", -0.05)]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    entries = synthetic.noisy_history(0, steps=PLANTED)
    return trend(entries, Repository(tmp_path_factory.mktemp("nowhere")))


class Tags(HTMLParser):
    """Collects elements and checks that they are closed in order."""

    VOID = ("meta", "line", "br")

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags(page):
    parser = Tags()
    parser.feed(page)
    assert parser.open == []
    return parser.seen


def test_first_screen_names_the_latest_step(found):
    page = history_html(found)
    sentence = re.search(r'<p class="sentence good"><bdi>(.*?)</bdi>', page)[1]
    assert synthetic.commit(20)[:10] in sentence
    assert "most occlusion of net-a · " in sentence
    assert sentence.startswith("Cells moved at 2 of 30 commits. Latest: ")
    steps = page.split('<ol class="steps">')[1].split("</ol>")[0]
    assert steps.index(synthetic.commit(20)[:10]) < steps.index(synthetic.commit(10)[:10]), "the latest is first"


def test_every_series_has_a_chart_with_every_commit(found):
    seen = tags(history_html(found))
    assert sum(tag == "svg" for tag, _ in seen) == len(found.series) == 42
    assert sum(tag == "circle" for tag, _ in seen) == 42 * 30
    drawn = sum(tag == "line" and "step" in attributes["class"] for tag, attributes in seen)
    assert drawn == len(found.steps)


def test_the_page_is_offline_and_has_no_script(found):
    seen = tags(history_html(found))
    assert not {tag for tag, _ in seen} & {"script", "link", "img", "iframe", "object", "form", "base"}
    policy = next(a for tag, a in seen if tag == "meta" and "http-equiv" in a)
    assert policy["content"].startswith("default-src 'none'")
    assert "prefers-color-scheme: dark" in history_html(found)


@pytest.mark.parametrize("flip", FLIPS)
def test_every_flip_test_has_a_label(tmp_path, flip):
    made = synthetic.make_entry(0, {"net dark": {"test": 4.0}})
    run = made.runs[0]
    cells = {name: cell.model_copy(update={"flip": flip}) for name, cell in run.cells.items()}
    made = made.model_copy(update={"runs": (run.model_copy(update={"cells": cells}),)})
    assert "net · dark · " in history_html(trend([made], Repository(tmp_path)))


def test_same_bytes(found):
    assert history_html(found) == history_html(found)


def test_a_history_without_steps(entry_of_one):
    page = history_html(entry_of_one())
    assert "No cell moved in 1 commit." in page
    assert "No step was found." in page
    tags(page)


@pytest.fixture
def entry_of_one(tmp_path):
    def make(**fields):
        made = synthetic.make_entry(0, {"net dark": {"test": 4.0, "pose": 7.0}}, **fields)
        return trend([made], Repository(tmp_path))

    return make


ATTACKS = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\x1b[2J",
    "a\nb",
    "{{ 7*7 }}",
    "</title>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_texts_are_escaped(entry_of_one, tmp_path, attack):
    made = synthetic.make_entry(0, {"net dark": {"test": 4.0}}, cell={}, link=attack)
    run = made.runs[0]
    (cell,) = run.cells.values()
    cell = cell.model_copy(update={"model": attack, "decoder": attack, "box": attack})
    lost = cell.model_copy(update={"diverged": attack})
    run = run.model_copy(
        update={"dataset": attack, "cells": {attack: cell, f"{attack}2": lost}, "packages": {attack: "1"}}
    )
    found = trend([made.model_copy(update={"runs": (run,)})], Repository(tmp_path))
    out = tmp_path / "page.html"
    write_history(found, out, folder=tmp_path, commit_url="https://example.org/{commit}")
    page = out.read_text(encoding="utf-8")
    seen = tags(page)
    assert not {tag for tag, _ in seen} & {"script", "img"}
    assert not any("onerror" in attributes for _, attributes in seen)
    assert "\x1b" not in page
    assert sum(tag == "title" for tag, _ in seen) == 1 + 1


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        pytest.param("https://example.org/run/1?a=b&c", "https://example.org/run/1?a=b&amp;c", id="url"),
        pytest.param("javascript:alert(1)", None, id="javascript"),
        pytest.param("data:text/html,x", None, id="data"),
        pytest.param("//example.org/x", None, id="no-scheme"),
        pytest.param("../runs/a b/report.html", "../runs/a%20b/report.html", id="file"),
        pytest.param("../runs/missing.html", None, id="missing"),
        pytest.param("x\0y", None, id="nul"),
    ],
)
def test_links_to_runs(entry_of_one, tmp_path, link, expected):
    (tmp_path / "history").mkdir()
    (tmp_path / "pages").mkdir()
    (tmp_path / "runs" / "a b").mkdir(parents=True)
    (tmp_path / "runs" / "a b" / "report.html").write_text("")
    out = tmp_path / "pages" / "history.html"
    write_history(entry_of_one(link=link), out, folder=tmp_path / "history")
    found = re.findall(r'<a href="([^"#]*)">report</a>', out.read_text(encoding="utf-8"))
    assert found == ([expected] if expected else [])


def test_links_to_commits(entry_of_one):
    page = history_html(entry_of_one(), commit_url="https://example.org/o/r/commit/{commit}")
    assert f'href="https://example.org/o/r/commit/{synthetic.commit(0)}"' in page


def test_both_runs_of_a_step_are_linked(tmp_path):
    entries = [
        synthetic.make_entry(i, {"net dark": {"test": 4.0 + i}}, weights="w", link=f"https://example.org/{i}")
        for i in range(2)
    ]
    out = history_html(
        trend(entries, Repository(tmp_path)),
        links={f"https://example.org/{i}": f"https://example.org/{i}" for i in range(2)},
    )
    assert '<a href="https://example.org/0">run before</a>' in out
    assert '<a href="https://example.org/1">run after</a>' in out


def test_long_histories_show_the_last_numbers(tmp_path):
    entries = [synthetic.make_entry(i, {"net dark": {"test": 4.0}}, weights="w") for i in range(70)]
    page = history_html(trend(entries, Repository(tmp_path)))
    assert "Numbers of the last 50 commits" in page
    assert page.count('<th scope="row">') == 50
    assert page.count("<circle") == 70
    assert history.find_steps([4.0] * 70) == ()
