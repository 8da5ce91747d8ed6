"""The page in a browser: layout, keyboard, accessibility, downloads and printing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from nmebench import reports
from nmebench.comparisons import compare
from nmebench.gates import make_baseline
from nmebench.runs.run_store import Run

pytestmark = pytest.mark.browser

SECTIONS = [
    "answers", "reported", "scores", "decoders", "ced", "attributes", "sizes", "landmarks", "cost", "faces", "boxes",
    "counts", "downloads", "provenance",
]  # fmt: skip
ALL = "#all-cells [data-metric=nme]"
"""The table of all cells, which is folded at first."""


@pytest.fixture(scope="module")
def page_file(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reports.write(small_run, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def open_page(open_file: Callable[..., Any], page_file: Path) -> Callable[..., Any]:
    """Open a page of the small run, or another file."""

    def opened(file: Path = page_file, **options: Any) -> Any:
        return open_file(file, **options)

    return opened


def _column(page: Any, table: str, number: int) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        f"{table} tbody tr[data-cell]:not([hidden])", f"rows => rows.map(r => r.cells[{number}].dataset.v)"
    )
    return found


def _groups(page: Any) -> list[str]:
    found: list[str] = page.locator(f"{ALL} tr.group").all_inner_texts()
    return found


def test_every_section_has_a_heading_and_a_link(open_page: Callable[..., Any]) -> None:
    page = open_page()
    assert page.eval_on_selector_all("main > section", "s => s.map(x => x.id)") == SECTIONS
    assert page.eval_on_selector_all("main > section > h2", "s => s.every(x => x.textContent.trim())")
    assert page.eval_on_selector_all(".sections a", "s => s.map(x => x.hash.slice(1))") == SECTIONS


def test_first_screen_has_three_answers_with_links(open_page: Callable[..., Any]) -> None:
    page = open_page()
    assert page.locator(".answer h3").all_inner_texts() == [
        "Does it hold?", "Which decoder earns how much?", "What did the last change do?",
    ]  # fmt: skip
    bottoms = page.eval_on_selector_all(".answer .sentence", "s => s.map(x => x.getBoundingClientRect().bottom)")
    assert max(bottoms) < 900
    for link in page.locator(".answer .word a").all():
        assert page.locator(str(link.get_attribute("href"))).count() == 1
    page.locator(".matrix a").first.click()
    assert page.evaluate("document.activeElement.id") == "g-heading"


def test_page_is_short_before_anything_is_opened(open_page: Callable[..., Any]) -> None:
    page = open_page()
    assert page.evaluate("document.documentElement.scrollHeight") < 6500
    assert page.locator("#all-cells table").first.is_hidden()


@pytest.mark.parametrize("table", [".matrix", "#scores table"])
def test_numbers_are_visible_on_a_phone_and_the_first_column_stays(open_page: Callable[..., Any], table: str) -> None:
    page = open_page(viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    found = page.locator(table).first
    number = found.locator("tbody td.num").first
    assert number.bounding_box()["x"] + number.bounding_box()["width"] <= 390
    holder = found.locator("xpath=..")
    holder.evaluate("x => { x.scrollLeft = 200; }")
    head = found.locator("tbody th[scope=row]").first
    assert abs(head.bounding_box()["x"] - holder.bounding_box()["x"]) < 1.5


def test_folded_parts_open_without_a_script(browser: Any, page_file: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, java_script_enabled=False)
    page.goto(page_file.as_uri())
    page.locator("#all-cells summary").click()
    assert page.locator("#all-cells table").first.is_visible()
    assert page.locator("#scores [data-metric]:visible").count() == 6
    page.close()


@pytest.mark.parametrize("device", ["mouse", "keyboard"])
def test_tables_sort(open_page: Callable[..., Any], device: str) -> None:
    page = open_page()
    page.locator("#all-cells summary").click()
    head = page.locator(f"{ALL} thead th").nth(2)
    button = head.locator("button")
    groups = len(set(_groups(page)))
    before = _column(page, ALL, 2)
    size = len(before) // groups
    expected = [sorted(map(float, before[i : i + size])) for i in range(0, len(before), size)]

    def press() -> None:
        if device == "mouse":
            button.click()
        else:
            button.focus()
            page.keyboard.press("Enter")

    press()
    assert head.get_attribute("aria-sort") == "ascending"
    assert list(map(float, _column(page, ALL, 2))) == list(chain(*expected))
    press()
    assert head.get_attribute("aria-sort") == "descending"
    assert list(map(float, _column(page, ALL, 2))) == list(chain(*(group[::-1] for group in expected)))
    assert page.locator(f"{ALL} th[aria-sort=none]").count() == 7


def test_filters_hide_rows_and_curves(open_page: Callable[..., Any], small_run: Run) -> None:
    page = open_page()
    page.locator("#all-cells summary").click()
    cells = len(small_run.record.cells)
    assert page.locator("#shown").inner_text() == f"{cells} of {cells} cells shown"
    page.locator("[data-filter=decoder] label", has_text="argmax").click()
    kept = cells * 2 // 3
    assert page.locator("#shown").inner_text() == f"{kept} of {cells} cells shown"
    assert page.locator(f"{ALL} tbody tr[data-cell]:visible").count() == kept
    assert not any(name.startswith("argmax") for name in page.locator(f"{ALL} tbody th:visible").all_inner_texts())
    page.locator("#ced details summary").click()
    assert page.locator("#ced figure:not([data-axis]) .curve:visible").count() == kept
    page.locator("[data-filter=model] label").first.click()
    assert page.locator(f"{ALL} tr.group:visible").count() == 1
    page.locator("#all").click()
    assert page.locator(f"{ALL} tbody tr[data-cell]:visible").count() == cells


def test_metric_tabs_show_one_table(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.locator("#metrics label", has_text="AUC").click()
    page.locator("#all-cells summary").click()
    assert page.locator("[data-metric]:visible").evaluate_all("t => t.map(x => x.dataset.metric)") == ["auc10"] * 2


def test_clicking_a_number_shows_its_faces(open_page: Callable[..., Any], small_run: Run) -> None:
    page = open_page()
    page.locator("#all-cells summary").click()
    page.locator(f"{ALL} tbody tr[data-cell]").nth(3).locator("a[data-show]").nth(2).click()
    assert page.locator("#g-cell").input_value() == "3"
    assert page.locator("#g-subset option:checked").inner_text() == "expression"
    mask = small_run.faces.subsets["expression"]
    worst = small_run.per_face[small_run.record.cells[3].id][mask].max()
    assert page.locator("#gallery figcaption b").first.inner_text() == f"{worst:.2f} %"
    assert page.locator("#gallery image").count() == page.locator("#gallery figure").count() > 0
    assert page.evaluate("document.activeElement.id") == "g-heading"
    page.locator("#gallery button").first.click()
    assert page.locator("#g-dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#g-dialog").is_visible()


def test_enlarged_face_is_shown_under_every_headline_cell(open_page: Callable[..., Any], small_run: Run) -> None:
    page = open_page()
    page.locator("#gallery button").first.click()
    headline = page.evaluate("JSON.parse(document.getElementById('data').textContent).gallery.headline")
    shown = page.locator("#g-same figure")
    assert shown.count() == len(headline) - 1 > 1
    number = page.evaluate("JSON.parse(document.getElementById('data').textContent).gallery.cells[0].worst.test[0]")
    assert page.locator("#g-same b").count() == shown.count()
    assert 0 <= number < len(small_run.faces)


def test_most_improved_faces_show_both_predictions(open_page: Callable[..., Any], small_run: Run) -> None:
    page = open_page()
    page.locator("#faces label", has_text="most improved").click()
    assert page.locator("#gallery figure").count() > 0
    assert page.locator("#gallery .plain").count() == page.locator("#gallery figure").count()
    assert "→" in page.locator("#gallery figcaption b").first.inner_text()
    others = page.locator("#g-other option").count()
    assert others > 1
    page.locator("#g-other").select_option(index=others - 1)
    name = page.locator("#g-other option:checked").inner_text()
    assert page.locator("#g-heading").inner_text() == f"Most improved compared with {name}"
    page.locator("#g-layers label", has_text="prediction").click()
    assert page.locator("#gallery .predicted:visible").count() == 0


def test_arrow_keys_move_between_numbers(open_page: Callable[..., Any], small_run: Run) -> None:
    page = open_page()
    page.locator("#all-cells summary").click()
    assert page.locator(f"{ALL} a[data-show][tabindex='0']").count() == 1
    page.locator(f"{ALL} a[data-show]").first.focus()
    for key in ("ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.dataset.show") == "1 1"
    page.keyboard.press("Enter")
    assert page.locator("#g-cell").input_value() == "1"


def test_curves_show_values_at_the_pointer_and_by_subset(open_page: Callable[..., Any], small_run: Run) -> None:
    page = open_page()
    figure = page.locator("figure[data-axis=linear] svg")
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    x = float(page.locator("#ced-threshold").inner_text())
    assert 0 < x < 10
    shares = [float(t.removesuffix(" %")) for t in page.locator("#ced-values td.num").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    page.locator("#ced-subset").select_option(label="pose")
    page.locator("#ced-x").fill("120")
    texts = page.locator("#ced-values td.num").all_inner_texts()
    mask = small_run.faces.subsets["pose"]
    headline = page.evaluate("JSON.parse(document.getElementById('data').textContent).ced.cells")
    ids = [small_run.record.cells[index].id for index in headline]
    best = max((small_run.per_face[cell][mask] <= 10).mean() for cell in ids)
    assert texts[0] == f"{100 * best:.1f} %"


def test_dark_theme_by_system_and_by_button(open_page: Callable[..., Any]) -> None:
    def brightness(page: Any) -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))

    dark, light = open_page(color_scheme="dark"), open_page(color_scheme="light")
    assert brightness(dark) < 150
    assert brightness(light) > 700
    light.locator("#theme").click()
    assert brightness(light) < 150
    dark.locator("#theme").click()
    assert brightness(dark) > 700


@pytest.mark.parametrize("width", [360, 1800])
def test_page_never_scrolls_sideways(open_page: Callable[..., Any], width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_prints_what_is_open_on_white(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("#scores > [data-metric]:visible").count() == 3
    assert page.locator("#all-cells").is_hidden()
    page.evaluate("document.querySelector('#all-cells').open = true")
    assert page.locator("#scores [data-metric]:visible").count() == 6
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator(".sections").is_visible()
    file = tmp_path / "report.pdf"
    page.pdf(path=str(file))
    assert file.read_bytes().startswith(b"%PDF")
    assert file.stat().st_size > 20_000


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(
    open_page: Callable[..., Any], small_run: Run, tmp_path: Path, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    file = reports.write(small_run, tmp_path / "page.html", baseline=make_baseline(small_run), timings=True)
    page = open_page(file, color_scheme=scheme, viewport={"width": width, "height": 900})
    # axe ignores folded parts: open all of them.
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    found = axe.Axe().run(page).response["violations"]
    assert {v["id"]: [n["html"][:120] for n in v["nodes"]][:3] for v in found} == {}


def test_downloads_are_embedded_in_the_page(open_page: Callable[..., Any], small_run: Run) -> None:
    page = open_page()
    with page.expect_download() as waited:
        page.locator("#downloads a", has_text="scores.csv").click()
    text = Path(waited.value.path()).read_text(encoding="utf-8")
    assert text.splitlines()[0].startswith("dataset,subset,faces,model")
    assert len(text.splitlines()) == 1 + len(small_run.scores)


def test_names_cannot_run_scripts(
    browser: Any, open_page: Callable[..., Any], make_report_run: Any, tmp_path: Path
) -> None:
    attack = "</script><script>window.hit=1</script><img src=x onerror='window.hit=2'>"
    run = make_report_run(
        tmp_path / "run",
        models=(attack,),
        decoders=("argmax", f"dark:{attack}"),
        faces=20,
        image_names=[f"{attack}‮{i}🙂.jpg" for i in range(20)],
        card={"licence": attack, "source": f'"onmouseover="{attack}'},
        title=attack,
        not_run=[attack, f"`{attack}`"],
    )
    page = open_page(reports.write(run, tmp_path / "hostile.html"))
    page.locator("#gallery button").first.click()
    assert page.evaluate("window.hit") is None
    assert page.locator("h1").inner_text().startswith("</script>")
    assert page.locator("#gallery bdi").first.get_attribute("title").startswith("</script>")
    assert page.locator("img").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_comparison_page_is_accessible(
    open_page: Callable[..., Any], small_run: Run, tmp_path: Path, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    file = reports.write_comparison(compare([small_run, small_run]), tmp_path / "compare.html")
    page = open_page(file, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#cells tbody").count() == len(small_run.record.cells)
    violations = axe.Axe().run(page).response["violations"]
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []
