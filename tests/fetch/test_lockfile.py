"""The lock file pins the first download, and only one command writes to a cache."""

from __future__ import annotations

import shutil
import threading

import pytest

from nmebench.fetch import fetch
from nmebench.fetch.lockfile import LOCK_NAME, lock_cache, read


def test_a_changed_file_at_the_server_is_refused(
    wflw_sources, server, responses, archives, cache, policy, refused, leftovers
) -> None:
    fetch("wflw-annotations", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    recorded = read(cache)["wflw-annotations"]
    assert recorded.bytes == len(archives.tar(archives.ANNOTATIONS))
    # The folder is lost, and the server has another file now.
    shutil.rmtree(cache / "wflw")
    server.on("/annotations", responses.serve(archives.tar({**archives.ANNOTATIONS, "WFLW_annotations/new": b"1"})))
    line = refused(
        lambda: fetch("wflw-annotations", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True),
        fault="the file at the server has changed since the first download",
    )
    assert f"expected {recorded.sha256[:16]}... from {LOCK_NAME}" in line
    assert leftovers(cache) == {LOCK_NAME}
    assert read(cache)["wflw-annotations"] == recorded


def test_a_lost_lock_file_is_written_again_from_installed_files(wflw_sources, cache, policy) -> None:
    fetch("wflw", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    fetch("net", cache=cache, sources=wflw_sources, policy=policy, accept_licence=True)
    before = read(cache)
    (cache / LOCK_NAME).unlink()
    fetch("wflw", cache=cache, sources=wflw_sources)
    fetch("net", cache=cache, sources=wflw_sources)
    after = read(cache)
    assert {n: (e.sha256, e.bytes) for n, e in after.items()} == {n: (e.sha256, e.bytes) for n, e in before.items()}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"schema": 1}', '{"schema": 9, "files": {}}', '{"schema": 1, "files": {"a": {"x": 1}}}']
)
def test_a_damaged_lock_file_is_refused(wflw_sources, cache, refused, text) -> None:
    fault = "a damaged lock file" if text == "{" else None
    fetch_it = lambda: fetch("net", cache=cache, sources=wflw_sources, accept_licence=True)  # noqa: E731
    cache.mkdir()
    (cache / LOCK_NAME).write_text(text)
    assert LOCK_NAME in refused(fetch_it, fault=fault)
    assert (cache / LOCK_NAME).read_text() == text


def test_an_unreadable_lock_file_is_refused(wflw_sources, cache, refused):
    (cache / LOCK_NAME).mkdir(parents=True)
    assert "is a folder" in refused(lambda: fetch("net", cache=cache, sources=wflw_sources, accept_licence=True))


def test_two_commands_in_one_cache(wflw_sources, cache, refused) -> None:
    ready, done = threading.Event(), threading.Event()

    def other() -> None:
        with lock_cache(cache):
            ready.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait(10)
    try:
        line = refused(
            lambda: fetch("net", cache=cache, sources=wflw_sources, accept_licence=True),
            fault="two commands in one cache",
        )
    finally:
        done.set()
        thread.join()
    assert "another nmebench command" in line
    assert not (cache / "weights").exists()


def test_a_cache_that_is_a_file(wflw_sources, tmp_path, refused) -> None:
    (tmp_path / "file").write_text("x")
    line = refused(
        lambda: fetch("net", cache=tmp_path / "file", sources=wflw_sources, accept_licence=True),
        fault="a cache that can't be made",
    )
    assert "NMEBENCH_CACHE" in line
