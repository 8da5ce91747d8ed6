"""Fixtures of the download tests: a scripted server, sources that point to it, and the table of faults."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from load_module import load_module

from nmebench.errors import InputError
from nmebench.fetch import Policy, Source, Sources, load_sources

HERE = Path(__file__).parent
WEIGHTS = b"\x80\x02" + bytes(range(256)) * 20


responses = load_module("fetch/server.py")
archives = load_module("fetch/archives.py")
faults = load_module("fetch/faults.py")


@pytest.fixture(name="responses")
def responses_fixture() -> ModuleType:
    return responses


@pytest.fixture(name="archives")
def archives_fixture() -> ModuleType:
    return archives


@pytest.fixture
def server() -> Iterator[Any]:
    with responses.running() as running:
        yield running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return responses.make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NMEBENCH_CACHE", "NMEBENCH_WFLW", "NMEBENCH_SOURCES", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def policy() -> Policy:
    """Three attempts; pauses are recorded in ``policy.pauses`` instead of taken.

    The timeouts are long, because the server's thread can wait for a busy processor. Tests with a server that is silent
    on purpose use ``impatient``.
    """
    pauses: list[float] = []
    made = Policy(connect_seconds=30.0, read_seconds=30.0, attempts=3, chunk=1024, sleep=pauses.append)
    object.__setattr__(made, "pauses", pauses)
    return made


@pytest.fixture
def impatient(policy: Policy) -> Policy:
    """``policy`` with a timeout of 0.3 s."""
    made = replace(policy, read_seconds=0.3)
    object.__setattr__(made, "pauses", policy.pauses)  # type: ignore[attr-defined]
    return made


@pytest.fixture
def source() -> Callable[..., Sources]:
    """A function that makes `Sources` with one source named ``thing``."""

    def make(url: str | None = None, **fields: Any) -> Sources:
        values: dict[str, Any] = {
            "name": "thing", "file": "thing.bin", "max_bytes": 1_000_000, "licence": "", "max_unpacked": 1_000_000,
            "max_files": 100, "page": "https://example.org/thing", **({"url": url} if url else {}), **fields,
        }  # fmt: skip
        return Sources({"thing": Source(**values)})

    return make


@pytest.fixture
def refused(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., str]:
    """A function that runs a call, expects a one-line InputError and returns the line.

    With ``fault``, it also compares the line with the row of that title in docs/faults.md.
    """

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
    """All files in a cache except its lock, by their relative paths."""
    return {str(p.relative_to(cache)) for p in cache.rglob("*") if p.is_file() and p.name != ".nmebench.lock"}


@pytest.fixture(name="leftovers")
def leftovers_fixture() -> Callable[[Path], set[str]]:
    return leftovers


@pytest.fixture
def weights() -> bytes:
    """The bytes of the checkpoint ``net``."""
    return WEIGHTS


@pytest.fixture
def wflw_sources(server: Any, responses: ModuleType, archives: ModuleType) -> Sources:
    """WFLW's two archives, one of them behind Drive's form, and the checkpoint ``net`` on the local server."""
    shipped = load_sources()
    images = archives.tar(archives.IMAGES)
    server.on("/annotations", responses.serve(archives.tar(archives.ANNOTATIONS)))
    server.on("/uc", responses.serve(responses.drive_page(server.url("/download")), mime="text/html"))
    server.on("/download", responses.serve(images))
    server.on("/w.pth", responses.serve(WEIGHTS))
    prefix = hashlib.sha256(WEIGHTS).hexdigest()[:8]
    table = {
        "wflw-images": shipped["wflw-images"].model_copy(update={"drive_base": server.url(""), "hosts": ()}),
        "wflw-annotations": shipped["wflw-annotations"].model_copy(update={"url": server.url("/annotations")}),
        "net": Source(
            name="net", file=f"net-{prefix}_20210125.pth", url=server.url("/w.pth"), hash_prefix=prefix,
            max_bytes=1_000_000, licence="cite",
        ),
    }  # fmt: skip
    return Sources(table, {"wflw": ("wflw-annotations", "wflw-images"), "weights": ("net",)})
