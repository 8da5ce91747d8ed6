"""Wrong fields of a sweep: one line that lists all of them with the allowed values."""

from __future__ import annotations

import pytest

from nmebench.errors import InputError
from nmebench.sweep.configuration import validate


def test_all_wrong_fields_are_listed() -> None:
    raw = {"data": 3, "models": [{"card": "oracle", "wieghts": "x"}], "flip": ["flop"], "engin": "torch"}
    with pytest.raises(InputError) as error:
        validate(raw, where="sweep.toml")
    message = str(error.value)
    assert message.startswith(
        "sweep.toml: field 'data' must be a text, not 3; unknown field 'models.0.wieghts'; did you"
    )
    assert "did you mean 'weights'?, allowed: card, weights, name, series; unknown flip test 'flop'" in message
    assert "unknown field 'engin'; did you mean 'engine'?, allowed: data, format, " in message
    assert "at least 1 entry" not in message
    assert "\n" not in message
