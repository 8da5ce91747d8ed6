"""Bounds, defaults and ranges of the options of every decoder, and how option values are read and written."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nmebench import decoders
from nmebench.decoders import options
from nmebench.decoders.errors import DecoderError
from nmebench.decoders.options import Option, as_float, as_int, canonical

#: Error bound in heatmap px, and default, smallest and largest value of every option: a new default moves landmarks.
DOCUMENTED: dict[str, tuple[float, dict[str, tuple[Any, float | None, float | None]]]] = {
    "argmax": (0.71, {}),
    "quarter-offset": (0.36, {"rule": ("mmpose1", None, None)}),
    "dark": (
        0.005,
        {
            "kernel": (11, 3, 99),
            "sigma": (None, 0.1, 30.0),
            "path": ("auto", None, None),
            "max_step": (None, 0.0, None),
        },
    ),
    "dark-udp": (0.005, {"kernel": (11, 3, 99), "path": ("auto", None, None)}),
    "parabola": (0.005, {"fit": ("log", None, None)}),
    "local-soft-argmax": (0.02, {"temperature": (10.0, 0.001, 10000.0), "window": (5, 3, 31)}),
    "soft-argmax": (0.05, {"temperature": (16.0, 0.001, 10000.0)}),
    "barycentre": (0.01, {"form": ("star", None, None)}),
    "top-k": (0.5, {"k": (9, 1, 1024)}),
    "top-k-logits": (0.5, {"k": (9, 1, 1024)}),
    "heatmap-offset": (0.001, {"radius": (1.0, 1e-06, 1000000.0)}),
    "simcc": (0.36, {"split": (2.0, 0.01, 100.0)}),
    "simcc-dark": (0.01, {"split": (2.0, 0.01, 100.0), "kernel": (37, 3, 199)}),
    "mmpose-udp": (0.005, {"kernel": (11, 3, 99), "path": ("auto", None, None)}),
    "mmpose-megvii": (1.07, {"kernel": (11, 3, 99)}),
    "face-alignment": (1.07, {}),
    "official-hrnet": (0.36, {}),
}
ODD = {"kernel", "window"}
CHOICES = {
    "rule": ("mmpose1", "mmpose0", "hrnet"),
    "path": ("auto", "whole", "local"),
    "fit": ("raw", "log"),
    "form": ("star", "ldeq"),
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_bound_and_options_are_the_documented_ones(name: str) -> None:
    info = decoders.describe(name)
    bound, schema = DOCUMENTED[name]
    assert info.bound == bound
    assert {k: (o.default, o.minimum, o.maximum) for k, o in info.options.items()} == schema
    assert {k for k, o in info.options.items() if o.odd} == ODD & set(schema)
    assert all(o.choices == CHOICES.get(k, ()) for k, o in info.options.items())


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, (_, schema) in DOCUMENTED.items() for key in schema])
def test_ends_of_a_range_are_allowed(name: str, key: str) -> None:
    _, low, high = DOCUMENTED[name][1][key]
    step = 2 if key in ODD else 1
    for end, beyond in ((low, -1), (high, 1)):
        if end is None:
            continue
        assert decoders.create(name, **{key: end}).options[key] == end
        outside = end + beyond * step if isinstance(end, int) else np.nextafter(end, beyond * math.inf)
        with pytest.raises(DecoderError, match=rf"{key}=.* isn't allowed"):
            decoders.create(name, **{key: outside})


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        pytest.param(Option(default=True, doc=""), False, False, id="bool"),
        pytest.param(Option(default=True, doc=""), "False", False, id="bool-text"),
        pytest.param(Option(default=True, doc=""), "true", True, id="bool-true"),
        pytest.param(Option(default=True, doc=""), 0, None, id="bool-of-a-number"),
        pytest.param(Option(default=True, doc=""), "yes", None, id="bool-other-text"),
        pytest.param(Option(default="a", doc=""), "none", "none", id="text-none"),
        pytest.param(Option(default="a", doc=""), 5, None, id="text-of-a-number"),
        pytest.param(Option(default=3, doc=""), "5", 5, id="int-text"),
        pytest.param(Option(default=3, doc=""), "5.5", None, id="int-of-a-fraction"),
        pytest.param(Option(default=3, doc=""), 5.0, None, id="int-of-a-float"),
        pytest.param(Option(default=3, doc=""), True, None, id="int-of-a-bool"),
        pytest.param(Option(default=3, doc=""), "none", None, id="int-cannot-be-none"),
        pytest.param(Option(default=3.0, doc=""), 5, 5.0, id="float-of-an-int"),
        pytest.param(Option(default=3.0, doc=""), "1e-3", 0.001, id="float-text"),
        pytest.param(Option(default=3.0, doc=""), True, None, id="float-of-a-bool"),
        pytest.param(Option(default=3.0, doc=""), 10**400, None, id="float-of-a-huge-int"),
        pytest.param(Option(default=3.0, doc=""), math.inf, None, id="infinity"),
        pytest.param(Option(default=3.0, doc=""), None, None, id="float-cannot-be-none"),
        pytest.param(Option(default=3, odd=True, doc=""), 4, None, id="even"),
        pytest.param(Option(default=3, odd=True, doc=""), -5, -5, id="odd"),
    ],
)
def test_values_and_their_texts(option: Option, value: object, expected: object) -> None:
    if expected is None:
        with pytest.raises(DecoderError, match=r"^owner: key=.* isn't allowed; key is "):
            option.read("owner", "key", value)
    else:
        found = option.read("owner", "key", value)
        assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("value", ["wide", "1,5", 10**400, True])
def test_a_wrong_value_of_an_option_that_may_be_absent_is_no_absence(value: object) -> None:
    option = Option(default=None, kind=float, minimum=1, doc="")
    with pytest.raises(DecoderError, match=r"^owner: key=.* isn't allowed; key is "):
        option.read("owner", "key", value)


def test_an_option_that_may_be_absent() -> None:
    option = Option(default=None, kind=float, minimum=1, doc="")
    assert option.read("owner", "key", None) is None
    assert option.read("owner", "key", "none") is None
    assert option.read("owner", "key", "2") == 2.0
    with pytest.raises(TypeError, match="must name its kind"):
        _ = Option(default=None, doc="").type


@pytest.mark.parametrize(
    ("option", "phrase"),
    [
        (Option(default=True, doc=""), "true or false"),
        (Option(default=3, doc=""), "an integer"),
        (Option(default=3, minimum=1, doc=""), "an integer of at least 1"),
        (Option(default=3, maximum=9, doc=""), "an integer of at most 9"),
        (Option(default=3, minimum=1, maximum=9, odd=True, doc=""), "an odd integer from 1 to 9"),
        (Option(default=3.0, minimum=0.5, maximum=1e4, doc=""), "a number from 0.5 to 10000"),
        (Option(default=None, kind=str, doc=""), "text, or none"),
        (Option(default="a", choices=("a", "b"), doc=""), "one of a, b"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_phrases_of_the_allowed_values(option: Option, phrase: str) -> None:
    assert option.allowed == phrase


def test_canonical_texts() -> None:
    schema = {name: Option(default=9, doc="") for name in "abcde"}
    given: dict[str, Any] = {"e": 9, "d": None, "c": True, "b": 0.1, "a": 0.1 + 0.2}
    assert canonical("name", schema, given) == "name:a=0.30000000000000004,b=0.1,c=true,d=none"
    assert canonical("name", schema, {"a": 9}) == "name"
    assert options.parse("name", schema, {"b": "5"}) == {"a": 9, "b": 5, "c": 9, "d": 9, "e": 9}


def test_narrowed_types() -> None:
    assert (as_int(5), as_float(5), type(as_float(5))) == (5, 5.0, float)
    for function, value in ((as_int, 5.0), (as_int, None), (as_float, "5"), (as_float, None)):
        with pytest.raises(TypeError, match="isn't a"):
            function(value)  # type: ignore[arg-type]
