"""The packages, recordings and page of ``docs/tools/mutate.py``."""

from __future__ import annotations

import json
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import mutation_page
import pytest
from mutate import LONG_TESTS, PACKAGES, RESULTS
from mutation_page import EQUIVALENT, page, shortened
from recording import Recording

ROOT = Path(__file__).resolve().parents[1]


def test_every_package_has_sources_and_tests() -> None:
    for name, (sources, tests) in PACKAGES.items():
        assert list(ROOT.glob(sources)), name
        assert list(ROOT.glob(tests)), name
    assert all((ROOT / file).is_file() for file in LONG_TESTS)


def test_entries_of_equivalent_mutants_name_files_and_reasons() -> None:
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    files = [str(p.relative_to(ROOT)) for s, _ in PACKAGES.values() for p in ROOT.glob(s)]
    for entry in entries:
        assert set(entry) <= {"file", "function", "before", "after", "reason"}, entry
        assert any(fnmatchcase(file, entry["file"]) for file in files), entry
        assert entry["reason"].endswith("."), entry


def test_page_counts_equivalent_mutants_apart() -> None:
    survivors = [
        {"file": "a.py", "line": 1, "function": "f", "operator": "constant", "before": "x = 1", "after": f"x = {n}"}
        for n in (0, 2)
    ]
    run = {"seed": 7, "mutants": 50, "tested": 12, "timeouts": 0, "survivors": survivors}
    equivalent = [{"file": "a.py", "function": "f", "after": "= 0", "reason": "x is only compared with 5."}]
    lines = page({"gate": [run]}, equivalent).splitlines()
    assert lines[2] == "| `gate` | 50 | 7 | 12 | 10 | 1 | 1 | 91 % |"
    assert lines[-2] == "* `a.py`, `f`: `x = 1` became `x = 0`. x is only compared with 5."
    assert lines[-1] == "* `a.py`, `f`: `x = 1` became `x = 2`. No test finds it."


def test_stored_results_give_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = mutation_page.PAGE.read_text(encoding="utf-8")
    copy = tmp_path / "mutation.md"
    copy.write_text(text.replace("| `gate` |", "| old |"), encoding="utf-8")
    monkeypatch.setattr(mutation_page, "PAGE", copy)
    mutation_page.write_page({name: json.loads((RESULTS / f"{name}.json").read_text()) for name in PACKAGES})
    assert copy.read_text(encoding="utf-8") == text


def test_long_changes_are_shortened() -> None:
    before, after = shortened("a" * 200 + "1" + "b" * 200, "a" * 200 + "2" + "b" * 200)
    assert (before, after) == (f"...{'a' * 50}1{'b' * 50}...", f"...{'a' * 50}2{'b' * 50}...")
    assert shortened("x = 1", "x = 2") == ("x = 1", "x = 2")


def test_tests_of_a_function() -> None:
    """The tests that call it, those of its own file and the fast ones first; all tests for other code."""
    seconds = {
        "tests/test_b.py::t": 0.1,
        "tests/test_a.py::slow": 3.0,
        "tests/test_a.py::t": 0.2,
        "tests/test_c.py::t": 0,
    }
    calls = {("a.py", "f"): {"tests/test_b.py::t", "tests/test_a.py::t"}, ("a.py", "g"): {"*"}}
    recording = Recording(seconds, calls)
    assert recording.tests_of("a.py", "f") == ["tests/test_a.py::t", "tests/test_b.py::t"]
    everything = ["tests/test_a.py::t", "tests/test_a.py::slow", "tests/test_c.py::t", "tests/test_b.py::t"]
    assert recording.tests_of("a.py", "g") == recording.tests_of("a.py", "module") == everything
