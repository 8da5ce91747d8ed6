"""Bounded reads of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError


def test_files_up_to_the_limit_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"12345")
    assert read_bounded(file, 5) == b"12345"
    with pytest.raises(InputError, match=r"^image \S+a\.bin has 5 bytes: up to 4 are read$"):
        read_bounded(file, 4, kind="image")


def test_missing_files_folders_and_bad_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.bin is missing"):
        read_bounded(tmp_path / "a.bin", 5)
    with pytest.raises(InputError, match="is a folder"):
        read_bounded(tmp_path, 5)
    with pytest.raises(InputError, match="can't be read: embedded null"):
        read_bounded(tmp_path / "a\0b", 5)
    with pytest.raises(InputError, match="can't be read: File name too long"):
        read_bounded(tmp_path / ("n" * 300), 5)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes don't exist here")
def test_named_pipes_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a regular file"):
        read_bounded(tmp_path / "pipe", 5)
