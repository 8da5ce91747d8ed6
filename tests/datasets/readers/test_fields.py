"""Image names of annotation files."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from nmebench.datasets.readers import fields
from nmebench.errors import InputError


@settings(max_examples=200, deadline=None)
@given(name=st.text(max_size=30))
def test_no_accepted_image_name_leads_out_of_the_folder(name: str) -> None:
    accepted = "inside"
    message = "x"
    try:
        accepted = fields.image_name(name, "file:1")
    except InputError as error:
        message = str(error)
    assert os.path.normpath(os.path.join("root", accepted)).startswith("root")  # noqa: PTH118
    assert message.isprintable()
