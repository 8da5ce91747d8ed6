"""The numbers of COFW's pictures, which its two files count from 1 each and other programs count through."""

from __future__ import annotations

from typing import Final

__all__ = ["FIRST_TEST_PICTURE", "picture_name", "spiga_picture"]

FIRST_TEST_PICTURE: Final = 1346
"""mmpose counts the pictures of the training file and then those of the test file, from 1."""


def picture_name(number: int) -> str:
    """Return the name of a picture by mmpose's number. It is stored without loss, as PNG; mmpose's copies are JPEG.

    Example:
        >>> picture_name(FIRST_TEST_PICTURE)
        '001346.png'
    """
    return f"{number:06d}.png"


def spiga_picture(image: str) -> str | None:
    """Return the name of the picture that SPIGA's COFW-68 calls by its number from 0; None for another name.

    Example:
        >>> spiga_picture("images/01345.jpg"), spiga_picture("images/a.jpg")
        ('001346.png', None)
    """
    stem = image.replace("\\", "/").rpartition("/")[2].partition(".")[0]
    return picture_name(int(stem) + 1) if stem.isascii() and stem.isdigit() and len(stem) <= 6 else None
