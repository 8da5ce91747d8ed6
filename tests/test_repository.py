"""Tests of the repository: the README's two commands, links, pinned versions, and commands named in texts."""

from __future__ import annotations

import ast
import functools
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from packaging.requirements import Requirement

from nmebench.cli.entry import app

ROOT = Path(__file__).resolve().parents[1]


def test_first_fenced_block_is_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = text.split("```")[1].strip().splitlines()
    assert commands == ["python -m pip install nox && nox -s reproduce", "nox -s tests"]


def test_citation_names_the_version_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def test_issue_templates_are_forms() -> None:
    files = [file for file in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if file.name != "config.yml"]
    assert len(files) == 3
    for file in files:
        form = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= form.keys(), file.name
        names = [field["id"] for field in form["body"]]
        assert len(names) == len(set(names)), file.name


def test_every_package_is_installed() -> None:
    """A subpackage that ``pyproject.toml`` doesn't list works in the checkout and is missing from the wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {folder: package for package, folder in project["package-dir"].items()}
    found = {
        ".".join((package, *file.parent.relative_to(ROOT / folder).parts))
        for folder, package in folders.items()
        for file in (ROOT / folder).rglob("__init__.py")
    }
    assert sorted(project["packages"]) == sorted(found)


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


def test_python_files_are_short() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for package in ("harness", "models", "decoders", "reports")
        for file in (ROOT / package).rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert long == {}


def texts() -> Iterator[tuple[str, str]]:
    """File name and text of every page, template, and string in the sources (with X for the values of f-strings)."""
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "reports/templates").glob("*.j2")]:
        yield page.name, page.read_text(encoding="utf-8")
    for folder in ("harness", "models", "decoders", "reports", "docs/tools"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield str(file.relative_to(ROOT)), node.value
                elif isinstance(node, ast.JoinedStr):
                    parts = [part.value if isinstance(part, ast.Constant) else "X" for part in node.values]
                    yield str(file.relative_to(ROOT)), "".join(map(str, parts))


@functools.cache
def command_line() -> Any:
    """The commands of the program; making them takes a tenth of a second."""
    return typer.main.get_command(app)


def problem(command: str) -> str | None:
    """The first word of a command line ``nmebench ...`` that doesn't exist; None if all exist."""
    found = command_line()
    words = command.split("#")[0].split()[1:]
    while words and hasattr(found, "commands") and not words[0].startswith("-"):
        if words[0] not in found.commands:
            return words[0]
        found = found.commands[words.pop(0)]
    options = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    named = (word.partition("=")[0].rstrip(",.;") for word in words if re.match(r"--?[a-z]", word))
    return next((option for option in named if option not in options | {"--help"}), None)


def test_named_commands_and_options_exist() -> None:
    named = [
        (name, match[0])
        for name, text in texts()
        for match in re.finditer(r"(?<=`)nmebench [a-z][^`\n]*|^ *nmebench [a-z]+ (?:-|[A-Z]).*$", text, re.MULTILINE)
    ]
    assert len(named) > 50
    # docs/json.md names the kinds of JSON documents, such as `nmebench scores`.
    wrong = [(name, command) for name, command in named if problem(command.strip()) and name != "json.md"]
    assert [f"{name}: {command}" for name, command in wrong] == []


@pytest.mark.parametrize(
    ("command", "word"),
    [
        pytest.param("nmebench gate RUN --baseline FILE --update", None, id="right"),
        pytest.param("nmebench data fetch wflw --accept-licence", None, id="group"),
        pytest.param("nmebench reproduce --update", "--update", id="option"),
        pytest.param("nmebench data get wflw", "get", id="command"),
    ],
)
def test_wrong_commands_are_found(command: str, word: str | None) -> None:
    assert problem(command) == word


def test_named_jobs_exist() -> None:
    jobs = re.findall(r"^@nox\.session\ndef (\w+)", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
    named = {(name, job) for name, text in texts() for job in re.findall(r"`?nox -s ([a-z]+)", text)}
    assert len(named) > 5
    assert sorted((name, job) for name, job in named if job not in jobs) == []


def test_named_files_exist() -> None:
    """Paths in backticks; patterns and upper-case placeholders are left out."""
    path = re.compile(r"`((?:harness|models|decoders|reports|docs|tests)/[\w./-]+)`")
    missing = {(name, file) for name, text in texts() for file in path.findall(text) if not (ROOT / file).exists()}
    assert sorted((name, file) for name, file in missing if file == file.lower()) == []


def test_named_extras_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {(name, extra) for name, text in texts() for extras in re.findall(r"nmebench\[([\w,-]+)\]", text)
             for extra in extras.split(",")}  # fmt: skip
    assert named
    assert sorted((name, extra) for name, extra in named if extra not in project["optional-dependencies"]) == []


def test_named_functions_exist() -> None:
    """Docstrings refer to complete paths, or to names of their module, its classes, its package or Python."""
    missing = set()
    for name, text in texts():
        if not name.endswith(".py") or name.startswith("docs/"):
            continue
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        module = module.replace("harness", "nmebench", 1) if module.startswith("harness") else f"nmebench.{module}"
        for target in re.findall(r":(?:func|class|meth|data|attr|mod):`~?([\w.]+)`", text):
            if not (importable(target) if target.startswith("nmebench.") else in_module(module, target)):
                missing.add((name, target))
    assert sorted(missing) == []


def in_module(module: str, target: str) -> bool:
    """Return whether a module, one of its classes, its package or Python itself has an attribute."""
    target = target.removeprefix(".")
    package = module.rpartition(".")[0]
    if any(importable(f"{place}.{target}") for place in (module, package, "builtins") if place):
        return True
    classes = (value for value in vars(importlib.import_module(module)).values() if isinstance(value, type))
    return any(hasattr(one, target) or target in getattr(one, "__annotations__", {}) for one in classes)


def importable(path: str) -> bool:
    """Return whether a dotted path names a module or something in one."""
    module, rest = path, []
    while module:
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
            continue
        for part in rest:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False


def test_every_table_is_read_in_one_place() -> None:
    """Reading parquet with pyarrow's threads can end the process with SIGABRT; stored_table reads without them."""
    readers = {
        str(file.relative_to(ROOT))
        for folder in ("harness", "models", "decoders", "reports", "docs/tools")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"read_table\(io|read_parquet\(|ParquetFile\(|pq\.read", file.read_text(encoding="utf-8"))
    }
    assert readers == {"harness/runs/stored_table.py"}
