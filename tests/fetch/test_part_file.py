"""Received bytes are kept and continued only if they belong to the same version of the file."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from download_thing import DATA, fetch_bytes


def test_a_complete_part_file_needs_no_download(server, responses, source, cache, policy) -> None:
    url = server.on("/thing", responses.serve(DATA))
    part = cache / "downloads" / "thing.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA)
    part.with_name("thing.bin.part.json").write_text(
        json.dumps({"address": url, "validator": '"v1"', "total": len(DATA)})
    )
    assert fetch_bytes(source(url), cache, policy) == DATA
    assert server.asked("/thing")[0]["Range"] == f"bytes={len(DATA)}-"


def test_a_part_file_longer_than_the_file_is_discarded(server, responses, source, cache, policy) -> None:
    url = server.on("/thing", responses.serve(DATA))
    part = cache / "downloads" / "thing.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA + b"more")
    part.with_name("thing.bin.part.json").write_text(json.dumps({"address": url, "validator": '"v1"', "total": 5}))
    assert fetch_bytes(source(url), cache, policy) == DATA


@pytest.mark.parametrize(
    "damage", ["{", '{"address": 1}', '{"address": "http://elsewhere/", "validator": "x", "total": 1}']
)
def test_a_part_file_of_unknown_origin_is_not_resumed(server, responses, source, cache, policy, damage) -> None:
    part = cache / "downloads" / "thing.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 100)
    part.with_name("thing.bin.part.json").write_text(damage)
    assert fetch_bytes(source(server.on("/thing", responses.serve(DATA))), cache, policy) == DATA
    assert "Range" not in server.asked("/thing")[0]


def test_received_bytes_are_kept_for_the_next_command(server, responses, source, cache, policy, refused) -> None:
    sources = source(server.on("/thing", responses.serve(DATA, cut_at=9000), responses.status(503)))
    assert "bytes are kept" in refused(lambda: fetch_bytes(sources, cache, policy))
    server.on("/thing", responses.serve(DATA))
    assert fetch_bytes(sources, cache, policy) == DATA
    assert int(server.asked("/thing")[-1]["Range"].removeprefix("bytes=").rstrip("-")) > 0


def test_an_interrupt_keeps_the_received_bytes(server, responses, source, cache, policy, leftovers) -> None:
    sources = source(server.on("/thing", responses.serve(DATA)))

    def stop(file: str, done: int, total: int) -> None:
        if done > 5000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_bytes(sources, cache, policy, progress=stop)
    assert leftovers(cache) == {"downloads/thing.bin.part", "downloads/thing.bin.part.json"}
    assert fetch_bytes(sources, cache, policy) == DATA
    assert leftovers(cache) == {"weights/thing.bin", "nmebench.lock.json"}


def test_a_disk_that_fills_up_keeps_the_received_bytes(server, responses, source, cache, policy, refused, monkeypatch):
    sources = source(server.on("/thing", responses.serve(DATA)))
    original_open = Path.open

    class Full:
        def __init__(self, file):
            self._file = file
            self.room = 5000

        def write(self, data):
            if self.room < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.room -= len(data)
            return self._file.write(data)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self._file.close()
            if self.room < 1024:  # a buffered file tries once more
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def __getattr__(self, name):
            return getattr(self._file, name)

    def opened(self, mode="r", *args, **kwargs):
        file = original_open(self, mode, *args, **kwargs)
        return Full(file) if self.suffix == ".part" and "b" in mode and mode != "rb" else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        line = refused(lambda: fetch_bytes(sources, cache, policy))
    assert "No space left on device" in line
    assert "are kept" in line
    assert (cache / "downloads" / "thing.bin.part").stat().st_size > 0
    assert fetch_bytes(sources, cache, policy) == DATA
