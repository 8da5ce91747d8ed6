"""Bounded reads of npz and npy files."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmebench.datasets.readers import arrays
from nmebench.datasets.readers.arrays import NpzArchive, read_npy
from nmebench.errors import InputError


def npz(save: Any = np.savez) -> bytes:
    stream = io.BytesIO()
    save(stream, landmarks=np.arange(12.0).reshape(2, 3, 2), images=np.array(["a.jpg", "b.jpg"]))
    return stream.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.npz").write_bytes(npz())
    return tmp_path / "a.npz"


def test_arrays_are_read_by_name(file: Path) -> None:
    archive = NpzArchive(file)
    assert archive.names == ("landmarks", "images")
    np.testing.assert_array_equal(archive.read("landmarks"), np.arange(12.0).reshape(2, 3, 2))
    assert archive.read("images").tolist() == ["a.jpg", "b.jpg"]
    assert (archive.hash.name, archive.hash.bytes) == ("a.npz", file.stat().st_size)
    with pytest.raises(InputError, match=r"no array 'points' \(found: landmarks, images\); name one with ::NAME"):
        archive.read("points")


def test_npy_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    assert read_npy(tmp_path / "a.npy").tolist() == [0, 1, 2]


def test_archive_of_unknown_zip_version_is_refused(file: Path) -> None:
    """Found by fuzzing: a zip that needs version 21.6 of the format."""
    data = bytearray(file.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 216
    file.write_bytes(bytes(data))
    with pytest.raises(InputError, match="is not an npz archive that can be read"):
        NpzArchive(file)


def test_archive_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", image=np.array(["0" * 10000] * 5))
    monkeypatch.setattr(arrays, "MAX_BYTES", 100_000)
    with pytest.raises(InputError, match="unpacks to more than 100,000 bytes"):
        NpzArchive(tmp_path / "a.npz")
    monkeypatch.setattr(arrays, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="up to 100 are read"):
        NpzArchive(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", np.zeros(100))
    with pytest.raises(InputError, match="up to 100 are read"):
        read_npy(tmp_path / "a.npy")


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    class Planted:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    planted = np.array([Planted()], dtype=object)
    np.save(tmp_path / "a.npy", planted)
    np.savez(tmp_path / "a.npz", landmarks=planted)
    with pytest.raises(InputError, match="Object arrays cannot be loaded"):
        read_npy(tmp_path / "a.npy")
    with pytest.raises(InputError, match="Object arrays cannot be loaded"):
        NpzArchive(tmp_path / "a.npz").read("landmarks")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])
@settings(max_examples=150, deadline=None)
@given(
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.floats(0, 1) | st.just(1.0),
)
def test_damaged_archives_give_arrays_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, save: Any, places: list[tuple[float, int]], cut: float
) -> None:
    data = bytearray(npz(save))
    for place, value in places:
        data[int(place * len(data))] = value
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(bytes(data[: int(cut * len(data))]))
    message = "x"
    try:
        archive = NpzArchive(path)
        for name in archive.names:
            archive.read(name)
    except InputError as error:
        message = str(error)
    assert message.isprintable()


@pytest.mark.parametrize("shape", ["(100000000000,)", "(4294967296, 4294967296)", "(-1, 98, 2)", "(3, 98, 2)"])
@pytest.mark.parametrize("packed", [False, True], ids=["npy", "npz"])
def test_header_that_claims_more_than_the_file_has(tmp_path: Path, shape: str, packed: bool) -> None:
    """NumPy reserves the memory of the claimed array first."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(2 * 98 * 2 * 8)
    if packed:
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("landmarks.npy", data)
        with pytest.raises(InputError, match="its header claims"):
            NpzArchive(tmp_path / "a.npz").read("landmarks")
    else:
        (tmp_path / "a.npy").write_bytes(data)
        with pytest.raises(InputError, match="its header claims"):
            read_npy(tmp_path / "a.npy")


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_header_is_read(tmp_path: Path, version: tuple[int, int]) -> None:
    array = np.asfortranarray(np.arange(12.0).reshape(2, 3, 2))
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, array, version)
    assert np.array_equal(read_npy(tmp_path / "a.npy"), array)


def test_too_little_memory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    np.save(tmp_path / "a.npy", np.zeros(3))
    np.savez(tmp_path / "a.npz", landmarks=np.zeros(3))
    monkeypatch.setattr(np.lib.format, "read_array", fail)
    for read in (lambda: read_npy(tmp_path / "a.npy"), lambda: NpzArchive(tmp_path / "a.npz").read("landmarks")):
        with pytest.raises(InputError, match="can't be read: not enough memory"):
            read()
