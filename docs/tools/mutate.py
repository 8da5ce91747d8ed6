"""Mutation testing: plants small faults in the code and reports those that no test finds.

``nice python docs/tools/mutate.py gate check --sample 80 --seed 1`` tests a seeded random sample of the mutants of each
package (``--sample 0``: all of them) in a copy of the checkout; the checkout itself is never changed. Each mutant runs
the docstring examples of its file and then those of the package's own tests that call the changed function (all of them
for code outside of functions), until the first one fails, in a process that is forked after torch and pytest were
imported. ``../shared`` is not beside the copy, so tests that need it are skipped; ``--shared`` links it.

The results are stored in ``docs/results/mutation``, one file per package, and ``--page`` writes their table to
``docs/mutation.md``. ``--survivors`` tests only the stored survivors again, after new tests were written, and marks
those that are found now; the score stays that of the first test. Survivors that no test can find are listed with the
reason in ``equivalent_mutants.toml``.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import doctest
import fnmatch
import importlib
import importlib.util
import inspect
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results" / "mutation"
PAGE = ROOT / "docs" / "mutation.md"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")

PACKAGES = {
    "metrics": ("harness/metrics/*.py", "tests/metrics"),
    "statistics": ("harness/statistics/*.py", "tests/statistics"),
    "gate": ("harness/gate/*.py", "tests/gate"),
    "check": ("harness/check/*.py", "tests/check"),
    "geometry": ("harness/geometry/*.py", "tests/geometry"),
    "flip-test": ("harness/sweep/flip_test.py", "tests/sweep/test_flip_test*.py"),
    "scoring": ("harness/scoring/*.py", "tests/scoring"),
    "decoders": ("decoders/*.py", "tests/decoders/test_*.py"),
}
"""Name to the pattern of the sources and of their tests."""

LONG_TESTS = {"tests/decoders/test_memory.py"}
"""Tests that take too long to run for each mutant."""

PRELOADED = (
    "pytest", "_pytest.assertion.rewrite", "numpy", "pandas", "pyarrow.parquet", "scipy.stats", "scipy.special",
    "scipy.integrate", "hypothesis", "hypothesis.extra.numpy", "pydantic", "torch", "cv2", "PIL.Image", "rich.table",
    "typer", "packaging.requirements",
)  # fmt: skip

IGNORED = shutil.ignore_patterns(".*", "__pycache__", "out", "*.egg-info")


@dataclass(frozen=True)
class Copy:
    """A copy of the checkout, with links that show its folders in the installed layout."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *, shared: bool) -> Copy:
        tree = folder / "checkout"
        shutil.copytree(ROOT, tree, ignore=IGNORED)
        package = tree / ".tree" / "nmebench"
        package.mkdir(parents=True)
        for entry in (tree / "harness").iterdir():
            (package / entry.name).symlink_to(entry)
        for name in ("decoders", "models", "reports"):
            (package / name).symlink_to(tree / name)
        if shared:
            (folder / "shared").symlink_to(ROOT.parent / "shared")
        compileall.compile_dir(package, quiet=2)
        return cls(tree)

    @contextlib.contextmanager
    def with_text(self, file: str, text: str) -> Iterator[None]:
        """Replace a source file for a while."""
        path = self.folder / file
        before = path.read_text(encoding="utf-8")
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)  # its time stamp has whole seconds
        path.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")


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
        calls = [[*key, sorted(tests)] for key, tests in self.calls.items()]
        path.write_text(json.dumps({"seconds": self.seconds, "calls": calls}))


@dataclass(frozen=True)
class Recording:
    """The tests of a package, as :class:`Recorder` saw them."""

    seconds: dict[str, float]
    calls: dict[tuple[str, str], set[str]]

    @classmethod
    def read(cls, path: Path) -> Recording:
        raw = json.loads(path.read_text())
        return cls(raw["seconds"], {(file, function): set(tests) for file, function, tests in raw["calls"]})

    def tests_of(self, file: str, function: str) -> list[str]:
        """Return the tests that call a function, the fastest of its own test file first; all tests for other code."""
        tests = self.calls.get((file, function), {"*"})
        if "*" in tests:
            tests = set(self.seconds)
        stem = Path(file).stem
        return sorted(tests, key=lambda t: (stem not in t.partition("::")[0], self.seconds.get(t, 0.0)))


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


