"""The pages of the documentation: links, anchors, navigation, figures with their commands, generated references."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import reference_pages
import yaml

from nmebench.gates.baseline import Baseline, BaselineCell
from nmebench.models.card import Card
from nmebench.sweep.configuration import ModelRequest, SweepConfiguration

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    """A page without its blocks of code, in which a number sign starts a comment."""
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", text)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the site and as code hosts make them."""
    found: set[str] = set()
    counts: dict[str, int] = {}
    for heading in re.findall(r"(?m)^#+ (.+)$", without_code(page.read_text(encoding="utf-8"))):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        text = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
        kept = re.sub(r"[^\w\s-]", "", text).strip().lower()
        slug = re.sub(r"[-\s]+", "-", kept)
        number = counts[slug] = counts.get(slug, -1) + 1
        found |= {f"{slug}_{number}", f"{slug}-{number}"} if number else {slug, re.sub(r"\s", "-", kept)}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_anchors(page: Path) -> None:
    broken = []
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def leaves(nav: Any) -> list[str]:
    """The pages of a navigation."""
    if isinstance(nav, str):
        return [nav]
    return [leaf for part in (nav.values() if isinstance(nav, dict) else nav) for leaf in leaves(part)]


def test_navigation_has_every_page_once() -> None:
    listed = leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    outside = {"contributing.md", "changelog.md"}
    notebooks = {f"notebooks/{file.stem}.md" for file in (DOCS / "notebooks").glob("*.ipynb")}
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert sorted(listed) == sorted(pages | outside | notebooks)


def test_generated_pages_are_current() -> None:
    """After a change of a command or a public name: ``python docs/tools/reference_pages.py``."""
    stale = [
        path.relative_to(ROOT).as_posix()
        for path, text in reference_pages.pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run python docs/tools/reference_pages.py"


@pytest.mark.parametrize("package", reference_pages.PACKAGES)
def test_public_names_are_documented(package: str) -> None:
    module = reference_pages.importlib.import_module(package)
    assert [name for name in module.__all__ if not reference_pages.definition(module, name)[1]] == []


@pytest.mark.parametrize("image", sorted((DOCS / "images").iterdir()), ids=lambda image: image.name)
def test_figures_have_their_command(image: Path) -> None:
    """A page that shows the figure names the tool and the file that the tool writes."""
    shown = [text for page in PAGES if f"/{image.name})" in (text := page.read_text(encoding="utf-8"))]
    assert shown, "no page shows it"
    commands = [
        re.findall(r"docs/images/([\w.*-]+)", text) for text in shown if re.search(r"python\s+docs/tools/\w+\.py", text)
    ]
    assert any(fnmatchcase(image.name, pattern) for patterns in commands for pattern in patterns)


@pytest.mark.parametrize(
    ("model", "pages"),
    [
        pytest.param(SweepConfiguration, ["reference/files.md"], id="sweep file"),
        pytest.param(ModelRequest, ["reference/files.md"], id="model of a sweep"),
        pytest.param(Baseline, ["reference/files.md"], id="baseline"),
        pytest.param(BaselineCell, ["reference/files.md"], id="cell of a baseline"),
        pytest.param(Card, ["models.md", "cards.md"], id="model card"),
    ],
)
def test_every_field_of_a_file_is_described(model: Any, pages: list[str]) -> None:
    text = " ".join((DOCS / page).read_text(encoding="utf-8") for page in pages)
    generated = {"path", "rates"}  # a card's own path; `rates` is written as frT and aucT
    fields = set(model.model_fields) - generated
    assert sorted(field for field in fields if not re.search(rf"\b{field}\b", text)) == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_extras_are_named_in_one_way() -> None:
    """``pip install 'nmebench[mat]'``, with quotes, because shells expand brackets; every extra exists."""
    extras = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    )
    found = []
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        found += re.findall(r"(?<!\w)(\S)(nmebench|\.)\[([a-z]+)\](.)", text)
    assert found
    assert {f"{before}{package}{after}" for before, package, _, after in found} == {"'nmebench'"}
    assert {extra for _, _, extra, _ in found} <= extras
