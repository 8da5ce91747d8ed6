"""Collects the provenance of a run: code, package versions, threads and machine."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from nmebench.runs.run_record import Provenance
from nmebench.source_hash import code_hash

__all__ = ["collect", "versions"]

#: Distributions whose version can change a landmark.
PACKAGES = (
    "numpy", "opencv-python-headless", "torch", "torchvision", "timm", "onnxruntime", "openvino", "scipy", "pandas",
    "pyarrow", "matplotlib",
)  # fmt: skip


def versions(names: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the installed version of each distribution; one that isn't installed is absent.

    Example:
        >>> list(versions(["numpy", "no-such-distribution"]))
        ['numpy']
    """
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(  # noqa: S603 - constant arguments, no shell
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def collect(*, command: Sequence[str], threads: int, deterministic: bool, seed: int) -> Provenance:
    """Return the provenance of the running process.

    It contains no time and no path, so that two equal runs store the same bytes.

    Args:
        command: the command line.
        threads: torch's threads.
        deterministic: whether torch's deterministic algorithms are enabled.
        seed: the seed of the sweep.
    """
    status = _git("status", "--porcelain", "--untracked-files=no")
    return Provenance(
        nmebench=importlib.metadata.version("nmebench"),
        git_commit=_git("rev-parse", "HEAD"),
        git_dirty=None if status is None else bool(status),
        code_sha256=code_hash(),
        command=list(command),
        packages=versions(),
        python=platform.python_version(),
        threads=threads,
        deterministic=deterministic,
        seed=seed,
        host={
            "processor": _processor(),
            "cores": str(psutil.cpu_count(logical=False) or psutil.cpu_count() or 1),
            "memory_gib": str(round(psutil.virtual_memory().total / 2**30)),
            "system": f"{platform.system()} {platform.machine()}",
            "implementation": sys.implementation.name,
        },
    )
