"""A decoder from another package, installed with pip, is listed, passes the contract and runs in a sweep."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

DECODER = '''"""A third-party decoder: the maximum, moved by the slope between its neighbours on each axis."""

import torch

from nmebench.decoders.interface import HeatmapDecoder
from nmebench.decoders.maxima import windows


class Slope(HeatmapDecoder):
    """The maximum plus a quarter of (next - previous) / maximum."""

    name, source, bound = "slope", "the README of nmebench-slope", 0.7

    def refine(self, maps, maxima):
        near = windows(maps, maxima.x, maxima.y, 1).view(-1, 3, 3)
        slope = torch.stack((near[:, 1, 2] - near[:, 1, 0], near[:, 2, 1] - near[:, 0, 1]), dim=-1)
        return maxima.xy + 0.25 * (slope / near[:, 1, 1:2].clamp_min(1e-6)).clamp(-1, 1)
'''

PROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "nmebench-slope"
version = "1.0"
[project.entry-points."nmebench.decoders"]
slope = "nmebench_slope:Slope"
[tool.setuptools]
py-modules = ["nmebench_slope"]
"""

CONFTEST = 'pytest_plugins = ["nmebench.decoders.pytest_plugin"]\n'

TESTS = """import pytest


@pytest.mark.decoder_contract("slope")
def test_contract(decoder_check):
    decoder_check()
"""


def test_decoder_plugin_of_fifteen_lines(tmp_path: Path, wflw: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "nmebench_slope.py").write_text(DECODER)
    (package / "pyproject.toml").write_text(PROJECT)
    assert sum(bool(line.strip()) for line in DECODER.splitlines()) <= 15
    python = tmp_path / "environment/bin/python"
    subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
    find = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    own = subprocess.run([str(python), "-c", find], check=True, capture_output=True, text=True).stdout.strip()
    # Torch is gigabytes, so the new environment also reads this one's packages, including nmebench.
    (Path(own) / "shared.pth").write_text(f"import site; site.addsitedir({sysconfig.get_paths()['purelib']!r})\n")
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", str(package)]
    subprocess.run(install, check=True)

    def nmebench(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(python), "-m", "nmebench", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert "the README of nmebench-slope" in nmebench("list", "decoders").stdout
    contract = nmebench("contract", "slope")
    assert contract.returncode == 0, contract.stdout + contract.stderr
    (package / "conftest.py").write_text(CONFTEST)
    (package / "test_slope.py").write_text(TESTS)
    command = [str(python), "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider"]
    tested = subprocess.run(command, capture_output=True, text=True, check=False, cwd=package)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert " passed" in tested.stdout
    out = tmp_path / "run"
    swept = nmebench("run", "--data", f"wflw:{wflw}", "--model", "oracle", "--decoder", "slope", "-o", out)
    assert swept.returncode == 0, swept.stderr
    assert ",slope," in (out / "scores.csv").read_text()
