"""Photographs: kinds that are read, and files that are refused in one line."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmebench.errors import InputError
from nmebench.geometry import images, jpeg

RNG = np.random.default_rng(11)
PICTURE = cv2.resize(RNG.integers(40, 215, (3, 4, 3), dtype=np.uint8), (64, 48))
JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()
PNG = cv2.imencode(".png", PICTURE)[1].tobytes()


def encoded(mode: str, kind: str, **options: object) -> bytes:
    """Encode the picture with Pillow."""
    stream = io.BytesIO()
    PIL.Image.fromarray(PICTURE[..., ::-1].copy()).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def png_that_declares(width: int, height: int) -> bytes:
    """A PNG whose header declares more than its data holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def jpeg_that_declares(width: int, height: int) -> bytes:
    """The JPEG with another size in its frame header."""
    frame = JPEG.index(b"\xff\xc0")
    return JPEG[: frame + 5] + struct.pack(">HH", height, width) + JPEG[frame + 9 :]


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        pytest.param(PNG, 0, id="png"),
        pytest.param(encoded("RGBA", "PNG"), 0, id="png with alpha"),
        pytest.param(encoded("RGB", "BMP"), 0, id="bmp"),
        pytest.param(encoded("RGB", "TIFF"), 0, id="tiff"),
        pytest.param(encoded("RGB", "WEBP", lossless=True), 0, id="webp"),
        pytest.param(JPEG, 25, id="jpeg"),
        pytest.param(encoded("RGB", "JPEG", progressive=True, quality=95), 25, id="progressive jpeg"),
        pytest.param(encoded("CMYK", "JPEG", quality=95), 40, id="cmyk jpeg"),
        pytest.param(JPEG + b"trailing bytes", 25, id="jpeg with bytes after its end"),
        pytest.param(JPEG[:-2], 25, id="jpeg without end marker"),
        pytest.param(JPEG[:-1], 25, id="jpeg with half an end marker"),
        pytest.param(JPEG[:-2] + bytes(999), 25, id="jpeg with zeros for an end marker"),
        pytest.param(JPEG[:-1] + bytes(999), 25, id="jpeg with half an end marker and zeros"),
        pytest.param(
            encoded("RGB", "JPEG", progressive=True, quality=95)[:-2], 25, id="progressive jpeg without end marker"
        ),
        pytest.param(encoded("RGB", "GIF"), 60, id="gif"),
        pytest.param(encoded("RGB", "JPEG2000"), 5, id="jpeg 2000"),
    ],
)
def test_image_kinds_are_read(tmp_path: Path, data: bytes, tolerance: int) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(data)
    found = images.read(path)
    assert found.shape == PICTURE.shape
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - PICTURE).max() <= tolerance


