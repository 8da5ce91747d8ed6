"""Tests of ``import nmebench``: its public names, and that it loads nothing slow."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import nmebench
from nmebench.errors import InputError

IMPORT = """
import json, sys
import nmebench
print(json.dumps(sorted(sys.modules)))
"""


def test_public_names() -> None:
    assert nmebench.__version__ == version("nmebench")
    assert nmebench.InputError is InputError
    assert not hasattr(nmebench, "no_such_name")


def test_import_loads_no_libraries() -> None:
    ended = subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True)
    assert not {"numpy", "torch", "pandas", "pydantic", "importlib.metadata"} & set(json.loads(ended.stdout))
