"""Runs tests in a forked process, after torch and pytest were imported: it starts in milliseconds."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import os
import resource
import signal
import sys
import time
from pathlib import Path

from checkout_copy import Copy
from recording import Recorder

__all__ = ["prepare_tests", "run_tests"]

PRELOADED = (
    "pytest", "_pytest.assertion.rewrite", "numpy", "pandas", "pyarrow.parquet", "scipy.stats", "scipy.special",
    "scipy.integrate", "hypothesis", "hypothesis.extra.numpy", "pydantic", "torch", "cv2", "PIL.Image", "rich.table",
    "typer", "packaging.requirements",
)  # fmt: skip


def prepare_tests() -> None:
    """Import what all tests need, before any fork. A failing property test need not search for its smallest example."""
    for name in PRELOADED:
        importlib.import_module(name)
    from hypothesis import Phase, settings

    settings.register_profile("mutation", derandomize=True, phases=[Phase.explicit, Phase.generate])
    os.environ |= {"HYPOTHESIS_PROFILE": "mutation", "PYTHONDONTWRITEBYTECODE": "1"}


def run_tests(
    copy: Copy, tests: list[str], *, seconds: float, module: str | None = None, record: Path | None = None
) -> str:
    """Run tests in a forked process; return ``passed``, ``failed`` or ``timeout``.

    Args:
        copy: the copy of the checkout.
        tests: files, folders and names of tests.
        seconds: time limit.
        module: run its docstring examples first.
        record: write a :class:`Recording` to this file.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = _in_child(copy, tests, module, record)
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done or time.monotonic() > end:
            break
        time.sleep(0.01)
    # The process group also contains what the tests started.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not done:
        os.waitpid(child, 0)
        return "timeout"
    return "passed" if status == 0 else "failed"


def _in_child(copy: Copy, tests: list[str], module: str | None, record: Path | None) -> int:
    import pytest

    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    resource.setrlimit(resource.RLIMIT_AS, (12 * 2**30,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**30,) * 2)
    sys.dont_write_bytecode = record is None
    if module is not None:
        examples = doctest.testmod(importlib.import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
        if examples.failed:
            return 1
    arguments = [
        "-q", "-x", "-p", "no:cacheprovider", "-p", "no:timeout", "-o", "addopts=", "--import-mode=importlib",
        "--benchmark-disable", "-m", "not slow and not browser and not package",
        "--basetemp", str(copy.folder.parent / "tmp"),
    ]  # fmt: skip
    recorder = Recorder(copy.folder)
    code = int(pytest.main([*arguments, *tests], plugins=[recorder] if record is not None else []))
    if record is not None:
        recorder.write(record)
    return code
