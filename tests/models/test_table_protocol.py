"""The protocol of a reported table, from a card or from the card's JSON in a stored run."""

from __future__ import annotations

from typing import Any

import pytest

from nmebench.models import card
from nmebench.models.table_protocol import TableProtocol, table_protocol
from nmebench.protocol import DIRECT


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "mmpose-hrnetv2-w18",
            {
                "mmpose 0.x": TableProtocol("quarter-offset:rule=mmpose0", "flip+shift", "landmarks"),
                "mmpose 1.x": TableProtocol("quarter-offset", "flip+shift", "landmarks"),
            },
            id="each table has its own decoder",
        ),
        pytest.param(
            "mmpose-resnet50",
            {
                "mmpose 0.x": TableProtocol(DIRECT, "flip", "landmarks"),
                "mmpose 1.x": TableProtocol(DIRECT, "flip+shift", "landmarks"),
            },
            id="network that gives landmarks",
        ),
        pytest.param(
            "hrnetv2-w18-official",
            {"official README": TableProtocol("official-hrnet", "none", "landmarks")},
            id="no flip test",
        ),
    ],
)
def test_protocols_of_shipped_cards(name: str, expected: dict[str, TableProtocol]) -> None:
    assert card.load(name).protocols("wflw") == expected


def test_card_without_tables_for_a_dataset_has_its_own_protocol() -> None:
    found = card.load("mmpose-hrnetv2-w18-dark").protocols("synthface")
    assert found == {"": TableProtocol("dark", "flip+shift", "landmarks")}


@pytest.mark.parametrize("name", card.shipped())
def test_card_and_its_json_have_equal_protocols(name: str) -> None:
    loaded = card.load(name)
    stored = loaded.model_dump(mode="json")
    for dataset, tables in stored["reported"].items():
        assert loaded.protocols(dataset) == {title: table_protocol(stored, table) for title, table in tables.items()}


@pytest.mark.parametrize(
    ("stored", "table", "expected"),
    [
        pytest.param({}, {}, TableProtocol(None, "none", None), id="empty card"),
        pytest.param(
            {"test": None, "input": None, "output": None}, {}, TableProtocol(None, "none", None), id="empty tables"
        ),
        pytest.param(
            {"test": {"decoder": "dark", "flip": True, "shift": True}},
            {"decoder": None, "flip": None, "shift": None},
            TableProtocol("dark", "flip+shift", None),
            id="None keeps the card's setting",
        ),
        pytest.param(
            {"test": {"decoder": "dark", "flip": True, "shift": True}, "input": {"box": "rect"}},
            {"decoder": "argmax", "shift": False, "box": "pfld"},
            TableProtocol("argmax", "flip", "pfld"),
            id="the table replaces the card's settings",
        ),
        pytest.param(
            {"test": {"flip": False, "shift": True}}, {}, TableProtocol(None, "none", None), id="shift without flip"
        ),
        pytest.param(
            {"output": {"kind": "landmarks"}, "test": {"decoder": "dark", "flip": True, "shift": True}},
            {},
            TableProtocol(DIRECT, "flip", None),
            id="landmarks ignore the heatmap settings",
        ),
    ],
)
def test_settings_of_card_and_table(stored: dict[str, Any], table: dict[str, Any], expected: TableProtocol) -> None:
    assert table_protocol(stored, table) == expected
