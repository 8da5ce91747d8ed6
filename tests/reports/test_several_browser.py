"""The page of several runs in a browser: the script serves each part, and the layout fits a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nmebench import reports
from nmebench.runs.run_store import Run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def file(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reports.write_several({"wflw": small_run, "wflw-2": small_run}, tmp_path_factory.mktemp("page") / "r.html")


@pytest.fixture
def open_page(open_file: Callable[..., Any], file: Path) -> Callable[..., Any]:
    """Open the page of two runs."""

    def opened(**options: Any) -> Any:
        return open_file(file, **options)

    return opened


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
