"""Unpacking writes every file or nothing, and nothing outside the target."""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nmebench.errors import InputError
from nmebench.fetch.archive import MARKER, list_files, read_origin, unpack
from nmebench.fetch.archive_members import archive_kind

BOUNDS = {"max_bytes": 1_000_000, "max_files": 50}


def write(folder: Path, data: bytes, name: str = "a.tar.gz") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != MARKER}


def is_clean(tmp_path: Path) -> bool:
    """Return whether the archive is the only file: nothing was written outside, nothing was left over."""
    return sorted(p.name for p in tmp_path.rglob("*")) == ["a.tar.gz"]


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_unpacks_all_files_and_records_the_archive(tmp_path: Path, archives: ModuleType, kind: str) -> None:
    data = archives.zipped(archives.IMAGES) if kind == "zip" else archives.tar(archives.IMAGES, compressed="gz" in kind)
    archive = write(tmp_path, data)
    assert archive_kind(archive) == kind
    target = unpack(archive, tmp_path / "out", top="WFLW_images", expects=["*/*.jpg"], **BOUNDS)
    assert tree(target) == {name.removeprefix("WFLW_images/"): data for name, data in archives.IMAGES.items()}
    origin = read_origin(target)
    assert origin is not None
    assert origin.packed == len(data)
    assert list_files(archive)[0].startswith("WFLW_images/")
    # The second call keeps the folder unchanged.
    (target / "0--Event" / "0_0.jpg").write_bytes(b"mine")
    assert unpack(archive, target, **BOUNDS) == target
    assert (target / "0--Event" / "0_0.jpg").read_bytes() == b"mine"


def test_skips_files_that_macos_adds_and_resets_modes(tmp_path: Path, archives: ModuleType) -> None:
    info = archives.member("WFLW_images/0--Event/b.jpg")
    info.mode = 0o6777
    data = archives.tar(
        {"./WFLW_images/0--Event/a.jpg": b"x", "__MACOSX/._a": b"j", "WFLW_images/._a": b"j"}, extra=(info,)
    )
    out = unpack(write(tmp_path, data), tmp_path / "out", top="WFLW_images", **BOUNDS)
    assert set(tree(out)) == {"0--Event/a.jpg", "0--Event/b.jpg"}
    assert stat.S_IMODE((out / "0--Event/b.jpg").stat().st_mode) == 0o644


def _zip_link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def _sparse() -> tarfile.TarInfo:
    info = tarfile.TarInfo("sparse")
    info.type = tarfile.GNUTYPE_SPARSE
    return info


BAD = {
    "a tar with ../": (lambda a: a.tar({"ok.txt": b"1", "../evil.txt": b"2"}), "outside the target"),
    "a tar with ../ in the middle": (lambda a: a.tar({"a/b/../../../evil.txt": b"2"}), "outside the target"),
    "a tar with an absolute path": (lambda a: a.tar({"/tmp/evil.txt": b"2"}), "outside the target"),
    "a tar with a symbolic link": (
        lambda a: a.tar({}, extra=(a.member("l", tarfile.SYMTYPE, "/etc"),)), "link or a device"),
    "a tar with a hard link": (
        lambda a: a.tar({"f": b"1"}, extra=(a.member("l", tarfile.LNKTYPE, "../../etc/passwd"),)), "link or a device"),
    "a tar with a device": (lambda a: a.tar({}, extra=(a.member("d", tarfile.CHRTYPE),)), "link or a device"),
    "a tar with a pipe": (lambda a: a.tar({}, extra=(a.member("d", tarfile.FIFOTYPE),)), "link or a device"),
    "a tar with a file twice": (lambda a: a.tar({"A/x.jpg": b"1", "a/X.JPG": b"2"}), "twice"),
    "a tar with a file that is a folder": (lambda a: a.tar({"a": b"1", "a/b": b"2"}), "twice"),
    "a tar with the Unicode form changed": (lambda a: a.tar({"é": b"1", "e\u0301": b"2"}), "twice"),
    "a zip with ../": (lambda a: a.zipped({"../evil.txt": b"2"}), "outside the target"),
    "a zip with an absolute path": (lambda a: a.zipped({"/evil.txt": b"2"}), "outside the target"),
    "a zip with a drive letter": (lambda a: a.zipped({"C:/evil.txt": b"2"}), "outside the target"),
    "a zip with backslashes": (lambda a: a.zipped({"..\\evil.txt": b"2"}), "outside the target"),
    "a zip with a symbolic link": (lambda a: a.zipped({}, extra=((_zip_link(), b"/etc"),)), "link or a device"),
    "a zip bomb": (lambda a: a.zipped({"zeros": bytes(50_000_000)}), "more than 1000000 bytes"),
    "a zip bomb that states a small size": (lambda a: a.zip_with_wrong_size(50_000_000), ""),
    "a tar.gz bomb": (lambda a: a.tar({"zeros": bytes(50_000_000)}), "bytes"),
    "an archive of too many files": (lambda a: a.tar({f"f{i}": b"" for i in range(60)}), "more than 50 members"),
    "a truncated tar.gz": (lambda a: a.tar(a.IMAGES)[:-400], "damaged or cut short"),
    "a truncated zip": (lambda a: a.zipped(a.IMAGES)[:-400], "damaged or cut short"),
    "a tar without its end": (lambda a: a.tar(a.IMAGES, compressed=False, end=False), "no end mark"),
    "a tar.gz with a wrong checksum": (lambda a: a.tar(a.IMAGES)[:-8] + b"\0" * 8, "damaged or cut short"),
    "a file that is not an archive": (lambda a: b"<html>sign in</html>", "not an archive"),
    "an archive of 0 bytes": (lambda a: b"", "not an archive"),
}  # fmt: skip


