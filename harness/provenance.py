"""What a number may depend on besides data and weights: code, versions, threads, machine."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import psutil

from harness.store import Provenance

__all__ = ["code_hash", "collect", "file_sha256", "module_hash", "versions"]

#: Packages whose version may move a landmark.
PACKAGES = (
    "numpy", "opencv-python-headless", "torch", "torchvision", "timm", "onnxruntime", "openvino", "scipy", "pandas",
    "pyarrow", "matplotlib",
)  # fmt: skip

#: The top-level packages whose sources decide what a sweep measures.
SOURCES = ("harness", "models", "decoders")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions(names: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Installed versions by distribution; one that isn't installed is absent."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@cache
def _origin(module: str) -> Path | None:
    """The file of a module: by its name in this project, importing nothing; else where it was loaded from."""
    package, *parts = module.split(".")
    if package in SOURCES:
        base = Path(__file__).resolve().parents[1].joinpath(package, *parts)
        candidates = (base.with_suffix(".py"), base / "__init__.py")
        return next((file for file in candidates if file.is_file()), None)
    loaded = getattr(sys.modules.get(module), "__file__", None)
    return Path(loaded) if loaded and loaded.endswith(".py") else None


@cache
def _imports(module: str) -> frozenset[str]:
    """Modules of this project that a module names in an import statement."""
    origin = _origin(module)
    if origin is None:
        return frozenset()
    named: set[str] = set()
    for node in ast.walk(ast.parse(origin.read_bytes())):
        if isinstance(node, ast.Import):
            named.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            named.add(node.module)
            named.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in named if name.split(".")[0] in SOURCES and _origin(name))


def module_hash(*modules: str) -> str:
    """SHA-256 over the sources of modules and of all that they import from this project.

    A change of any of these files changes the hash and nothing else does, so that a resumed sweep recomputes exactly
    what a changed file touches. Modules of other distributions count with their own file.
    """
    seen: set[str] = set()
    todo = list(modules)
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo.extend(_imports(module))
    digest = hashlib.sha256()
    for module in sorted(seen):
        origin = _origin(module)
        digest.update(f"{module}\0{file_sha256(origin) if origin else ''}\n".encode())
    return digest.hexdigest()


def code_hash() -> str:
    """SHA-256 over every Python source of ``harness``, ``models`` and ``decoders``."""
    digest = hashlib.sha256()
    for package in SOURCES:
        origin = _origin(package)
        if origin is None:
            continue
        for file in sorted(origin.parent.rglob("*.py")):
            digest.update(f"{package}/{file.relative_to(origin.parent).as_posix()}\0{file_sha256(file)}\n".encode())
    return digest.hexdigest()


def _git(*arguments: str) -> str | None:
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
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
    """The provenance of a run that starts now. No clock and no path of this machine goes in."""
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
