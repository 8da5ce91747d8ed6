"""The structure of image files, from bytes made by hand: markers, scans, chunks, and the names of other formats."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from nmebench.errors import InputError
from nmebench.geometry import images, jpeg
from nmebench.geometry.images import _other_format


def segment(marker: int, content: bytes = b"") -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def frame(height: int, width: int, channels: bytes, marker: int = 0xC0) -> bytes:
    content = struct.pack(">BHHB", 8, height, width, len(channels))
    return segment(marker, content + b"".join(bytes([channel, 0x11, 0]) for channel in channels))


def scan(channels: bytes, first: int = 0, last: int = 63, precision: int = 0, data: bytes = b"\x01\x02") -> bytes:
    header = bytes([len(channels)]) + b"".join(bytes([channel, 0]) for channel in channels)
    return segment(0xDA, header + bytes([first, last, precision])) + data


START, END = b"\xff\xd8", b"\xff\xd9"

# JPEG ----------------------------------------------------------------------------------------------------------------


GREY, SCAN = frame(3, 5, b"\x01"), scan(b"\x01")
RGB, CMYK = b"\x01\x02\x03", b"\x01\x02\x03\x04"
THUMBNAIL = segment(0xE1, START + frame(9, 9, b"\x01") + END)
NORMAL = (5, 3, False, True)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param((frame(300, 515, b"\x01"), SCAN), (515, 300, False, True), id="grey"),
        pytest.param((frame(300, 515, RGB), scan(RGB)), (515, 300, False, True), id="colour"),
        pytest.param((frame(3, 5, CMYK), scan(CMYK)), (5, 3, True, True), id="four-channels"),
        pytest.param((GREY, SCAN, SCAN), (5, 3, True, True), id="two-scans"),
        pytest.param((frame(3, 5, b"\x01\x02"), SCAN), (5, 3, False, False), id="a-channel-is-missing"),
        pytest.param((GREY, scan(b"\x01", last=62)), (5, 3, False, False), id="a-coefficient-is-missing"),
        pytest.param((GREY, scan(b"\x01", first=1)), (5, 3, False, False), id="the-first-is-missing"),
        pytest.param((GREY, scan(b"\x01", last=0), scan(b"\x01", first=1)), (5, 3, True, True), id="in-two-scans"),
        pytest.param((GREY, scan(b"\x01", precision=0x01)), (5, 3, False, False), id="a-bit-is-missing"),
        pytest.param((GREY, scan(b"\x01", precision=0x10)), NORMAL, id="high-bits-are-the-previous-precision"),
        pytest.param((GREY, scan(b"\x01", last=200)), NORMAL, id="coefficients-beyond-63"),
        pytest.param((GREY, scan(b"\x01\x09")), NORMAL, id="unknown-channel"),
        pytest.param((GREY,), (5, 3, False, False), id="no-scan"),
        pytest.param((frame(3, 5, b""), scan(b"")), (5, 3, False, False), id="no-channels"),
        pytest.param((GREY, frame(7, 9, b"\x02"), SCAN), NORMAL, id="the-first-frame-counts"),
        pytest.param((b"\xff\xd8\xff\x01", GREY, SCAN), NORMAL, id="markers-without-length"),
        pytest.param((b"\xff\xff\xff", GREY, SCAN), NORMAL, id="fill-bytes"),
        pytest.param((GREY, SCAN + b"\xff\x00\xff\xd0\xff\xd7\x05"), NORMAL, id="stuffed-bytes-and-restarts"),
        pytest.param((THUMBNAIL, GREY, SCAN), NORMAL, id="thumbnail"),
        pytest.param((segment(0xC0, b"\x08\x00\x09"), GREY, SCAN), NORMAL, id="short-frame"),
        pytest.param((segment(0xDA), GREY, SCAN), NORMAL, id="empty-scan"),
        pytest.param((b"\xff\xfe\x00\x00", GREY, SCAN), NORMAL, id="length-of-zero"),
    ],
)
def test_markers_of_a_jpeg(parts: tuple[bytes, ...], expected: tuple[int, int, bool, bool]) -> None:
    data = START + b"".join(parts)
    for end in (END, b""):
        found = jpeg.structure(data + end)
        assert (found.width, found.height, found.unusual, found.sent) == expected
        assert found.end == (len(data) if end else None)


@pytest.mark.parametrize("marker", range(0xC0, 0xD0))
def test_frames_of_every_kind(marker: int) -> None:
    """Huffman and arithmetic tables and the reserved marker are no frames."""
    found = jpeg.structure(START + frame(3, 5, b"\x01", marker) + END)
    assert (found.width, found.height) == ((0, 0) if marker in (0xC4, 0xC8, 0xCC) else (5, 3))


@pytest.mark.parametrize("marker", [0xBF, 0xDB, 0xDD, 0xE0, 0xFE])
def test_other_segments_are_no_frames(marker: int) -> None:
    assert jpeg.structure(START + frame(3, 5, b"\x01", marker) + END).width == 0


def test_frame_of_seven_bytes_has_a_size() -> None:
    found = jpeg.structure(START + segment(0xC0, struct.pack(">BHH", 8, 3, 5)) + END)
    assert (found.width, found.height, found.sent) == (5, 3, False)
    assert jpeg.structure(START + segment(0xC0, struct.pack(">BHB", 8, 3, 5)) + END).width == 0


def test_end_marker_is_the_first_outside_of_segments() -> None:
    data = START + segment(0xFE, END) + b"\x05" + END + b"\x05" + END
    assert jpeg.structure(data).end == len(data) - 5


def test_scans_that_are_cut_short_are_ignored() -> None:
    channels = {1: [1] * 64, 2: [1] * 64}
    jpeg._record_scan(bytes([2, 1, 0, 2, 0, 0, 63]), channels)
    assert channels == {1: [1] * 64, 2: [1] * 64}
    jpeg._record_scan(bytes([2, 1, 0, 2, 0, 3, 5, 0x24]), channels)
    expected = [4 if 3 <= index <= 5 else 1 for index in range(64)]
    assert channels == {1: expected, 2: expected}
    jpeg._record_scan(bytes([1, 2, 1, 0, 63, 0x0F]), channels)
    assert channels == {1: expected, 2: [15] * 64}


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
@pytest.mark.parametrize("value", [127, 128, 129])
def test_grey_in_a_corner_may_be_fill(corner: tuple[int, int], value: int) -> None:
    plain = jpeg.Jpeg(5, 4, 9, unusual=False, sent=True)
    image = np.zeros((4, 5, 3), np.uint8)
    assert not jpeg.may_be_filled(image, plain)
    image[corner] = value
    assert jpeg.may_be_filled(image, plain) is (value == 128)
    image[corner][1] = 0
    assert not jpeg.may_be_filled(image, plain), "all three channels are grey"
    assert jpeg.may_be_filled(image, plain._replace(unusual=True))


def test_grey_elsewhere_is_no_fill() -> None:
    image = np.full((4, 5, 3), 128, np.uint8)
    image[[0, 0, -1, -1], [0, -1, 0, -1]] = 5
    assert not jpeg.may_be_filled(image, jpeg.Jpeg(5, 4, 9, unusual=False, sent=True))


# PNG -----------------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD = chunk(b"IHDR", struct.pack(">IIBBBBB", 0x01020304, 0x0A0B0C0D, 8, 2, 0, 0, 0))
DATA, LAST = chunk(b"IDAT", b"\x01\x02"), chunk(b"IEND")
WHOLE = SIGNATURE + HEAD + DATA + LAST


def test_chunks_of_a_png() -> None:
    size = (0x01020304, 0x0A0B0C0D)
    assert images.header(WHOLE) == (*size, True)
    assert images.header(WHOLE + b"more") == (*size, True)
    assert images.header(SIGNATURE + HEAD + chunk(b"tEXt", b"a" * 300) + DATA + LAST) == (*size, True)
    for cut in range(len(SIGNATURE + HEAD), len(WHOLE)):
        assert images.header(WHOLE[:cut]) == (*size, False), cut


@pytest.mark.parametrize("place", range(len(SIGNATURE) + 8, len(WHOLE)))
def test_every_byte_of_a_png_is_checked(place: int) -> None:
    """Also the bytes of a length: the check sum is then sought elsewhere, or beyond the end of the file."""
    data = bytearray(WHOLE)
    data[place] ^= 0x01
    message, complete = "", False
    try:
        complete = images.header(bytes(data)).complete
    except InputError as error:
        message = str(error)
    assert not complete
    assert message == "" or "damaged PNG" in message


@pytest.mark.parametrize("chunks", [LAST, HEAD + LAST, DATA + LAST])
def test_png_without_a_picture(chunks: bytes) -> None:
    with pytest.raises(InputError, match="it holds no picture"):
        images.header(SIGNATURE + chunks, name="x.png")


# Other formats, sizes and limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\0\0\0\x1cftypavis", "AVIF"),
        (b"\0\0\0\x1cftypheix", "HEIC"),
        (b"\0\0\0\x1cftypmif1", "HEIF"),
        (b"\0\0\0\x1cftypmp42", "HEIF or video"),
        (b"P6\n1 1", "PNM"),
        (b"Pf 1", "PNM"),
        (b"P7\t1", "PNM"),
        (b"P8\n1 1", ""),
        (b"P66\n", ""),
        (b"Q6\n1 1", ""),
        (b"P6\n", ""),
        (b"  \n<SVG xmlns", "SVG"),
        (b"<!DOCTYPE HTML>", "HTML"),
        (b" " * 60 + b"<svg", "SVG"),
        (b" " * 61 + b"<svg", ""),
        (b"blp", "BLP"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"", ""),
        (b"plain text", ""),
    ],
)
def test_names_of_formats_that_are_not_read(data: bytes, name: str) -> None:
    assert _other_format(data) == name


def test_formats_that_are_not_read_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.ppm").write_bytes(b"P6\n1 1\n255\n\0\0\0")
    with pytest.raises(OSError, match="cannot identify"):
        images.open_header(tmp_path / "a.ppm")
    with pytest.raises(InputError, match=r"not an image that can be read: it is PNM; use JPEG, PNG, .* or JPEG 2000"):
        images.header((tmp_path / "a.ppm").read_bytes())


def test_an_image_of_one_pixel_has_a_header_and_one_of_none_has_not() -> None:
    assert images.header(START + frame(1, 1, b"\x01") + scan(b"\x01") + END) == (1, 1, True)
    for height, width in ((0, 5), (5, 0)):
        with pytest.raises(InputError, match=f"declares {width} x {height} pixels"):
            images.header(START + frame(height, width, b"\x01") + END)
        with pytest.raises(InputError, match="is truncated: its end is missing"):
            images.header(START + frame(height, width, b"\x01"))


@pytest.mark.parametrize(("limit", "refused"), [(64 * 48, False), (64 * 48 - 1, True)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_number_of_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, limit: int, refused: bool
) -> None:
    PIL.Image.new("RGB", (64, 48), (10, 20, 30)).save(tmp_path / "a", kind)
    monkeypatch.setattr(images, "MAX_PIXELS", limit)
    if refused:
        with pytest.raises(InputError, match=r"declares 64 x 48 pixels: up to 3,071 are decoded"):
            images.read(tmp_path / "a")
    else:
        assert images.read(tmp_path / "a").shape == (48, 64, 3)


def test_documented_limits() -> None:
    assert (images.MAX_BYTES, images.MAX_PIXELS) == (256 * 2**20, 100_000_000)


def test_only_jpegs_lack_an_end_marker() -> None:
    assert images.lacks_end_marker(START + frame(1, 1, b"\x01"))
    assert not images.lacks_end_marker(START + frame(1, 1, b"\x01") + END)
    assert not images.lacks_end_marker(SIGNATURE + HEAD)
