"""The page of several runs in a browser: the script serves each part, and the layout fits a phone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nmebench import reports
from nmebench.runs.run_store import Run

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"no browser at {CHROMIUM}: install Chromium, or name one in the variable CHROMIUM")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def file(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reports.write_several({"wflw": small_run, "wflw-2": small_run}, tmp_path_factory.mktemp("page") / "r.html")


@pytest.fixture
def open_page(browser: Any, file: Path) -> Iterator[Callable[..., Any]]:
    """Open the page; afterwards check that it requested no other file and logged no error."""
    pages, wrong = [], []

    def opened(**options: Any) -> Any:
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
        page.on("request", lambda r: r.url.startswith(("file:", "data:")) or wrong.append(r.url))
        page.on("console", lambda m: m.type in ("error", "warning") and wrong.append(m.text))
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.goto(file.as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert wrong == []


def test_each_part_has_its_own_faces_curves_and_filters(open_page: Callable[..., Any]) -> None:
    page = open_page()
    for prefix in ("wflw", "wflw-2"):
        assert page.locator(f'[id="{prefix}.gallery"] li svg.face').count() > 0
        assert page.locator(f'[id="{prefix}.ced-controls"]').is_visible()
    first, second = (page.locator(f'[id="{prefix}.g-heading"]') for prefix in ("wflw", "wflw-2"))
    before = first.inner_text()
    page.locator('[id="wflw-2.scores"] td.num a:visible').nth(1).click()
    assert second.inner_text() == "Worst faces of pose"
    assert first.inner_text() == before
    assert page.evaluate("document.activeElement.id") == "wflw-2.g-heading"
    page.locator('[id="wflw-2.metrics"] label').nth(1).click()
    shown = page.locator('[id="wflw.scores"] [data-metric=nme]:visible').count()
    assert shown == 1
    assert page.locator('[id="wflw-2.scores"] [data-metric=nme]:visible').count() == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_screen_fits_the_width(open_page: Callable[..., Any], width: int) -> None:
    page = open_page(viewport={"width": width, "height": 844}, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#overview .answer h3").all_inner_texts() == ["wflw", "wflw-2"]
    number = page.locator("#overview tbody td.num").first.bounding_box()
    assert number["x"] + number["width"] <= width
    page.locator('.sections a[href="#wflw-2.run"]').click()
    top = page.locator('[id="wflw-2.run"]').bounding_box()["y"]
    assert 0 <= top < 120


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(open_page: Callable[..., Any], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    found = axe.Axe().run(open_page(color_scheme=scheme))
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found.response["violations"]] == []
