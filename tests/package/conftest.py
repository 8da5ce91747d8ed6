"""Fixtures for the tests of the installed package; ``nox -s package`` builds and installs it."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def python() -> Path:
    """The Python of an environment where the wheel is installed, without this checkout."""
    given = os.environ.get("NMEBENCH_PACKAGE_PYTHON")
    if not given:
        pytest.skip("NMEBENCH_PACKAGE_PYTHON names no environment with the wheel; `nox -s package` makes one")
    return Path(given)


@pytest.fixture(scope="session")
def dist() -> Path:
    """The folder with the wheel and the sdist."""
    given = os.environ.get("NMEBENCH_PACKAGE_DIST")
    if not given:
        pytest.skip("NMEBENCH_PACKAGE_DIST names no folder with a wheel; `nox -s package` makes one")
    return Path(given)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A user's research repository: ``models/`` without ``__init__.py``, ``decoders/`` with one."""
    folder = tmp_path / "research"
    for name, text in {
        "models/net.py": "NAME = 'their network'\n",
        "decoders/__init__.py": "NAME = 'their decoder'\n",
        "reports/notes.txt": "nothing to import\n",
        "harness/__init__.py": "NAME = 'their harness'\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(python: Path, tmp_path: Path) -> Run:
    """A function that runs the environment's Python in a folder and returns the finished process."""

    def call(*arguments: str | Path, cwd: Path, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "COV", "NMEBENCH"))}
        environment = kept | {"NMEBENCH_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [str(python), *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=280
        )
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return call


@pytest.fixture
def neighbour(tmp_path: Path) -> Path:
    """A wheel of another distribution that ships top-level packages ``models`` and ``decoders``."""
    files = {
        "models/__init__.py": "NAME = 'the neighbour'\n",
        "decoders/__init__.py": "NAME = 'the neighbour'\n",
        "neighbour-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: neighbour\nVersion: 1.0\n",
        "neighbour-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "neighbour-1.0.dist-info/RECORD"
    wheel = tmp_path / "neighbour-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(record, "".join(f"{name},,\n" for name in (*files, record)))
    return wheel
