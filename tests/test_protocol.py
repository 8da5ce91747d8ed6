"""The order and the names of subsets, metrics and flip tests, which every table and file shares."""

from __future__ import annotations

from nmebench import protocol


def test_order_of_tables() -> None:
    """The order of the columns in WFLW's published tables: the attributes as in the official list."""
    attributes = ("pose", "expression", "illumination", "makeup", "occlusion", "blur")
    assert list(protocol.SUBSETS) == ["test", *attributes]
    assert list(protocol.ATTRIBUTES) == list(attributes)
    assert dict(protocol.LIST_NAMES) == {**{name: name for name in attributes}, "pose": "largepose"}
    assert protocol.FLIPS == ("none", "flip", "flip+shift", "flip+align", "flip-coords")
    assert protocol.THRESHOLD == 10.0
