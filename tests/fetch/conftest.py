"""Fixtures of the download tests: a scripted server, sources that point at it, and the table of faults."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nmebench.errors import InputError
from nmebench.fetch import Policy, Source, Sources

HERE = Path(__file__).parent


def sibling(name: str) -> ModuleType:
    """A module of this folder, by path: the tests are no package."""
    full = f"nmebench_tests_fetch_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


play = sibling("server")
archives = sibling("archives")
faults = sibling("faults")


@pytest.fixture(name="play")
def play_fixture() -> ModuleType:
    return play


@pytest.fixture(name="archives")
def archives_fixture() -> ModuleType:
    return archives


@pytest.fixture
def server() -> Iterator[Any]:
    with play.running() as running:
        yield running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return play.make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NMEBENCH_CACHE", "NMEBENCH_WFLW", "NMEBENCH_SOURCES", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def policy() -> Policy:
    """Fast and patient; remembers its pauses instead of taking them."""
    pauses: list[float] = []
    made = Policy(connect_seconds=2.0, read_seconds=0.3, attempts=3, chunk=1024, sleep=pauses.append)
    object.__setattr__(made, "pauses", pauses)
    return made


@pytest.fixture
def source() -> Callable[..., Sources]:
    """One source named ``thing``, as a table."""

    def make(url: str | None = None, **fields: Any) -> Sources:
        values: dict[str, Any] = {
            "name": "thing", "file": "thing.bin", "max_bytes": 1_000_000, "licence": "", "max_unpacked": 1_000_000,
            "max_files": 100, "page": "https://example.org/thing", **({"url": url} if url else {}), **fields,
        }  # fmt: skip
        return Sources({"thing": Source(**values)})

    return make


@pytest.fixture
def refused(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., str]:
    """Run a call that must fail with one line; with a title, the line is the table's of docs/faults.md."""

    def run(call: Callable[[], object], *, fault: str | None = None) -> str:
        with pytest.raises(InputError) as caught:
            call()
        line = str(caught.value)
        assert "\n" not in line
        assert line.isprintable(), line
        if fault is not None:
            faults.row(request, fault, line, 2, tmp_path)
        return line

    return run


def leftovers(cache: Path) -> set[str]:
    """Everything in a cache except its lock."""
    return {str(p.relative_to(cache)) for p in cache.rglob("*") if p.is_file() and p.name != ".nmebench.lock"}


@pytest.fixture(name="leftovers")
def leftovers_fixture() -> Callable[[Path], set[str]]:
    return leftovers
