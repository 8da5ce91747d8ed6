"""Mutations of zip and tar archives that know their structure."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from random import Random

from mutations import INTEGERS, NUMBERS, TEXTS, mutate_bytes  # isort: skip

__all__ = ["mutate_tar", "mutate_zip", "write_zip"]


def write_zip(members: Sequence[tuple[str, bytes]], draw: Random) -> bytes:
    """Write a zip archive, sometimes with odd headers."""
    sink = io.BytesIO()
    method = draw.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode().replace("\0", "") or "x")
            info.compress_type = method
            info.external_attr = draw.choice((0, 0, 0, 0o120777 << 16, 0o060000 << 16, 0o040755 << 16, 0o777 << 16))
            info.create_system = draw.choice((0, 3, 3))
            if draw.random() < 0.05:
                info.extra = draw.randbytes(draw.randint(1, 40))
            try:
                archive.writestr(info, content)
            except (ValueError, UnicodeError, struct.error):
                archive.writestr(zipfile.ZipInfo("x"), content)
        if draw.random() < 0.1:
            archive.comment = draw.randbytes(draw.choice((1, 300, 65_000)))
    found = bytearray(sink.getvalue())
    if draw.random() < 0.5:
        # Fields of the central directory: versions, flags, method, checksum, sizes, disk, attributes, offset.
        place = found.find(b"PK\x01\x02")
        for _ in range(draw.randrange(3)):
            place = found.find(b"PK\x01\x02", place + 1) if found.find(b"PK\x01\x02", place + 1) > 0 else place
        offset, width = draw.choice(
            ((4, 2), (6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (34, 2), (42, 4))
        )
        value = draw.choice((*INTEGERS, 9, 12, 14, 93, 95, 97, 99)) & (1 << 8 * width) - 1
        found[place + offset : place + offset + width] = value.to_bytes(width, "little")
        if draw.random() < 0.3:
            end = found.rfind(b"PK\x05\x06")
            offset, width = draw.choice(((4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)))
            found[end + offset : end + offset + width] = (draw.choice(INTEGERS) & (1 << 8 * width) - 1).to_bytes(
                width, "little"
            )
    if draw.random() < 0.1:
        return draw.randbytes(100) + bytes(found)
    return bytes(found)


def mutate_zip(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the members or headers of a zip archive, or its bytes."""
    if draw.random() < 0.3:
        return mutate_bytes(data, seeds, draw)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    place = draw.randrange(len(members))
    name, content = members[place]
    kind = draw.randrange(7)
    if kind == 0:
        members[place] = (draw.choice(TEXTS)[:60_000], content)
    elif kind == 1:
        members.append((draw.choice((name, name.upper(), name + "/", f"{name}/x", name.replace("a", "a\u0301"))), b""))
    elif kind == 2:
        members[place] = (name, mutate_bytes(content or b"x", [content or b"x"], draw))
    elif kind == 3:
        members[place] = (name, b"\0" * draw.choice((0, 2**20, 2**24)))
    elif kind == 4:
        del members[place]
    elif kind == 5:
        members += [(f"many/{index}", b"") for index in range(draw.choice((50, 2000)))]
    return write_zip(members, draw)


def mutate_tar(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the members or headers of a tar archive, or its bytes."""
    packed = data.startswith(b"\x1f\x8b")
    plain = zlib.decompress(data, 31) if packed else data
    if draw.random() < 0.4:
        found = bytearray(plain)
        blocks = len(found) // 512
        place = 512 * draw.randrange(max(1, blocks))
        offset, width = draw.choice(
            ((0, 100), (100, 8), (124, 12), (136, 12), (148, 8), (156, 1), (157, 100), (257, 8), (345, 155))
        )
        value = draw.choice(
            (b"", b"\xff" * 12, b"7" * 12, b"-1", b"\x80" + b"\0" * 10 + b"\xff", b"../../x", b"/x", b"a" * 155)
        )
        found[place + offset : place + offset + width] = value[:width].ljust(width, b"\0")
        if draw.random() < 0.7 and offset != 148:
            found[place + 148 : place + 156] = b" " * 8
            total = sum(found[place : place + 512])
            found[place + 148 : place + 156] = b"%06o\0 " % total
        changed = bytes(found)
    elif draw.random() < 0.3:
        changed = mutate_bytes(plain, seeds, draw)
    else:
        sink = io.BytesIO()
        form = draw.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
        with tarfile.open(fileobj=sink, mode="w", format=form, errors="surrogateescape") as archive:
            for _ in range(draw.choice((0, 1, 3, 300))):
                info = tarfile.TarInfo(
                    draw.choice(("a/b.txt", "a", "A", "a/B.TXT", f"d/{draw.random()}", *TEXTS))[:5000]
                )
                info.type = draw.choice(
                    (b"0", b"0", b"0", b"5", b"1", b"2", b"3", b"6", b"7", b"S", b"x", b"g", b"L", b"\0")
                )
                info.size = draw.choice((0, 5, 512))
                if draw.random() < 0.2:
                    info.pax_headers = {
                        draw.choice(("path", "size", "GNU.sparse.size", "GNU.sparse.map", "hdrcharset")): draw.choice(
                            NUMBERS
                        )[:100]
                    }
                try:
                    archive.addfile(info, io.BytesIO(b"x" * info.size))
                except (ValueError, UnicodeError, OSError):
                    continue
        changed = sink.getvalue()
    if not packed:
        return changed
    again = zlib.compressobj(1, zlib.DEFLATED, 31)
    found_bytes = again.compress(changed) + again.flush()
    return mutate_bytes(found_bytes, seeds, draw) if draw.random() < 0.2 else found_bytes
