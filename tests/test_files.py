"""Hashes of files, and atomic writes: a reader sees the old file or the new one."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from nmebench.files import atomic_writer, file_sha256, write_atomically


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with the content ``old`` in a folder of its own."""
    path = tmp_path / "folder" / "a.json"
    path.parent.mkdir()
    path.write_text("old")
    return path


def assert_unchanged(file: Path) -> None:
    """The file has its old content and no temporary file is left beside it."""
    assert file.read_text() == "old"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_hash_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"\x00\r\n" * 500_000)
    assert file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(b"")
    assert file_sha256(path) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("data", "content"),
    [
        pytest.param(b"\xff\x00", b"\xff\x00", id="bytes"),
        pytest.param("nme\n3.98 %\u00e9\n", b"nme\n3.98 %\xc3\xa9\n", id="utf-8-with-unix-newlines"),
        pytest.param("name\udcff.jpg", b"name\xff.jpg", id="undecodable-file-name"),
        pytest.param("", b"", id="empty"),
    ],
)
def test_write_replaces_the_content(file: Path, data: bytes | str, content: bytes) -> None:
    write_atomically(file, data)
    assert file.read_bytes() == content
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_write_creates_a_file_that_others_can_read(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new", "x")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o644


def test_readers_see_the_old_file_until_the_block_ends(file: Path) -> None:
    with atomic_writer(file) as target:
        target.write(b"new")
        target.flush()
        assert file.read_text() == "old"
    assert file.read_text() == "new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_error_in_the_block_leaves_the_old_file_and_no_temporary_file(file: Path, error: type[BaseException]) -> None:
    def write_half() -> None:
        with atomic_writer(file) as target:
            target.write(b"half of the new content")
            raise error

    with pytest.raises(error):
        write_half()
    assert_unchanged(file)


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.chmod", "pathlib.Path.replace"])
def test_failed_write_leaves_the_old_file_and_no_temporary_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(call, full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, "new")
    monkeypatch.undo()
    assert_unchanged(file)


def test_text_that_cannot_be_encoded_leaves_the_old_file(file: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "\ud800")
    assert_unchanged(file)


def test_content_reaches_the_disk_before_the_rename(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fsync first, a power failure could leave the new name with empty content."""
    calls = []
    replace = Path.replace

    def record_replace(self: Path, target: Path) -> Path:
        calls.append("replace")
        return replace(self, target)

    monkeypatch.setattr("os.fsync", lambda _: calls.append("fsync"))
    monkeypatch.setattr(Path, "replace", record_replace)
    write_atomically(file, "new")
    assert calls == ["fsync", "replace"]


def test_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "a.json", "new")


def test_a_folder_in_the_way_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    """As root, a rename would replace ``/dev/null`` or ``/dev/stdout`` by a file for every program."""
    write_atomically(Path("/dev/null"), "new")
    assert Path("/dev/null").is_char_device()
    link = tmp_path / "out.html"
    link.symlink_to("/dev/null")
    write_atomically(link, "new")
    assert link.is_symlink()
    with pytest.raises(OSError, match="No space left"):
        write_atomically(Path("/dev/full"), "new")
    assert Path("/dev/full").is_char_device()


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="No such device"):  # nothing reads: this doesn't wait
        write_atomically(pipe, "new")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, "new")
    assert os.read(reader, 100) == b"new"
    os.close(reader)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_longest_name(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("é" * 127), "new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]
