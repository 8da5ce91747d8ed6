"""The structure of JPEG files: their size, their end, and whether their data ends before the picture does.

A decoder fills missing data with grey and reports no error. A file may be cut and still have an end marker, because
some programs append one; :func:`scan_ends` finds such a file.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from typing import Final, NamedTuple

import numpy as np
import PIL.Image
from numpy.typing import NDArray

__all__ = ["DAMAGED", "START", "Jpeg", "may_be_filled", "scan_ends", "structure", "with_end_marker"]

DAMAGED: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""Exceptions of Pillow's parsers for damaged files."""

START: Final = b"\xff\xd8\xff"
"""The first bytes of a JPEG."""
_END = b"\xff\xd9"
#: Entropy-coded data that no encoder wrote: 512 bytes without 0xFF, which starts a marker.
_FOREIGN: Final = bytes(np.random.default_rng(0).integers(0, 255, 512, dtype=np.uint8))
#: The decoder's fill for missing data.
_FILL: Final = 128
# In JPEG's compressed data 0xFF is followed by 0x00 (a stuffed byte), by a restart marker or by fill bytes.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class Jpeg(NamedTuple):
    """The structure of a JPEG."""

    width: int
    height: int
    end: int | None
    """Position of the end-of-image marker; None without one."""
    unusual: bool
    """True when missing data isn't shown as plain grey: several scans, four channels."""
    sent: bool
    """True when the scans cover all coefficients of all channels in full precision."""


def structure(data: bytes) -> Jpeg:
    """Read a JPEG's markers. Thumbnails are inside segments, which are skipped."""
    width = height = 0
    channels: dict[int, list[int]] = {}
    position = 2
    scans = 0
    end = None
    while match := _MARKER.search(data, position):
        marker = match[1][0]
        position = match.end()
        if marker == 0xD9:
            end = match.start()
            break
        if marker == 0x01 or marker == 0xD8:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        segment = data[position + 2 : position + length]
        if marker in _FRAMES and length >= 7 and not width:
            height = int.from_bytes(segment[1:3], "big")
            width = int.from_bytes(segment[3:5], "big")
            channels = {identity: [1] * 64 for identity in segment[6::3]}
        if marker == 0xDA and segment:
            scans += 1
            _record_scan(segment, channels)
        position += max(length, 2)
    sent = bool(channels) and not any(bit for bits in channels.values() for bit in bits)
    return Jpeg(width, height, end, unusual=scans > 1 or len(channels) > 3, sent=sent)


def _record_scan(segment: bytes, channels: dict[int, list[int]]) -> None:
    """Record the lowest bit that a scan sends of each coefficient; 0 is full precision."""
    count = segment[0]
    if len(segment) < 4 + 2 * count:
        return
    first, last, precision = segment[1 + 2 * count : 4 + 2 * count]
    for identity in segment[1 : 1 + 2 * count : 2]:
        if identity in channels:
            for index in range(first, min(last, 63) + 1):
                channels[identity][index] = precision & 15


def with_end_marker(data: bytes, jpeg: Jpeg) -> bytes:
    """Return a JPEG without an end marker with one, or nothing when its picture is incomplete.

    Zeros at the end are no data: some programs pad a file to a multiple of a block.
    """
    scans = data.rstrip(b"\0")
    if scans.endswith(b"\xff"):
        # 0xFF 0x00 is a byte 0xFF of the data; 0xFF alone is the first half of the end marker.
        scans = scans + b"\0" if len(scans) < len(data) else scans[:-1]
    return scans + _END if jpeg.sent and scan_ends(scans) else b""


def may_be_filled(image: NDArray[np.uint8], jpeg: Jpeg) -> bool:
    """Return whether the end of a picture may be the decoder's fill.

    The last pixel is in one of the corners, whatever the EXIF orientation is. In progressive and four-channel files the
    fill has no fixed colour.
    """
    return jpeg.unusual or bool(np.any(np.all(image[[0, 0, -1, -1], [0, -1, 0, -1]] == _FILL, axis=-1)))


def scan_ends(scans: bytes) -> bool:
    """Return whether the last scan of a JPEG holds the data of all its pixels.

    A decoder skips bytes that follow the last pixel's data, so foreign bytes there change the picture only where data
    is missing. Pillow decodes both, because OpenCV prints libjpeg's warnings.

    Args:
        scans: the file up to its end-of-image marker.
    """
    try:
        pictures = []
        for data in (scans + _END, scans + _FOREIGN + _END):
            with PIL.Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
                picture.load()
                pictures.append(picture.tobytes())
    except DAMAGED:
        return False
    return pictures[0] == pictures[1]
