"""Cards of networks for 300-W, COFW and AFLW: their schemes, protocols, published tables and numbers of maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nmebench import boxes, datasets, decoders, models, published
from nmebench.datasets import benchmark
from nmebench.errors import InputError
from nmebench.geometry import scheme
from nmebench.models import card as cards
from nmebench.models.hash_in_name import hash_in_name
from nmebench.sweep.network_scheme import scheme_and_mapping

NAMES = (
    "hrnetv2-w18-official-300w",
    "hrnetv2-w18-official-aflw",
    "hrnetv2-w18-official-cofw",
    "mmpose-hrnetv2-w18-300w",
    "mmpose-hrnetv2-w18-aflw",
    "mmpose-hrnetv2-w18-cofw",
    "mmpose-hrnetv2-w18-dark-aflw",
)


@pytest.mark.parametrize("name", NAMES)
def test_card_fits_its_benchmark(name: str) -> None:
    card = cards.load(name)
    assert card.scheme is not None
    points = scheme.load(card.scheme).points
    assert card.options["points"] == points
    assert card.input.box in boxes.names()
    assert decoders.from_spec(card.test.decoder or "")
    assert card.reported
    for dataset, tables in card.reported.items():
        definition = benchmark.load(dataset)
        assert definition.scheme == card.scheme
        for table in tables.values():
            assert set(table.nme) <= set(definition.expected("test"))
            assert (table.normaliser or "inter-ocular") in definition.landmark_scheme.normalisers
            # AFLW's usual normaliser is the annotated box, which a table has to name
            assert (table.normaliser or "inter-ocular") == definition.landmark_scheme.default_normaliser


@pytest.mark.parametrize("name", NAMES)
def test_tables_are_the_published_rows(name: str) -> None:
    card = cards.load(name)
    assert isinstance(card.weights, cards.Weights)
    assert card.weights.hash_prefix == hash_in_name(card.weights.filename)
    for dataset, tables in card.reported.items():
        for title, table in tables.items():
            (row,) = [
                row
                for row in published.load(dataset)
                if row.source == table.source and row.sha256_prefix in (None, card.weights.hash_prefix)
            ]
            assert {subset: float(value) for subset, value in row.nme.items()} == dict(table.nme), title
            protocol = card.protocols(dataset)[title]
            assert row.protocol.normaliser == protocol.normaliser
            assert (row.protocol.decoder, row.protocol.flip, row.protocol.box) == (
                protocol.decoder,
                protocol.flip,
                protocol.box,
            )
            if row.checkpoint is not None:
                assert row.checkpoint == card.weights.url


def test_every_published_checkpoint_of_hrnet_has_a_card() -> None:
    prefixes = {
        row.sha256_prefix
        for row in published.load()
        if row.sha256_prefix and row.dataset != "wflw" and row.method.startswith("mmpose HRNet")
    }
    weights = [cards.load(name).weights for name in NAMES]
    assert prefixes == {w.hash_prefix for w in weights if isinstance(w, cards.Weights) and w.hash_prefix}


@pytest.mark.parametrize("points", sorted({int(str(cards.load(name).options["points"])) for name in NAMES}))
def test_network_gives_a_map_per_landmark(points: int) -> None:
    (architecture,) = {cards.load(name).architecture for name in NAMES}
    module = models.create(architecture, points=points)
    module.eval()
    with torch.inference_mode():
        heatmaps = module(torch.zeros(1, 3, 64, 64))["heatmaps"]
    assert heatmaps.shape == (1, points, 16, 16)


def test_a_network_of_another_scheme_is_refused_without_a_mapping(tmp_path: Path) -> None:
    np.savez(tmp_path / "faces.npz", landmarks=np.random.default_rng(0).uniform(1, 99, (2, 19, 2)))
    aflw = datasets.load(f"landmarks:{tmp_path}/faces.npz")
    with pytest.raises(
        InputError, match=r"gives the landmarks of ibug68, and .* has those of aflw19: no point mapping"
    ):
        scheme_and_mapping(cards.load("mmpose-hrnetv2-w18-300w"), aflw, reads_truth=False)
    assert scheme_and_mapping(cards.load("mmpose-hrnetv2-w18-aflw"), aflw, reads_truth=False) == (aflw.scheme, None)
