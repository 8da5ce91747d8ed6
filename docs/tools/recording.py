"""Which tests call which functions, and how long each test takes."""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Recorder", "Recording"]


class Recorder:
    """A pytest plugin that records how long each test takes and which functions of the package it calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder) + os.sep
        self.seconds: dict[str, float] = {}
        self.calls: dict[tuple[str, str], set[str]] = {}
        self._test = ""

    def _trace(self, frame: Any, _event: str, _argument: object) -> None:
        code = frame.f_code
        if not code.co_flags & inspect.CO_OPTIMIZED:
            return  # the body of a module or class, which one test may happen to import
        file = os.path.realpath(code.co_filename) if ".tree" in code.co_filename else code.co_filename
        if file.startswith(self.folder):
            key = (file.removeprefix(self.folder), code.co_qualname.replace(".<locals>", ""))
            self.calls.setdefault(key, set()).add(self._test)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._test = nodeid
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def pytest_fixture_setup(self, fixturedef: Any) -> None:
        # What is set up once belongs to every test; its teardown is rare and is counted for every test as well.
        if fixturedef.scope != "function":
            self._test = "*"

    def pytest_runtest_setup(self, item: Any) -> None:
        self._test = item.nodeid

    def pytest_runtest_call(self, item: Any) -> None:
        self._test = item.nodeid

    def pytest_runtest_logfinish(self) -> None:
        sys.settrace(None)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration

    def write(self, path: Path) -> None:
        """Write the file that :meth:`Recording.read` reads."""
        calls = [[*key, sorted(tests)] for key, tests in self.calls.items()]
        path.write_text(json.dumps({"seconds": self.seconds, "calls": calls}))


@dataclass(frozen=True)
class Recording:
    """The tests of a package, as :class:`Recorder` saw them."""

    seconds: dict[str, float]
    """Time of each test."""
    calls: dict[tuple[str, str], set[str]]
    """Tests by file and function; ``*`` stands for all of them."""

    @classmethod
    def read(cls, path: Path) -> Recording:
        """Read what :meth:`Recorder.write` wrote."""
        raw = json.loads(path.read_text())
        return cls(raw["seconds"], {(file, function): set(tests) for file, function, tests in raw["calls"]})

    def tests_of(self, file: str, function: str) -> list[str]:
        """Return the tests that call a function, the fastest of its own test file first; all tests for other code."""
        tests = self.calls.get((file, function), {"*"})
        if "*" in tests:
            tests = set(self.seconds)
        stem = Path(file).stem
        return sorted(tests, key=lambda t: (stem not in t.partition("::")[0], self.seconds.get(t, 0.0)))
