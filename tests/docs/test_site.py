"""The hooks and the check of the site; ``nox -s docs`` builds it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import site_check


def test_pages_that_load_from_other_hosts_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_check, "PACKAGES", ())
    page = tmp_path / "index.html"
    page.write_text('<a href="https://x.org">x</a><link rel="canonical" href="https://x.org/"><img src="a.png">')
    assert site_check.faults(tmp_path) == []
    page.write_text('<script src="//cdn.org/a.js"></script><link rel="stylesheet" href="https://fonts.org/a.css">')
    (tmp_path / "a.css").write_text("@font-face { src: url('https://fonts.org/a.woff') }")
    assert [line.partition(" ")[2] for line in site_check.faults(tmp_path)] == [
        "loads //cdn.org/a.js",
        "loads https://fonts.org/a.css",
        "loads https://fonts.org/a.woff'",
    ]


def test_public_names_without_documentation_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_check, "PACKAGES", ("nmebench.testing",))
    page = tmp_path / "reference/api/testing.html"
    page.parent.mkdir(parents=True)
    names = ("Bound", "assert_gate", "assert_nme")
    page.write_text("".join(f'<h2 id="nmebench.testing.{name}"></h2>' for name in names))
    assert site_check.faults(tmp_path) == ["reference/api/testing.html: nmebench.testing.assert_scores is missing"]


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        pytest.param("a.md", "[b](b.md#c)", "[b](b.md#c)", id="a page"),
        pytest.param("tutorials/a.md", "[b](../b.md)", "[b](../b.md)", id="a page above"),
        pytest.param("a.md", "[how](../CONTRIBUTING.md)", "[how](contributing.md)", id="a page outside docs"),
        pytest.param("contributing.md", "[b](docs/b.md)", "[b](b.md)", id="from outside docs"),
        pytest.param("a.md", "[code](../harness/x.py)", "code (`harness/x.py`)", id="a source file"),
        pytest.param("t/a.md", "[n](../notebooks/n.ipynb)", "[n](../notebooks/n.md)", id="a notebook"),
        pytest.param("a.md", "[x](https://x.org/y)", "[x](https://x.org/y)", id="another host"),
    ],
)
def test_links_are_rewritten(page: str, text: str, expected: str) -> None:
    hooks: Any = pytest.importorskip("site_hooks", reason="mkdocs isn't installed")
    assert hooks.on_page_markdown(text, page=SimpleNamespace(file=SimpleNamespace(src_uri=page))) == expected
