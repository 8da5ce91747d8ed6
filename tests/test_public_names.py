"""Every public name has a docstring, type hints and a place in the documentation."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reference_pages import PACKAGES

import nmebench

ROOT = Path(__file__).resolve().parents[1]


def functions(package: str) -> Iterator[tuple[str, Any, bool]]:
    """Name, function, and whether it is a method, of all public functions of a package."""
    module = importlib.import_module(package)
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isfunction(thing):
            yield name, thing, False
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                inner = getattr(value, "__func__", getattr(value, "fget", getattr(value, "func", value)))
                if inspect.isfunction(inner) and not member.startswith("_"):
                    yield f"{name}.{member}", inner, True


def parameters(function: Any) -> list[inspect.Parameter]:
    return [one for one in inspect.signature(function).parameters.values() if one.name not in ("self", "cls")]


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings(package: str) -> None:
    module = importlib.import_module(package)
    missing = [
        name
        for name in module.__all__
        if inspect.isclass(thing := getattr(module, name)) or inspect.isfunction(thing) or inspect.ismodule(thing)
        if not inspect.getdoc(thing)
    ]
    missing += [name for name, function, _ in functions(package) if not inspect.getdoc(function)]
    assert missing == []
    with_several = [
        name
        for name, function, is_method in functions(package)
        if not is_method and len(parameters(function)) > 1 and "Args:" not in (inspect.getdoc(function) or "")
    ]
    assert with_several == []


@pytest.mark.parametrize("package", PACKAGES)
def test_type_hints(package: str) -> None:
    without = [
        name
        for name, function, _ in functions(package)
        if any(one.annotation is one.empty for one in parameters(function))
        or inspect.signature(function).return_annotation is inspect.Signature.empty
    ]
    assert without == []


def test_the_top_level_is_documented_completely() -> None:
    """Args, Returns and Raises; a summary that begins with Return or a noun states the result itself."""
    problems = []
    for name, function, _ in functions("nmebench"):
        text = inspect.getdoc(function) or ""
        returns = inspect.signature(function).return_annotation
        if parameters(function) and "Args:" not in text:
            problems.append(f"{name}: Args")
        documented = "Returns:" in text or "Yields:" in text or re.match("Return |Yield |The |Mean |One ", text)
        if parameters(function) and returns not in (None, "None") and not documented:
            problems.append(f"{name}: Returns")
        if "raise InputError" in inspect.getsource(function) and "Raises:" not in text:
            problems.append(f"{name}: Raises")
        for one in parameters(function):
            if "Args:" in text and not re.search(rf"^\s+\*{{0,2}}{one.name}: ", text, re.MULTILINE):
                problems.append(f"{name}: {one.name}")
    assert problems == []


@pytest.mark.parametrize("name", [name for name in nmebench.__all__ if name != "__version__"])
def test_every_top_level_name_is_on_a_page(name: str) -> None:
    pages = [ROOT / "docs/python.md", ROOT / "docs/reference/api/nmebench.md"]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert re.search(rf"(?:nb|nmebench)\.{name}\b|`{name}`", text)
    assert getattr(nmebench, name).__name__ == name


def test_subpackages_need_no_import_of_their_own() -> None:
    documented = {package.split(".")[1] for package in PACKAGES if "." in package}
    assert documented <= nmebench._PACKAGES
    for name in nmebench._PACKAGES:
        assert nmebench.__getattr__(name) is importlib.import_module(f"nmebench.{name}")


def test_top_level_names_are_sorted_and_complete() -> None:
    assert nmebench.__all__ == sorted(nmebench.__all__)
    assert set(nmebench._PLACES) == set(nmebench.__all__) - {"InputError", "__version__"}
    assert set(nmebench.__all__) <= set(dir(nmebench))
    assert (ROOT / "harness/py.typed").is_file()
