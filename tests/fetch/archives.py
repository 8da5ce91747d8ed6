"""Archives for tests: small ones with WFLW's layout, and damaged or malicious ones."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping


def tar(
    files: Mapping[str, bytes], *, extra: tuple[tarfile.TarInfo, ...] = (), compressed: bool = True, end: bool = True
) -> bytes:
    """Return a tar of plain files followed by the ``extra`` members; always the same bytes."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info, io.BytesIO(bytes(info.size)) if info.size else None)
        stop = archive.offset
    data = sink.getvalue() if end else sink.getvalue()[:stop]
    return gzip.compress(data, mtime=0) if compressed else data


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def zipped(files: Mapping[str, bytes], *, extra: tuple[tuple[zipfile.ZipInfo, bytes], ...] = ()) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        for info, data in extra:
            archive.writestr(info, data)
    return sink.getvalue()


def zip_with_wrong_size(size: int) -> bytes:
    """Return a zip whose directory states one byte for its only member, which has ``size`` zeros."""
    data = bytearray(zipped({"a.bin": bytes(size)}))
    directory = data.index(b"PK\x01\x02")
    struct.pack_into("<I", data, directory + 24, 1)
    struct.pack_into("<I", data, data.index(b"PK\x03\x04") + 22, 1)
    return bytes(data)


ANNOTATIONS = {
    "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt": b"1 2 3\n" * 40,
    "WFLW_annotations/list_98pt_rect_attr_train_test/README": b"x0 y0\n",
    "WFLW_annotations/list_98pt_test/list_98pt_test.txt": b"1 2\n",
}
IMAGES = {
    f"WFLW_images/{i}--Event/{i}_{j}.jpg": b"\xff\xd8" + bytes((i * 31 + j * 7 + k) % 251 for k in range(3000))
    for i in range(3)
    for j in range(4)
}
