"""The checks of photographs."""

from __future__ import annotations

from typing import Any

import pytest

from nmebench import datasets
from nmebench.datasets.verify import verify


def test_name_longer_than_any_file_name_is_an_unreadable_photograph(tiny: Any) -> None:
    tiny.edit(tiny.attr, lambda content: content.replace("b.jpg", "b" * 5000))
    assert datasets.load(f"wflw:{tiny.attr}").image_root == tiny.root / "WFLW_images"
    assert [finding.code for finding in verify(tiny.attr).findings if finding.severity == "error"] == [
        "image-unreadable"
    ]


def test_photograph_that_pil_cannot_read_is_a_finding(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise OSError("cannot\nidentify")

    monkeypatch.setattr("nmebench.geometry.images.open_header", refuse)
    found = [finding for finding in verify(tiny.attr).findings if finding.code == "image-kind"]
    assert len(found) == 5
    assert found[0].message.endswith("cannot identify")
