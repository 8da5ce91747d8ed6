"""The examples in docstrings: every one runs, and every metric and decoder has one."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

from nmebench import decoders, metrics
from nmebench.decoders.registry import REGISTRY

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("nmebench", "nmebench.decoders", "nmebench.models", "nmebench.reports")
"""``nmebench`` and its subpackages in folders of their own."""


def modules() -> list[str]:
    """Dotted names of every module of the project."""
    found = set(PACKAGES)
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        found |= {module.name for module in pkgutil.walk_packages(path, prefix=f"{package}.")}
    return sorted(found - {"nmebench.__main__"})


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str) -> None:
    """As ``pytest --doctest-modules`` does, but for modules under their installed names."""
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert outcome.failed == 0


@pytest.mark.parametrize("name", sorted(name for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))))
def test_every_metric_has_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(getattr(metrics, name)) or "")


@pytest.mark.parametrize("name", decoders.names())
def test_every_decoder_has_an_example(name: str) -> None:
    kind = REGISTRY.load(name).value
    assert ">>> " in (kind.__doc__ or "")


def undocumented_raises(file: Path) -> list[str]:
    """Public functions that raise an error of this project themselves and don't say so under ``Raises:``."""
    found = []
    module = ast.parse(file.read_text(encoding="utf-8"))
    scopes = [module, *(node for node in ast.walk(module) if isinstance(node, ast.ClassDef))]
    for node in (member for scope in scopes for member in scope.body):
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        own = [child for child in ast.walk(node) if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call)]
        raised = {call.func.id for child in own if isinstance((call := child.exc).func, ast.Name)}
        if raised & {"InputError", "ModelError", "CardError", "CheckpointError", "DecoderError", "LookupError"}:
            text = ast.get_docstring(node) or ""
            if "Raises:" not in text:
                found.append(f"{file.relative_to(ROOT)}:{node.lineno} {node.name} raises {', '.join(sorted(raised))}")
    return found


def test_public_functions_that_raise_say_so() -> None:
    folders = ("harness", "decoders", "models", "reports")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    # The docstrings of commands are the texts of --help.
    files = [file for file in files if not file.is_relative_to(ROOT / "harness/cli")]
    assert [line for file in files for line in undocumented_raises(file)] == []