def _settings_of_tests() -> None:
    """Import what all tests need, before any fork. A failing property test need not search for its smallest example."""
    for name in PRELOADED:
        importlib.import_module(name)
    from hypothesis import Phase, settings

    settings.register_profile("mutation", derandomize=True, phases=[Phase.explicit, Phase.generate])
    os.environ |= {"HYPOTHESIS_PROFILE": "mutation", "PYTHONDONTWRITEBYTECODE": "1"}


def _module_of(file: str) -> str:
    parts = list(Path(file).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(["nmebench", *(parts[1:] if parts[0] == "harness" else parts)])


def _key(file: str, mutant: Mutant) -> tuple[str, str, str, str]:
    return file, mutant.function, mutant.before, mutant.after


def test_package(name: str, copy: Copy, sample: int, seed: int, chosen: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Test a sample of a package's mutants.

    Args:
        name: a key of :data:`PACKAGES`.
        copy: the copy of the checkout.
        sample: number of mutants; 0 for all.
        seed: of the sample.
        chosen: survivors of an earlier result, to test only these.
    """
    sources, pattern = PACKAGES[name]
    tests = sorted({str(path.relative_to(copy.folder)) for path in copy.folder.glob(pattern)} - LONG_TESTS)
    file_of_recording = copy.folder.parent / "recording.json"
    outcome = run_tests(copy, tests, seconds=1200, record=file_of_recording)
    if outcome != "passed":
        raise SystemExit(f"{name}: the unchanged tests {outcome}")
    recording = Recording.read(file_of_recording)
    files = sorted(str(path.relative_to(copy.folder)) for path in copy.folder.glob(sources))
    everything = [(file, m) for file in files for m in mutants((copy.folder / file).read_text(encoding="utf-8"))]
    total = len(everything)
    if chosen is not None:
        keys = {(c["file"], c["function"], c["before"], c["after"]) for c in chosen}
        everything = [pair for pair in everything if _key(*pair) in keys]
    elif 0 < sample < total:
        # The order is random, so that a run that is interrupted has tested a smaller sample of the same kind.
        everything = random.Random(f"{seed} {name}").sample(everything, sample)
    print(f"{name}: {len(everything)} of {total} mutants, {len(recording.seconds)} tests", flush=True)
    survivors: list[dict[str, Any]] = []
    result = {"seed": seed, "mutants": total, "tested": 0, "timeouts": 0, "survivors": survivors}
    for file, mutant in everything:
        chosen_tests = recording.tests_of(file, mutant.function)
        limit = 60 + 10 * sum(recording.seconds.get(test, 0.0) for test in chosen_tests)
        with copy.with_text(file, mutant.text()):
            outcome = run_tests(copy, chosen_tests, seconds=limit, module=_module_of(file))
        result["timeouts"] += outcome == "timeout"
        if outcome == "passed":
            survivors.append(
                {
                    "file": file,
                    "line": mutant.line,
                    "function": mutant.function,
                    "operator": mutant.operator,
                    "before": mutant.before,
                    "after": mutant.after,
                }
            )
            before, after = shortened(mutant.before, mutant.after)
            print(f"  {file}:{mutant.line} {mutant.function} ({mutant.operator})", flush=True)
            print(f"    - {before}\n    + {after}", flush=True)
        result["tested"] += 1
        if chosen is None:
            _store(name, result)
    print(f"{name}: {result['tested'] - len(survivors)} of {result['tested']} killed", flush=True)
    return result


def _stored(name: str) -> list[dict[str, Any]]:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _store(name: str, result: dict[str, Any]) -> None:
    kept = [r for r in _stored(name) if r["seed"] != result["seed"]]
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(sorted([*kept, result], key=lambda r: r["seed"]), indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _again(survivor: dict[str, Any], tested: int, earlier: int, alive: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a survivor of an earlier test, marked if a test finds it now."""
    if tested != earlier:
        return survivor  # the code has changed since: some of the survivors are gone
    keys = ("file", "function", "before", "after")
    return survivor | {"found_later": not any(all(other[k] == survivor[k] for k in keys) for other in alive)}


def reason(survivor: dict[str, Any], equivalent: list[dict[str, str]]) -> str | None:
    """Return why no test can find a mutant; None when nothing is known."""
    for entry in equivalent:
        place = (survivor["file"], entry["file"]), (survivor["function"], entry.get("function", "*"))
        texts = (survivor["before"], entry.get("before", "")), (survivor["after"], entry.get("after", ""))
        if all(fnmatch.fnmatchcase(*pair) for pair in place) and all(part in text for text, part in texts):
            return entry["reason"]
    return None


def shortened(before: str, after: str, around: int = 50) -> tuple[str, str]:
    """Return both texts without what is far from their difference."""
    start = max(_equal(before, after) - around, 0)
    end = max(_equal(before[::-1], after[::-1]) - around, 0)
    dots = ("..." if start else "", "..." if end else "")
    first, second = (f"{dots[0]}{text[start : len(text) - end]}{dots[1]}" for text in (before, after))
    return first, second


def _equal(first: str, second: str) -> int:
    """The number of characters with which both texts begin."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))


def page(results: dict[str, list[dict[str, Any]]], equivalent: list[dict[str, str]]) -> str:
    """Return the table of the results and the list of survivors, as Markdown."""
    table = [
        "| package | mutants | seed | tested | killed | equivalent | survived | score |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    listed: list[str] = []
    for name, runs in results.items():
        for run in runs:
            reasons = [reason(survivor, equivalent) for survivor in run["survivors"]]
            same = sum(r is not None for r in reasons)
            alive = len(reasons) - same
            killed = run["tested"] - len(reasons)
            score = 100 * killed / (run["tested"] - same) if run["tested"] > same else 100.0
            table.append(
                f"| `{name}` | {run['mutants']} | {run['seed']} | {run['tested']} | {killed} | {same} | {alive} | "
                f"{score:.0f} % |"
            )
            for survivor, why in zip(run["survivors"], reasons, strict=True):
                before, after = shortened(*(survivor[text].replace("`", "'") for text in ("before", "after")))
                place = f"`{survivor['file']}`, `{survivor['function']}`"
                later = (
                    "A test that was written afterwards finds it."
                    if survivor.get("found_later")
                    else "No test finds it."
                )
                line = f"* {place}: `{before}` became `{after}`. {why or later}"
                if line not in listed:
                    listed.append(line)
    return "\n".join([*table, "", "### Survivors", "", *listed])


def main() -> None:
    """Test packages, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", choices=[*PACKAGES, []], help="default with --page: none")
    parser.add_argument("--sample", type=int, default=80, help="mutants per package; 0 for all (default: 80)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sample (default: 1)")
    parser.add_argument("--survivors", action="store_true", help="test the stored survivors of this seed again")
    parser.add_argument("--shared", action="store_true", help="let the tests see ../shared")
    parser.add_argument("--page", action="store_true", help="write the table of all stored results to docs/mutation.md")
    options = parser.parse_args()
    if options.packages:
        _settings_of_tests()
    for name in options.packages:
        with tempfile.TemporaryDirectory(prefix="nmebench-mutate-") as folder:
            copy = Copy.make(Path(folder), shared=options.shared)
            os.chdir(copy.folder)
            sys.path.insert(0, str(copy.folder / ".tree"))
            os.environ |= {"PYTHONPATH": str(copy.folder / ".tree"), "OMP_NUM_THREADS": "1"}
            earlier = next((r for r in _stored(name) if r["seed"] == options.seed), None) if options.survivors else None
            result = test_package(
                name, copy, options.sample, options.seed, earlier["survivors"] if earlier is not None else None
            )
            if earlier is not None:
                result = earlier | {
                    "survivors": [
                        _again(s, result["tested"], len(earlier["survivors"]), result["survivors"])
                        for s in earlier["survivors"]
                    ]
                }
            _store(name, result)
            sys.path.pop(0)
            os.chdir(ROOT)
    if options.page:
        equivalent = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("mutant", [])
        text = PAGE.read_text(encoding="utf-8")
        start, end = "<!-- results -->\n", "<!-- end of results -->"
        head, _, rest = text.partition(start)
        tail = rest.partition(end)[2]
        block = page({name: _stored(name) for name in PACKAGES}, equivalent)
        PAGE.write_text(f"{head}{start}\n{block}\n\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
