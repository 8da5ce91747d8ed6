"""The hash that a checkpoint's file name states."""

from __future__ import annotations

import re

__all__ = ["hash_in_name"]

_HASH = re.compile(r"-(?P<hash>[0-9a-f]{8,64})(?P<date>_\d{8})?\.(?:pth|pt|safetensors|onnx)$")
_DATE = re.compile(r"20[0-3]\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def hash_in_name(name: str) -> str | None:
    """Return the first digits of the SHA-256 that a checkpoint's file name states, or None.

    torch.hub writes ``NAME-<8 or more hex digits>.pth`` (``HASH_REGEX`` of ``torch/hub.py``), and mmpose appends a
    date: ``NAME-<8 hex digits>_<YYYYMMDD>.pth``. Eight decimal digits that form a date, with no date after them, are
    a date and not a hash.

    Args:
        name: a file's name, or an address that ends in one.

    Example:
        >>> hash_in_name("hrnetv2_w18_wflw_256x256-2bf032a6_20210125.pth")
        '2bf032a6'
        >>> hash_in_name("resnet50-0676ba61.pth")
        '0676ba61'
        >>> hash_in_name("hrnetv2_w18-20210125.pth") is None
        True
    """
    match = _HASH.search(name)
    if match is None or (match["date"] is None and _DATE.fullmatch(match["hash"])):
        return None
    return match["hash"]
