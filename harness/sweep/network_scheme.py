"""The landmark scheme of a network, and the mapping through which it is measured on a data set of another scheme."""

from __future__ import annotations

from nmebench.datasets import benchmark
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.geometry import point_mapping
from nmebench.geometry import scheme as schemes
from nmebench.geometry.point_mapping import PointMapping
from nmebench.geometry.scheme import Scheme
from nmebench.models.card import WFLW_LIKE, Card

__all__ = ["mapping_hint", "scheme_and_mapping"]


def scheme_and_mapping(card: Card, dataset: Dataset, *, reads_truth: bool) -> tuple[Scheme, PointMapping | None]:
    """Return the scheme of a network's landmarks, and the mapping to the data set's; None where they are the same.

    The scheme is that of the card (``scheme``), else that of all benchmarks for which the card reports results. A card
    that states neither has the scheme of the data set.

    Args:
        card: the network's card.
        dataset: the faces.
        reads_truth: True for a network that reads the ground truth, whose landmarks are always the data set's.

    Raises:
        InputError: the card states a scheme that is unknown, or from which no mapping leads to the data set's.
    """
    if reads_truth:
        return dataset.scheme, None
    name = card.scheme or _reported_scheme(card)
    if name is None or name == dataset.scheme.name:
        return dataset.scheme, None
    mapping = point_mapping.between(schemes.load(name), dataset.scheme)
    if mapping is not None:
        return mapping.origin, mapping
    if card.scheme is None:
        return dataset.scheme, None  # the number of points decides
    known = ", ".join(point_mapping.names())
    raise InputError(
        f"card {card.name}: gives the landmarks of {name}, and {dataset.spec} has those of {dataset.scheme.name}: no "
        f"point mapping is known between them (known: {known}); use a network of that scheme"
    )


def _reported_scheme(card: Card) -> str | None:
    """The scheme of all benchmarks for which a card reports results; None for several, or for unknown benchmarks."""
    found: set[str | None] = set()
    for dataset in card.reported:
        name = "wflw" if dataset in WFLW_LIKE else dataset
        scheme = benchmark.load(name).scheme if name in benchmark.names() else None
        found.add(scheme if isinstance(scheme, str) else None)
    return found.pop() if len(found) == 1 else None


def mapping_hint(points: int, dataset: Dataset) -> str:
    """Return the way out for a network with another number of points: the schemes with a mapping; empty if none has."""
    for name in schemes.names():
        scheme = schemes.load(name)
        if scheme.points == points and (mapping := point_mapping.between(scheme, dataset.scheme)) is not None:
            return f'scheme = "{name}" in the card measures it through the mapping {mapping.label}'
    return ""
