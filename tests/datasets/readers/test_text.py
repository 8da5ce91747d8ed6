"""Reading annotation files as text."""

from __future__ import annotations

from typing import Any

import pytest

from nmebench import datasets
from nmebench.datasets import benchmark, locate
from nmebench.datasets.readers import text
from nmebench.errors import InputError


def test_utf16_is_refused(tiny: Any) -> None:
    tiny.attr.write_bytes(tiny.attr.read_text().encode("utf-16"))
    with pytest.raises(InputError, match="UTF-16 text: save it as UTF-8"):
        datasets.load(f"wflw:{tiny.attr}")


def test_unreadable_files_are_refused(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is neither a folder nor an annotation file"):
        locate.find_annotation_file(tiny.root / "nothing", benchmark.load("wflw"), split="test", format=None)
    with pytest.raises(InputError, match="is missing"):
        text.read_text(tiny.root / "nothing", tiny.root)
    with pytest.raises(InputError, match="is a folder"):
        text.read_text(tiny.root, tiny.root)
    monkeypatch.setattr(text, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="up to 10 are read"):
        datasets.load(f"wflw:{tiny.attr}")
