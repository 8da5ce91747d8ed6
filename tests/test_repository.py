"""What a newcomer meets first: the README's two commands, the jobs, the pages that it links to."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def test_first_fenced_block_is_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = text.split("```")[1].strip().splitlines()
    assert commands == ["python -m pip install nox && nox -s reproduce", "nox -s tests"]


def test_links_of_the_readme_and_the_docs_lead_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_constraints_pin_every_dependency_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            pins[name.lower().replace("_", "-")] = version
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    outside = [
        text
        for text in wanted
        if not Requirement(text).specifier.contains(pins.get(Requirement(text).name.lower().replace("_", "-"), "0"))
    ]
    assert outside == []
    assert pins["torch"].startswith("2.")


def test_every_python_file_of_the_packages_is_small_enough_to_read() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for package in ("harness", "models", "decoders", "reports")
        for file in (ROOT / package).rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert long == {}