def test_read_equals_imread(tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(JPEG)
    np.testing.assert_array_equal(images.read(path), cv2.imread(str(path)))


def test_grey_palette_and_16_bit_become_8_bit_bgr(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    for mode in ("L", "P", "1"):
        path.write_bytes(encoded(mode, "PNG"))
        with PIL.Image.open(path) as picture:
            expected = np.asarray(picture.convert("RGB"))[..., ::-1]
        np.testing.assert_array_equal(images.read(path), expected)
    deep = PICTURE.astype(np.uint16) * 257
    path.write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    np.testing.assert_array_equal(images.read(path), PICTURE)


def test_image_of_one_pixel(tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    path.write_bytes(cv2.imencode(".png", np.full((1, 1, 3), 77, dtype=np.uint8))[1].tobytes())
    assert images.read(path).tolist() == [[[77, 77, 77]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_mmcv_does(tmp_path: Path, orientation: int) -> None:
    """mmcv reads with ``IMREAD_COLOR``, which applies the orientation; ``read`` does the same."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    PIL.Image.fromarray(PICTURE[..., ::-1].copy()).save(stream, "JPEG", exif=exif, quality=95)
    path = tmp_path / "turned.jpg"
    path.write_bytes(stream.getvalue())
    upright = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, -1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, 1),
    }[orientation]
    np.testing.assert_array_equal(images.read(path), turned)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", r"is empty \(0 bytes\)", id="0 bytes"),
        pytest.param(b"not an image at all", "not an image that can be read", id="text"),
        pytest.param(b"<html>quota exceeded</html>", "not an image that can be read", id="html"),
        pytest.param(JPEG[:3], "truncated", id="three bytes of a jpeg"),
        pytest.param(JPEG[: len(JPEG) // 2], "truncated", id="half a jpeg"),
        pytest.param(JPEG[:-9], "truncated: its end", id="jpeg without its last nine bytes"),
        pytest.param(JPEG[:-9] + bytes(500), "truncated: its end", id="cut jpeg with zeros after it"),
        pytest.param(PNG[:-12], "truncated", id="png without its last chunk"),
        pytest.param(PNG[: len(PNG) // 2], "truncated", id="half a png"),
        pytest.param(PNG[:20], "truncated", id="20 bytes of a png"),
        pytest.param(encoded("RGB", "BMP")[:-500], "truncated", id="truncated bmp"),
        pytest.param(encoded("RGB", "WEBP")[:-20], "truncated|not an image", id="truncated webp"),
        pytest.param(png_that_declares(30000, 30000), "declares 30000 x 30000 pixels", id="png of 30000 x 30000"),
        pytest.param(jpeg_that_declares(30000, 30000), "declares 30000 x 30000 pixels", id="jpeg of 30000 x 30000"),
        pytest.param(png_that_declares(0, 4), "declares 0 x 4 pixels", id="no width"),
        pytest.param(PNG[:-20] + b"\0" + PNG[-19:], "damaged PNG: a check sum is wrong", id="png with a flipped byte"),
        pytest.param(PNG[:33] + PNG[-12:], "damaged PNG: it holds no picture", id="png without a picture"),
        # Found by fuzzing: OpenCV allocated 4 GB for these 119 bytes.
        pytest.param(
            PNG[:33] + b"\0\0\0>\x98\xb1\x01\xc6" + b"\xff" * 66 + PNG[-12:], "damaged PNG", id="png with a long chunk"
        ),
        pytest.param(png_that_declares(64, 48), "can't be decoded", id="png whose data falls short"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        images.read(path)
    assert "\n" not in str(caught.value)
    assert "face.jpg" in str(caught.value)


def test_large_bitmap_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.bmp"
    data = bytearray(encoded("RGB", "BMP"))
    data[18:26] = struct.pack("<ii", 30000, 30000)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"declares (30000 x 30000|more) pixels"):
        images.read(path)


def test_missing_files_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jpg is missing"):
        images.read(tmp_path / "gone.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(InputError, match=r"^image \S+folder\.jpg is a folder$"):
        images.read(tmp_path / "folder.jpg")
    with pytest.raises(InputError, match="can't be read: embedded null"):
        images.read(tmp_path / "a\0b.jpg")
    with pytest.raises(InputError, match="can't be read"):
        images.read(tmp_path / ("n" * 300))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        with pytest.raises(InputError, match="not a regular file"):
            images.read(tmp_path / "pipe.jpg")


def test_file_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    (tmp_path / "face.jpg").write_bytes(JPEG)
    with pytest.raises(InputError, match="up to 10 are read"):
        images.read(tmp_path / "face.jpg")


@pytest.mark.skipif(sys.platform == "win32", reason="these names are not possible on Windows")
@pytest.mark.parametrize(
    ("name", "printed"),
    [
        pytest.param(b"a face.jpg", "a face.jpg", id="space"),
        pytest.param(b'it\'s "so".jpg', 'it\'s "so".jpg', id="quotes"),
        pytest.param(b"two\nlines.jpg", "two\\nlines.jpg", id="newline"),
        pytest.param(b"caf\xe9.jpg", "caf\\xe9.jpg", id="not UTF-8"),
        pytest.param("café.jpg".encode(), "café.jpg", id="UTF-8"),
    ],
)
def test_file_names_of_any_bytes_are_read_and_printable(tmp_path: Path, name: bytes, printed: str) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(JPEG)
    assert images.read(path).shape == PICTURE.shape
    path.write_bytes(JPEG[:-9])
    with pytest.raises(InputError) as caught:
        images.read(path)
    assert printed in str(caught.value)
    str(caught.value).encode("utf-8")


@given(cut=st.integers(0, len(JPEG) - 1))
def test_every_cut_jpeg_is_incomplete(cut: int) -> None:
    try:
        found = images.header(JPEG[:cut])
    except InputError:
        return
    assert not found.complete


@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF"]))
def test_any_bytes_give_a_header_or_a_one_line_error(data: bytes, start: bytes) -> None:
    message, size = "", (1, 1)
    try:
        size = images.header(start + data)[:2]
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert min(size) >= 1


def test_opencv_errors_become_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("first line\nsecond line")

    (tmp_path / "face.jpg").write_bytes(JPEG)
    monkeypatch.setattr(images.cv2, "imdecode", refuse)
    with pytest.raises(InputError, match=r"face\.jpg can't be decoded: first line$"):
        images.read(tmp_path / "face.jpg")


def test_markers_between_jpeg_segments_are_skipped() -> None:
    """A second start marker and a marker without length."""
    found = images.header(JPEG[:2] + b"\xff\xd8\xff\x01" + JPEG[2:])
    assert found == (64, 48, True)


def test_bitmap_beyond_the_limit_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    assert images.header(encoded("RGB", "BMP")[:60]) == (64, 48, True)


def large(kind: str = "RGB", **options: object) -> bytes:
    """A JPEG of 160 x 120 px whose last pixel is not grey."""
    picture = PIL.Image.fromarray(cv2.resize(PICTURE, (160, 120))[..., ::-1].copy()).convert(kind)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("RGB", {}, id="colour"),
        pytest.param("RGB", {"subsampling": 0}, id="full chroma"),
        pytest.param("L", {}, id="grey"),
        pytest.param("CMYK", {}, id="cmyk"),
        pytest.param("RGB", {"progressive": True}, id="progressive"),
        pytest.param("RGB", {"restart_marker_rows": 1}, id="restart markers"),
        pytest.param("RGB", {"optimize": True}, id="optimised tables"),
    ],
)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.97])
def test_cut_jpeg_with_an_end_marker_is_refused(
    tmp_path: Path, kind: str, options: dict[str, object], share: float
) -> None:
    """Planted fault: a JPEG cut in the middle whose end marker was appended, which OpenCV reads silently."""
    data = large(kind, **options)
    start = data.index(b"\xff\xda")
    cut = data[: start + int(share * (len(data) - start))]
    path = tmp_path / "face.jpg"
    path.write_bytes(data)
    assert images.read(path).shape == (120, 160, 3)
    for end in (b"\xff\xd9", b"\xff\xd9" + bytes(99)):
        path.write_bytes(cut.rstrip(b"\xff") + end)
        with pytest.raises(InputError, match=r"is truncated: it|can't be decoded"):
            images.read(path)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_cut_jpeg_is_refused_in_any_orientation(tmp_path: Path, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = large(exif=exif)
    (tmp_path / "face.jpg").write_bytes(data[: len(data) * 3 // 4] + b"\xff\xd9")
    with pytest.raises(InputError, match="is truncated: it has an end marker"):
        images.read(tmp_path / "face.jpg")


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_complete_jpeg_with_grey_corners_is_read(tmp_path: Path, options: dict[str, object]) -> None:
    picture = np.full((120, 160, 3), 128, np.uint8)
    picture[40:80, 40:80] = 30
    stream = io.BytesIO()
    PIL.Image.fromarray(picture).save(stream, "JPEG", quality=95, **options)
    (tmp_path / "face.jpg").write_bytes(stream.getvalue())
    assert images.read(tmp_path / "face.jpg")[-1, -1].tolist() == [128] * 3


def test_progressive_jpeg_without_its_last_scans_is_refused(tmp_path: Path) -> None:
    """Each scan that is there is complete, but later ones that refine the picture are missing."""
    data = large(progressive=True)
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    tables = data.rindex(b"\xff\xc4", 0, scans[-1])
    (tmp_path / "face.jpg").write_bytes(data[:tables])
    with pytest.raises(InputError, match="truncated: its end is missing"):
        images.read(tmp_path / "face.jpg")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "PostScript", id="ps"
        ),
        pytest.param(b"\xc5\xd0\xd3\xc6" + bytes(40), "PostScript", id="binary eps"),
        pytest.param(b"BLP1" + bytes(99), "BLP", id="blp"),
        pytest.param(b"BLP2\x01\0\0\0\x02\x08\x00\x00" + bytes(2000), "BLP", id="blp2"),
        pytest.param(b"DDS \x7c\0\0\0" + bytes(200), "DDS", id="dds"),
        pytest.param(b"\0\0\0\x1cftypavif" + bytes(60), "AVIF", id="avif"),
        pytest.param(b"\0\0\0\x1cftypheic" + bytes(60), "HEIC", id="heic"),
        pytest.param(b"\0\0\0\x1cftypisom" + bytes(60), "HEIF or video", id="video"),
        pytest.param(b"P6\n2 2\n255\n" + bytes(12), "PNM", id="ppm"),
        pytest.param(b"8BPS" + bytes(60), "Photoshop", id="psd"),
        pytest.param(b"\0\0\x01\0" + bytes(60), "ICO", id="ico"),
        pytest.param(b"%PDF-1.7", "PDF", id="pdf"),
        pytest.param(b"PK\x03\x04", "zip", id="zip"),
        pytest.param(b"  <HTML>", "HTML", id="html"),
    ],
)
def test_other_formats_are_named_and_never_opened(
    tmp_path: Path, data: bytes, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted fault: a photograph that is PostScript starts Ghostscript when Pillow opens all of its formats."""
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_: pytest.fail("Ghostscript was started"))
    path = tmp_path / "face.jpg"
    path.write_bytes(data)
    with pytest.raises(
        InputError, match=rf"not an image that can be read: it is {found}; use JPEG, PNG, .* or JPEG 2000$"
    ):
        images.read(path)
    with pytest.raises(OSError, match="cannot identify"):
        images.open_header(path)


def test_spider_file_is_refused(tmp_path: Path) -> None:
    """SPIDER has no magic number: its header is 27 floats."""
    stream = io.BytesIO()
    PIL.Image.fromarray(np.zeros((9, 9), np.float32)).save(stream, "SPIDER")
    (tmp_path / "face.jpg").write_bytes(stream.getvalue())
    with pytest.raises(InputError, match="not an image that can be read; use JPEG"):
        images.read(tmp_path / "face.jpg")


def test_photographs_of_the_sample_are_complete(shared: Path) -> None:
    """No real photograph fails the exact test, which every one of them passes through here."""
    for path in sorted((shared / "wflw-sample" / "WFLW_images").rglob("*.jpg"))[::8]:
        data = path.read_bytes()
        end = data.rindex(b"\xff\xd9")
        assert jpeg.scan_ends(data[:end])
        assert not jpeg.scan_ends(data[: end - 200].rstrip(b"\xff"))
        assert not images.lacks_end_marker(data)
