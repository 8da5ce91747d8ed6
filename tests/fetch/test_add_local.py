"""`add` recognises, verifies and installs files that the user downloaded by hand."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from nmebench.fetch import add, fetch
from nmebench.fetch.lockfile import read


@pytest.mark.parametrize("name", ["WFLW_images.tar.gz", "WFLW_images (1).tar.gz", "photos.bin"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_recognises_an_archive_by_name_or_content(wflw_sources, archives, cache, tmp_path, name, kind) -> None:
    path = tmp_path / name
    path.write_bytes(archives.tar(archives.IMAGES) if kind == "tar" else archives.zipped(archives.IMAGES))
    before = path.read_bytes()
    assert add(path, cache=cache, sources=wflw_sources) == cache / "wflw" / "WFLW_images"
    assert (cache / "wflw" / "WFLW_images/2--Event/2_3.jpg").is_file()
    assert path.read_bytes() == before
    assert read(cache)["wflw-images"].origin == "by hand"


def test_recognises_annotations_by_their_files(wflw_sources, archives, cache, tmp_path) -> None:
    path = tmp_path / "download"
    path.write_bytes(archives.tar({k.partition("/")[2]: v for k, v in archives.ANNOTATIONS.items()}))
    assert add(path, cache=cache, sources=wflw_sources) == cache / "wflw" / "WFLW_annotations"


def test_recognises_a_checkpoint_by_its_hash(wflw_sources, cache, tmp_path, weights) -> None:
    path = tmp_path / "renamed.bin"
    path.write_bytes(weights)
    place = add(path, cache=cache, sources=wflw_sources)
    assert place == cache / "weights" / wflw_sources["net"].file
    assert place.read_bytes() == weights
    assert path.exists()
    assert fetch("net", cache=cache, sources=wflw_sources) == place


FAULTS = {
    "an unknown file given to data add": ("notes.txt", b"hello", None, "not recognised"),
    "a checkpoint of another model under its name": ("NET", b"\x80\x02other", None, "from its name"),
    "an added file of 0 bytes": ("NET", b"", None, "0 bytes"),
    "a web page saved as the archive": ("WFLW_images.tar.gz", b"<!DOCTYPE html><html>quota", None, "web page"),
    "a group's name given to data add": ("a.tar.gz", b"x", "wflw", "a group of 2 files"),
}


@pytest.mark.parametrize("fault", [pytest.param(name, id=name.replace(" ", "-")) for name in FAULTS])
def test_refuses(wflw_sources, cache, tmp_path, refused, leftovers, fault) -> None:
    name, data, given, expected = FAULTS[fault]
    path = tmp_path / (wflw_sources["net"].file if name == "NET" else name)
    path.write_bytes(data)
    assert expected in refused(lambda: add(path, name=given, cache=cache, sources=wflw_sources), fault=fault)
    assert leftovers(cache) == set()
    assert path.read_bytes() == data


def test_refuses_a_folder_and_a_missing_file(wflw_sources, cache, tmp_path, refused) -> None:
    assert "wflw:PATH" in refused(
        lambda: add(tmp_path, cache=cache, sources=wflw_sources), fault="a folder given to data add"
    )
    assert "is missing" in refused(
        lambda: add(tmp_path / "none", cache=cache, sources=wflw_sources), fault="a missing file given to data add"
    )


def test_refuses_what_never_ends(wflw_sources, cache, tmp_path, refused) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        line = refused(lambda path=path: add(path, cache=cache, sources=wflw_sources))
        assert line.endswith("is not a regular file")


def test_a_full_disk_leaves_nothing(wflw_sources, cache, tmp_path, refused, monkeypatch, leftovers, weights):
    path = tmp_path / "renamed.bin"
    path.write_bytes(weights)

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(shutil, "copyfile", full)
    assert "No space left" in refused(lambda: add(path, cache=cache, sources=wflw_sources))
    assert leftovers(cache) == set()