@pytest.mark.parametrize("fault", [pytest.param(name, id=name.replace(" ", "-").replace("/", "")) for name in BAD])
def test_refuses_bad_archives(tmp_path: Path, archives: ModuleType, refused: Callable[..., str], fault: str) -> None:
    make, expected = BAD[fault]
    archive = write(tmp_path, make(archives))
    line = refused(lambda: unpack(archive, tmp_path / "out", **BOUNDS), fault=fault)
    assert expected in line
    assert is_clean(tmp_path)


def test_refuses_an_archive_without_the_expected_files(
    tmp_path: Path, archives: ModuleType, refused: Callable[..., str]
) -> None:
    archive = write(tmp_path, archives.tar({"notes.txt": b"1"}))
    line = refused(
        lambda: unpack(archive, tmp_path / "out", expects=["*/*.jpg"], **BOUNDS), fault="another archive than expected"
    )
    assert "contains no */*.jpg" in line
    assert is_clean(tmp_path)


def test_keeps_an_existing_folder(tmp_path: Path, archives: ModuleType, refused: Callable[..., str]) -> None:
    archive = write(tmp_path, archives.tar({"a.txt": b"1"}))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert "already exists" in refused(lambda: unpack(archive, tmp_path / "out", **BOUNDS))
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_refuses_a_huge_extended_header(tmp_path: Path, refused: Callable[..., str]) -> None:
    header = tarfile.TarInfo("PaxHeaders/x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    sink = io.BytesIO()
    with gzip.GzipFile(fileobj=sink, mode="wb", mtime=0) as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(1 << 20))
    archive = write(tmp_path, sink.getvalue())
    assert "header of" in refused(lambda: unpack(archive, tmp_path / "out", **BOUNDS), fault="a tar with a huge header")


def test_refuses_a_damaged_header_in_the_middle(
    tmp_path: Path, archives: ModuleType, refused: Callable[..., str]
) -> None:
    data = bytearray(archives.tar({"a": b"1" * 512, "b": b"2" * 512}, compressed=False))
    data[1024 + 148 : 1024 + 156] = b"0000000\0"  # b's header checksum
    archive = write(tmp_path, bytes(data))
    assert "no end mark" in refused(lambda: unpack(archive, tmp_path / "out", **BOUNDS))


