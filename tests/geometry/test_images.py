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
from nmebench.geometry import images

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
        pytest.param(JPEG[:-2], "truncated", id="jpeg without its last two bytes"),
        pytest.param(JPEG[:-1], "truncated", id="jpeg without its last byte"),
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
