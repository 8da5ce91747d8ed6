"""Tests of ``import nmebench``: its public names, and that it loads nothing slow."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import nmebench
from nmebench.errors import InputError

IMPORT = """
import json, sys, time
start = time.perf_counter()
import nmebench
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "modules": sorted(sys.modules)}))
"""


def test_public_names() -> None:
    assert nmebench.__version__ == version("nmebench")
    assert nmebench.InputError is InputError
    assert not hasattr(nmebench, "no_such_name")


def test_import_is_fast_and_loads_no_libraries() -> None:
    """The smallest of three times, because other processes may use the processor."""
    runs = []
    for _ in range(3):
        ended = subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True)
        runs.append(json.loads(ended.stdout))
    assert min(run["seconds"] for run in runs) < 0.3
    assert not {"numpy", "torch", "pandas", "pydantic", "importlib.metadata"} & set(runs[0]["modules"])
