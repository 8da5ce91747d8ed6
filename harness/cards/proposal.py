"""A card with the settings that a search found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from nmebench.cards.probe import Probe
from nmebench.models.card import Card

__all__ = ["proposal"]

HEAD = """\
# A proposal of `nmebench card probe`: the settings with the smallest NME on {faces} faces of {data}.
# Settings that were chosen on test faces are a guess about the preprocessing, not a result. Confirm them in the code
# with which the network was trained, and remove these lines.

"""


def proposal(given: Card, found: Probe, data: str, path: Path) -> str:
    """Return the text of a card with the best settings.

    Args:
        given: the card that was probed.
        found: the result of the search.
        data: the faces, as the user gave them.
        path: where the card will be written; a path of weights that is relative to the old card becomes absolute where
            the folders differ.
    """
    table = _without_none(found.best.model_dump(mode="json", exclude_defaults=True))
    # The fields that were searched are written even where they have the default value.
    table["input"] = _without_none(found.best.input.model_dump(mode="json"))
    if given.path is not None and given.path.parent != path.resolve().parent:
        if isinstance(given.weights, str):
            table["weights"] = str((given.path.parent / given.weights).resolve())
        elif given.weights is not None and given.weights.path is not None:
            table["weights"]["path"] = str((given.path.parent / given.weights.path).resolve())
    head = HEAD.format(faces=found.faces, data="".join(c if c.isprintable() else "?" for c in data))
    return head + tomli_w.dumps(table)


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: _without_none(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    return {key: value for key, value in kept.items() if value is not None and value != {}}
