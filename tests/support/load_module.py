"""Import a module of the tests by its path, because the tests are not packages."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["load_module"]

TESTS = Path(__file__).resolve().parents[1]


def load_module(path: str) -> ModuleType:
    """Import a file once per process.

    Args:
        path: relative to ``tests/``, such as ``fetch/server.py``.
    """
    name = "nmebench_tests_" + path.removesuffix(".py").replace("/", "_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, TESTS / path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
