"""Mutations of pictures that know the chunks of PNGs and the segments of JPEGs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from random import Random

from mutations import mutate_bytes  # isort: skip

__all__ = ["mutate_picture"]


def mutate_picture(data: bytes, seeds: Sequence[bytes], draw: Random) -> bytes:
    """Change the chunks of a PNG with correct check sums, the segments of a JPEG, or any bytes."""
    if data.startswith(b"\x89PNG") and draw.random() < 0.6:
        chunks, place = [], 8
        while place + 12 <= len(data):
            size = int.from_bytes(data[place : place + 4], "big")
            chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
            place += 12 + size
        index = draw.randrange(len(chunks))
        name, body = chunks[index]
        kind = draw.randrange(6)
        if kind <= 2:
            chunks[index] = (name, mutate_bytes(body or b"\0", [body or b"\0"], draw))
        elif kind == 3:
            chunks.insert(index, chunks[index])
        elif kind == 4:
            chunks.insert(
                draw.randrange(1, len(chunks) + 1),
                (
                    draw.choice(
                        (b"PLTE", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"gAMA", b"zTXt", b"sBIT")
                    ),
                    draw.randbytes(draw.choice((0, 1, 4, 26, 768))),
                ),
            )
        else:
            del chunks[index]
        return data[:8] + b"".join(
            len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")
            for name, body in chunks
        )
    if data.startswith(b"\xff\xd8") and draw.random() < 0.4:
        found = bytearray(data)
        places = [p for p in range(2, min(len(data) - 20, 1000)) if data[p] == 0xFF and data[p + 1] not in (0, 0xFF)]
        place = draw.choice(places or [2])
        offset = draw.randint(1, 19)
        found[place + offset] = draw.choice(
            (0, 1, 3, 4, 8, 12, 16, 0x11, 0x22, 0x44, 0xC0, 0xC1, 0xC2, 0xC9, 0xCA, 0xD9, 0xFF)
        )
        return bytes(found)
    return mutate_bytes(data, seeds, draw)
