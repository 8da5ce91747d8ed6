"""Tests of the relations between the numbers of a published row."""

from __future__ import annotations

import numpy as np
import pytest

from nmebench import metrics
from nmebench.published import PublishedRow
from nmebench.published.relations import contradictions

COUNTS = {"test": 600, "indoor": 400, "outdoor": 200}


def row(**values: dict[str, str]) -> PublishedRow:
    return PublishedRow(method="m", source="s", kind="authors", medium="text", reading="r", **values)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        pytest.param({"nme": {"test": "4.00"}, "auc8": {"test": "0.500"}}, {}, id="auc-at-its-smallest"),
        pytest.param({"nme": {"test": "4.00"}, "auc8": {"test": "0.499"}}, {}, id="auc-within-rounding"),
        pytest.param(
            {"nme": {"test": "4.00"}, "auc8": {"test": "0.498"}},
            {"auc8.test": "with an NME of 4.00 % the AUC is at least 0.499"},
            id="auc-too-small",
        ),
        pytest.param(
            {"fr8": {"test": "10.00"}, "auc8": {"test": "0.902"}},
            {"auc8.test": "with an FR of 10.00 % the AUC is at most 0.900"},
            id="auc-above-the-share-without-failures",
        ),
        pytest.param({"fr8": {"test": "10.00"}, "auc10": {"test": "0.95"}}, {}, id="another-threshold"),
        pytest.param(
            {"nme": {"test": "1.50"}, "fr8": {"test": "20.00"}},
            {"fr8.test": "with an FR of 20.00 % the NME is at least 1.600 %"},
            id="nme-below-its-failures",
        ),
        pytest.param({"nme": {"test": "3.33", "indoor": "3.00", "outdoor": "4.00"}}, {}, id="weighted-mean"),
        pytest.param(
            {"nme": {"test": "3.50", "indoor": "3.00", "outdoor": "4.00"}},
            {"nme": "3.00 (indoor) and 4.00 (outdoor) give 3.333 for all faces, not 3.50"},
            id="plain-mean",
        ),
        pytest.param({"nme": {"test": "3.50", "indoor": "3.00"}}, {}, id="a-subset-missing"),
        pytest.param(
            {"fr8": {"test": "2.00", "indoor": "1.00", "outdoor": "1.00"}},
            {"fr8": "1.00 (indoor) and 1.00 (outdoor) give 1.000 for all faces, not 2.00"},
            id="failure-rates",
        ),
        pytest.param({"fr8": {"indoor": "1.25"}}, {}, id="five-of-400-faces"),
        pytest.param({"fr8": {"test": "0.16"}}, {}, id="one-of-600-faces-truncated"),
        pytest.param(
            {"fr8": {"test": "0.25"}},
            {"fr8.test": "0.25 % is not a whole number of 600 faces"},
            id="one-and-a-half-faces",
        ),
        pytest.param(
            {"auc8": {"test": "0.60", "indoor": "0.50", "outdoor": "0.50"}}, {}, id="auc-of-a-histogram-is-no-mean"
        ),
    ],
)
def test_relations(values, found):
    assert contradictions(row(**values), COUNTS) == found


def test_subsets_that_overlap_have_no_mean():
    counts = {"test": 600, "indoor": 400, "outdoor": 300}
    assert contradictions(row(nme={"test": "3.50", "indoor": "3.00", "outdoor": "4.00"}), counts) == {}


def test_measured_numbers_satisfy_every_relation():
    """Rounded metrics of random errors are never called contradictory."""
    rng = np.random.default_rng(5)
    for _ in range(300):
        nme = rng.gamma(rng.uniform(0.3, 4), rng.uniform(0.5, 4), size=600)
        parts = {"test": slice(None), "indoor": slice(400), "outdoor": slice(400, None)}
        places = int(rng.integers(1, 4))
        values = {
            "nme": {name: f"{nme[part].mean():.{places}f}" for name, part in parts.items()},
            "fr8": {name: f"{metrics.failure_rate(nme[part], 8.0):.{places}f}" for name, part in parts.items()},
            "auc8": {name: f"{metrics.auc(nme[part], 8.0):.{places}f}" for name, part in parts.items()},
        }
        if all(float(value) <= 100 for value in values["nme"].values()):
            assert contradictions(row(**values), COUNTS) == {}


def test_a_doubt_covers_one_number_or_a_whole_metric():
    marked = row(nme={"test": "3.0"}, suspect={"nme": "all", "auc8.common": "one"})
    assert (marked.doubt("nme", "test"), marked.doubt("auc8", "common"), marked.doubt("auc8", "test")) == (
        "all",
        "one",
        "",
    )
