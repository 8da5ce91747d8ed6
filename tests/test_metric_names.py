"""The names of metrics: one rule, which can be reversed."""

from __future__ import annotations

import pytest

from nmebench.errors import InputError
from nmebench.metric_names import (
    Metric,
    check_rates,
    check_threshold,
    check_thresholds,
    gather_rates,
    in_metric_order,
    is_metric,
    metric_names,
    spread_rates,
    threshold_text,
)


def test_every_threshold_and_its_name_determine_each_other() -> None:
    names = set()
    for steps in [*range(2_000, 1_000_001, 977), 2_000, 70_000, 75_000, 100_000, 1_000_000]:
        threshold = steps / 10_000
        for kind in ("fr", "auc"):
            metric = Metric(kind, threshold)
            assert Metric.parse(metric.name) == metric
            assert float(metric.name.removeprefix(kind)) == threshold
            names.add(metric.name)
    assert len(names) >= 2 * 1_000


@pytest.mark.parametrize(
    "name",
    ["fr", "auc", "fr010", "fr10.0", "fr7.50", "fr7.", "fr.5", "fr1e1", "FR10", "nme10", "fr-8", "fr８", "fr10 ", ""],
)
def test_other_spellings_are_refused(name: str) -> None:
    assert not is_metric(name)
    with pytest.raises(InputError, match=r"unknown metric .*\(known: nme, fr10, auc10, and other thresholds"):
        Metric.parse(name)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(0.08, "write 8 for 0.08", id="fraction"),
        pytest.param(0.1, "write 10 for 0.1", id="ten-percent-as-fraction"),
        pytest.param(0.0, "from 0.2 to 100", id="zero"),
        pytest.param(-8.0, "from 0.2 to 100", id="negative"),
        pytest.param(101.0, "from 0.2 to 100", id="above-100"),
        pytest.param(float("nan"), "from 0.2 to 100", id="nan"),
        pytest.param(float("inf"), "from 0.2 to 100", id="infinite"),
        pytest.param(7.00001, "more than 4 decimals", id="decimals"),
    ],
)
def test_thresholds_that_are_refused(value: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_threshold(value)


def test_lists_of_thresholds() -> None:
    assert check_thresholds([8, 7.5]) == (8.0, 7.5)
    with pytest.raises(InputError, match="8: is there twice"):
        check_thresholds([8, 10, 8.0])
    with pytest.raises(InputError, match="0 thresholds: give one"):
        check_thresholds([])
    with pytest.raises(InputError, match="9 thresholds: give one to 8"):
        check_thresholds(range(1, 10))


def test_titles_and_order() -> None:
    assert [Metric.parse(name).title for name in metric_names([10, 7.5])] == [
        "NME",
        "FR@10",
        "AUC@10",
        "FR@7.5",
        "AUC@7.5",
    ]
    assert in_metric_order(["auc7", "fr10", "nme", "fr7"]) == ["nme", "fr7", "auc7", "fr10"]
    assert threshold_text(100.0) == "100"
    assert [Metric.parse(name).lower_is_better for name in ("nme", "fr8", "auc8")] == [True, True, False]


def test_fields_of_a_table_become_rates_and_back() -> None:
    table = {
        "method": "x",
        "nme": {"test": 3.0},
        "fr7.5": {"test": 1.0},
        "auc8": {"test": 0.6},
        "fr10": {},
        "note": None,
    }
    gathered = gather_rates(table)
    assert gathered["rates"] == {"fr7.5": {"test": 1.0}, "auc8": {"test": 0.6}}
    assert spread_rates(gathered) == {key: value for key, value in table.items() if key != "fr10"}
    assert gather_rates({"nme": {}}) == {"nme": {}}
    assert gather_rates("text") == "text"


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        pytest.param({"fr8": {"test": 100.5}}, r"fr8\.test: 100\.5 must be from 0 to 100, percent", id="fr"),
        pytest.param(
            {"auc8": {"pose": 45.1}}, r"auc8\.pose: 45\.1 must be from 0 to 1, a fraction", id="auc-in-percent"
        ),
        pytest.param({"auc8": {"pose": float("nan")}}, "must be from 0 to 1", id="nan"),
        pytest.param({"nme": {"test": 3.0}}, "nme has a field of its own", id="nme"),
    ],
)
def test_values_out_of_range_are_refused(rates: dict[str, dict[str, float]], words: str) -> None:
    check_rates({"fr8": {"test": 100.0}, "auc8": {"test": 1.0}})
    with pytest.raises(ValueError, match=words):
        check_rates(rates)
