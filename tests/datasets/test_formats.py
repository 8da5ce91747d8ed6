"""Detection of annotation formats."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nmebench.datasets.formats import FORMATS, detect_format
from nmebench.errors import InputError


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_any_text_has_a_format_or_an_error(content: str) -> None:
    message = "file"
    kind = "official-list"
    try:
        kind = detect_format(content, "file")
    except InputError as error:
        message = str(error)
    assert kind in FORMATS
    assert message.startswith("file")
