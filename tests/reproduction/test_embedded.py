"""The sweeps of the embedded benchmark."""

from __future__ import annotations

import pytest

from nmebench import models, reproduction
from nmebench.sweep import SweepConfiguration

CONFIGURATIONS = (reproduction.embedded_configuration(), reproduction.encodings_configuration())


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda c: c.title)
def test_the_committed_table_has_rows_of_exactly_the_networks_of_the_sweeps(configuration: SweepConfiguration) -> None:
    names = [request.card for request in configuration.models]
    rows = reproduction.read_expected(names)
    assert {row.model for row in rows} == set(names)
    assert {row.flip for row in rows} == set(configuration.flip)
    assert {row.model for row in reproduction.read_expected()} == {
        request.card for c in CONFIGURATIONS for request in c.models
    }


def test_every_shipped_network_trained_here_is_measured() -> None:
    trained = [name for name in models.card.shipped() if models.card.load(name).training is not None]
    assert sorted(trained) == sorted([*reproduction.NETWORKS, *reproduction.ENCODINGS])


def test_the_encodings_share_everything_but_the_encoding() -> None:
    cards = [models.card.load(name) for name in reproduction.ENCODINGS]
    assert len({(card.output.kind, card.output.grid, card.test.decoder, card.architecture) for card in cards}) == 5
    assert len({card.input.size for card in cards}) == 1
    assert not any(card.test.flip for card in cards)
