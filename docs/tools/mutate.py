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
import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from checkout_copy import ROOT, Copy
from forked_tests import prepare_tests, run_tests
from mutants import Mutant, mutants
from mutation_page import shortened, write_page
from recording import Recording

RESULTS = ROOT / "docs" / "results" / "mutation"

PACKAGES = {
    "metrics": ("harness/metrics/*.py", "tests/metrics"),
    "statistics": ("harness/statistics/*.py", "tests/statistics"),
    "gate": ("harness/gates/*.py", "tests/gates"),
    "check": ("harness/checks/*.py", "tests/checks"),
    "geometry": ("harness/geometry/*.py", "tests/geometry"),
    "flip-test": ("harness/sweep/flip_test.py", "tests/sweep/test_flip_test*.py"),
    "scoring": ("harness/scoring/*.py", "tests/scoring"),
    "decoders": ("decoders/*.py", "tests/decoders/test_*.py"),
}
"""Name to the pattern of the sources and of their tests."""

LONG_TESTS = {"tests/decoders/test_memory.py"}
"""Tests that take too long to run for each mutant."""


def _module_of(file: str) -> str:
    parts = list(Path(file).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(["nmebench", *(parts[1:] if parts[0] == "harness" else parts)])


def _entry(file: str, mutant: Mutant) -> dict[str, Any]:
    """Return a mutant as the results store it."""
    return {
        "file": file,
        "line": mutant.line,
        "function": mutant.function,
        "operator": mutant.operator,
        "before": mutant.before,
        "after": mutant.after,
    }


def _key(entry: dict[str, Any]) -> tuple[str, ...]:
    """Return what identifies a mutant; its line changes with every edit above it."""
    return tuple(entry[name] for name in ("file", "function", "before", "after"))


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
        keys = {_key(entry) for entry in chosen}
        everything = [pair for pair in everything if _key(_entry(*pair)) in keys]
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
            survivors.append(_entry(file, mutant))
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
    return survivor | {"found_later": _key(survivor) not in {_key(other) for other in alive}}


def _test_in_copy(name: str, options: argparse.Namespace) -> None:
    """Test the mutants of a package in a copy of the checkout, and store the result."""
    earlier = next((r for r in _stored(name) if r["seed"] == options.seed), None) if options.survivors else None
    chosen = earlier["survivors"] if earlier is not None else None
    with tempfile.TemporaryDirectory(prefix="nmebench-mutate-") as folder:
        copy = Copy.make(Path(folder), shared=options.shared)
        os.chdir(copy.folder)
        sys.path.insert(0, str(copy.folder / ".tree"))
        os.environ |= {"PYTHONPATH": str(copy.folder / ".tree"), "OMP_NUM_THREADS": "1"}
        result = test_package(name, copy, options.sample, options.seed, chosen)
        if earlier is not None:
            tested, alive = result["tested"], result["survivors"]
            marked = [_again(s, tested, len(earlier["survivors"]), alive) for s in earlier["survivors"]]
            result = earlier | {"survivors": marked}
        _store(name, result)
        sys.path.pop(0)
        os.chdir(ROOT)


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
        prepare_tests()
    for name in options.packages:
        _test_in_copy(name, options)
    if options.page:
        write_page({name: _stored(name) for name in PACKAGES})


if __name__ == "__main__":
    main()