def test_an_interrupt_leaves_nothing_and_unpacking_can_be_repeated(
    tmp_path: Path, archives: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write(tmp_path, archives.tar(archives.IMAGES))
    original_open = Path.open

    def interrupted(self: Path, *args: object, **kwargs: object) -> object:
        if self.name == "1_2.jpg":
            raise KeyboardInterrupt
        return original_open(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", interrupted)
        with pytest.raises(KeyboardInterrupt):
            unpack(archive, tmp_path / "out", **BOUNDS)
    assert is_clean(tmp_path)
    (tmp_path / ".out.unpack-killed").mkdir()  # what kill -9 leaves
    assert len(tree(unpack(archive, tmp_path / "out", **BOUNDS))) == len(archives.IMAGES)
    assert not (tmp_path / ".out.unpack-killed").exists()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, archives: ModuleType, data: st.DataObject
) -> None:
    """Change or cut bytes anywhere: the result is a one-line error or files inside the target."""
    folder = tmp_path_factory.mktemp("damage")
    kind = data.draw(st.sampled_from(["tar", "tar.gz", "zip"]))
    files = {"a/b.txt": b"hello" * 100, "c.txt": b"world"}
    good = bytearray(archives.zipped(files) if kind == "zip" else archives.tar(files, compressed=kind == "tar.gz"))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    archive = write(folder, bytes(good[: data.draw(st.integers(0, len(good)))]))
    message = None
    try:
        unpack(archive, folder / "out", **BOUNDS)
    except InputError as error:
        message = str(error)
    assert (folder / "out").exists() == (message is None)
    assert message is None or ("\n" not in message and is_clean(folder))
    assert {p.name for p in folder.iterdir()} <= {"a.tar.gz", "out"}


def test_a_full_disk_leaves_nothing(
    tmp_path: Path, archives: ModuleType, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write(tmp_path, archives.tar(archives.IMAGES))
    original_open = Path.open

    def full(self: Path, *args: object, **kwargs: object) -> object:
        if self.name == "1_2.jpg":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return original_open(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        line = refused(lambda: unpack(archive, tmp_path / "out", **BOUNDS))
    assert "No space left on device" in line
    assert is_clean(tmp_path)


def test_refuses_an_encrypted_zip(tmp_path: Path, archives: ModuleType, refused: Callable[..., str]) -> None:
    data = bytearray(archives.zipped({"a.txt": b"1"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive = write(tmp_path, bytes(data))
    line = refused(lambda: unpack(archive, tmp_path / "out", **BOUNDS), fault="an encrypted zip")
    assert "encrypted" in line
    assert is_clean(tmp_path)


def test_refuses_a_tar_member_of_a_huge_stated_size(
    tmp_path: Path, archives: ModuleType, refused: Callable[..., str]
) -> None:
    """The header states 8 GB and little follows."""
    header = tarfile.TarInfo("a.bin")
    header.size = 1 << 33
    archive = write(tmp_path, gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096), mtime=0))
    assert "a.tar.gz" in refused(lambda: unpack(archive, tmp_path / "out", **BOUNDS))
    assert is_clean(tmp_path)


def test_refuses_endless_padding(tmp_path: Path, archives: ModuleType, refused: Callable[..., str]) -> None:
    data = gzip.decompress(archives.tar({"a.txt": b"1"})) + bytes(100_000_000)
    archive = write(tmp_path, gzip.compress(data, mtime=0))
    line = refused(lambda: unpack(archive, tmp_path / "out", **BOUNDS), fault="a tar with endless padding")
    assert "bytes" in line
    assert is_clean(tmp_path)


@pytest.mark.parametrize("name", ["./", "a//b", "a/./b"])
def test_accepts_unusual_harmless_names(tmp_path: Path, archives: ModuleType, name: str) -> None:
    out = unpack(
        write(tmp_path, archives.tar({"x/y": b"1"}, extra=(archives.member(name),))), tmp_path / "out", **BOUNDS
    )
    assert (out / "x" / "y").read_bytes() == b"1"


def test_list_files_stops_at_damage(tmp_path: Path, archives: ModuleType) -> None:
    data = archives.tar(archives.IMAGES, compressed=False)
    assert list_files(write(tmp_path, data), count=5) == sorted(archives.IMAGES)[:5]
    assert list_files(write(tmp_path, data[: len(data) // 2]))[0] == sorted(archives.IMAGES)[0]
    assert list_files(write(tmp_path, b"")) == []


def test_refuses_a_zip_with_another_compression(
    tmp_path: Path, archives: ModuleType, refused: Callable[..., str]
) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("a.txt", b"1")
    archive = write(tmp_path, sink.getvalue())
    assert "method 14" in refused(lambda: unpack(archive, tmp_path / "out", **BOUNDS))
    assert is_clean(tmp_path)


def test_refuses_a_tar_member_of_a_negative_size(
    tmp_path: Path, archives: ModuleType, refused: Callable[..., str]
) -> None:
    """`tarfile` may read such a header again and again (CVE-2025-8194)."""
    header = tarfile.TarInfo("a.bin")
    header.size = -512
    data = archives.tar({"b": b"1"}, compressed=False, end=False)
    archive = write(tmp_path, data + header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    assert "a negative size" in refused(lambda: unpack(archive, tmp_path / "out", **BOUNDS))
    assert is_clean(tmp_path)
