"""Searches the settings of a card that its network's file doesn't tell, on some faces with ground truth.

A staged search: the values of the pixels (with every reading of the outputs), then the box rule, its padding, and the
resampling of the crop, each with the best settings so far, and again until nothing changes. It needs dozens of forward
passes instead of the thousands of all combinations, and is deterministic. A setting is changed only where another is
significantly better on the same faces (the 95 % interval of the paired difference excludes 0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nmebench.cards.candidates import Candidate, box_rules, crops, decoder_of, paddings, pixel_values, readings
from nmebench.cards.measure import Measure
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.models import Built
from nmebench.models.card import Card
from nmebench.statistics import PairedDifference, paired_difference

__all__ = ["Probe", "Tried", "probe"]

MAX_ROUNDS = 3
"""Rounds of the stages; the second one usually changes nothing."""


@dataclass(frozen=True)
class Tried:
    """A setting that was tried with the best other settings."""

    stage: str
    value: str
    card: Card
    per_face: NDArray[np.float64]
    """NME ``[N]``, percent."""
    chosen: bool = False
    difference: PairedDifference | None = None
    """NME of this setting minus that of the chosen one, percent points; None for the chosen one."""

    @property
    def nme(self) -> float:
        """Mean NME, percent."""
        return float(self.per_face.mean())


@dataclass(frozen=True)
class Probe:
    """The result of a search."""

    tried: tuple[Tried, ...]
    """The settings of the last round, by stage, and by NME within a stage."""
    best: Card
    before: float
    """Mean NME of the card as it was given, percent; NaN if its outputs can't be read."""
    after: float
    """Mean NME of ``best``, percent."""
    faces: int
    passes: int
    """Forward passes of one face each."""
    rounds: int


def probe(
    built: Built, dataset: Dataset, *, engine: str = "auto", progress: Callable[[str], None] | None = None
) -> Probe:
    """Search the preprocessing and the reading of a network's outputs.

    The best settings are those with the smallest NME on these faces, which makes them a guess about how the network was
    trained: their NME on the same faces is no result.

    Args:
        built: the network and its card, whose settings are where the search begins.
        dataset: the faces; some tens are enough.
        engine: name of the engine.
        progress: called with the name of each stage.

    Raises:
        InputError: the network can't be measured on these faces.
    """
    measure = Measure(built, dataset, engine)
    card = built.card
    clusters = np.unique(np.asarray(dataset.images), return_inverse=True)[1]
    as_given = measure.nme([card])[0]
    flat = measure.flat(card)

    def every_reading(candidates: Sequence[Candidate]) -> list[Candidate]:
        """Each candidate with the unit, layout or grid that is best for it, because a wrong one hides every gain."""
        found = []
        for candidate in candidates:
            own = decoder_of(candidate.card)
            options = [
                option
                for option in readings(candidate.card, adapter=measure.adapted, flat=flat)
                if candidate.card.output.kind == "landmarks" or decoder_of(option.card) == own
            ]
            values = measure.nme([option.card for option in options])
            scores = [np.inf if value is None or not np.isfinite(value).all() else value.mean() for value in values]
            best = options[int(np.argmin(scores))].card
            found.append(Candidate(candidate.value, best))
        return found

    stages: dict[str, Callable[[Card], list[Candidate]]] = {
        "pixel values": lambda now: every_reading(pixel_values(now, whole=measure.reads_pixels)),
        "box": lambda now: box_rules(now, dataset),
        "padding": paddings,
        "crop": lambda now: crops(now, measure.sampling(now)),
        "outputs": lambda now: readings(now, adapter=measure.adapted, flat=flat),
    }
    tried: dict[str, list[Tried]] = {}
    rounds = 0
    for rounds in range(1, MAX_ROUNDS + 1):
        before = card
        for stage, candidates in stages.items():
            if progress:
                progress(f"round {rounds}, {stage}")
            tried[stage] = _try(stage, candidates(card), measure, clusters)
            card = next(one.card for one in tried[stage] if one.chosen)
        if card == before:
            break
    after = next(one.nme for one in tried["outputs"] if one.chosen)
    given = np.nan if as_given is None else float(as_given.mean())
    rows = tuple(one for stage in stages for one in tried[stage])
    return Probe(rows, card, given, after, len(dataset), measure.faces, rounds)


def _try(stage: str, candidates: Sequence[Candidate], measure: Measure, clusters: NDArray[np.int64]) -> list[Tried]:
    """Measure candidates and choose the one with the smallest NME; the first where it isn't significantly worse."""
    values = measure.nme([candidate.card for candidate in candidates])
    found = [
        Tried(stage, candidate.value, candidate.card, value)
        for candidate, value in zip(candidates, values, strict=True)
        if value is not None and np.isfinite(value).all()
    ]
    if not found:
        raise InputError(
            f"no setting of the {stage} gives finite landmarks: check the weights and [output] of the card"
        )
    best = min(found, key=lambda one: one.nme)
    own = found[0]
    is_readable = own.card is candidates[0].card  # the settings so far
    if is_readable and best is not own and not paired_difference(best.per_face, own.per_face, clusters).low > 0:
        best = own
    rows = [
        replace(one, chosen=True)
        if one is best
        else replace(one, difference=paired_difference(best.per_face, one.per_face, clusters))
        for one in found
    ]
    return sorted(rows, key=lambda one: one.nme)
