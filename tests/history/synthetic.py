"""Synthetic histories with the noise that repeated trainings showed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nmebench.history import Entry, HistoryCell, HistoryRun, Mean, Repository

#: WFLW's subsets: faces, and a mean NME in percent as networks have it.
SUBSETS = {
    "test": (2500, 4.0), "pose": (326, 7.0), "expression": (314, 4.3), "illumination": (698, 4.0),
    "makeup": (206, 3.9), "occlusion": (736, 4.9), "blur": (773, 4.6),
}  # fmt: skip

#: Standard deviation over trainings of one face's deviation, percent: of the faces of ``pose``, and of the others.
#: Measured on the shipped MobileNet: eight trainings of two epochs over 400 faces from its weights, which differ in the
#: seed only, had subset means on synthface with standard deviations of 0.012 (test, 500 faces), 0.082 (pose, 65 faces)
#: and 0.027 (occlusion, 147 faces). At WFLW's numbers of faces that is 0.005, 0.037 and 0.012; the values here give
#: 0.0065, 0.035 and 0.012.
POSE_NOISE, OTHER_NOISE = 0.63, 0.25

DECODERS = ("argmax", "quarter-offset", "dark")
NETWORKS = ("net-a", "net-b")


def commit(number: int) -> str:
    return hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest()


def make_entry(
    number: int,
    means: Mapping[str, Mapping[str, float]],
    *,
    weights: str | None = None,
    machine: str = "ci",
    **fields: Any,
) -> Entry:
    """An entry with the NME ``means[cell][subset]``; a cell is ``NETWORK DECODER``."""
    cells = {}
    for name, by_subset in means.items():
        model, decoder = name.split(" ")
        cells[f"{model}__{decoder}__none__landmarks"] = HistoryCell(
            model=model,
            decoder=decoder,
            flip="none",
            box="landmarks",
            convention="stride",
            input_size=(256, 256),
            weights_sha256=weights,
            nme={s: Mean(nme=value, low=value - 0.2, high=value + 0.2) for s, value in by_subset.items()},
            fr10=dict.fromkeys(by_subset, 1.0),
            auc10=dict.fromkeys(by_subset, 0.6),
            **fields.get("cell", {}),
        )
    run = HistoryRun(
        dataset="wflw",
        scheme="wflw98",
        normaliser="inter-ocular",
        faces=2500,
        faces_sha256="0" * 64,
        counts={name: faces for name, (faces, _) in SUBSETS.items()},
        nmebench="0.1.0",
        code_sha256="1" * 64,
        packages={"torch": "2.6.0"},
        link=fields.get("link"),
        cells=cells,
    )
    return Entry(
        commit=commit(number),
        time=1_700_000_000 + 86_400 * number,
        machine=machine,
        dirty=fields.get("dirty", False),
        runs=(run,),
    )


def noisy_history(seed: int, *, commits: int = 30, steps: Sequence[tuple[int, str, str, float]] = ()) -> list[Entry]:
    """A history of retrained networks: every commit has other weights.

    The noise of a face is common to the decoders of a network, and the subsets overlap as WFLW's do.

    Args:
        seed: of the noise and the subsets.
        commits: number of commits.
        steps: (first commit, network, subset, points): the faces of the subset change so that its mean does.
    """
    rng = np.random.default_rng([23, seed])
    masks = {name: np.zeros(2500, bool) for name in SUBSETS}
    for name, (faces, _) in SUBSETS.items():
        masks[name][rng.permutation(2500)[:faces]] = True
    spread = np.full(2500, OTHER_NOISE)
    spread[masks["pose"]] = POSE_NOISE
    entries = []
    for number in range(commits):
        means: dict[str, dict[str, float]] = {}
        for network in NETWORKS:
            faces = rng.normal(0, spread)
            for first, stepped, subset, points in steps:
                if stepped == network and number >= first:
                    faces[masks[subset]] += points
            for i, decoder in enumerate(DECODERS):
                means[f"{network} {decoder}"] = {
                    name: round(level - 0.2 * i + float(faces[masks[name]].mean()), 6)
                    for name, (_, level) in SUBSETS.items()
                }
        entries.append(make_entry(number, means, weights=f"weights {number}"))
    return entries


class NoRepository(Repository):
    """A folder without a repository, without starting git."""

    def _git(self, *arguments: str, stdin: str = "") -> None:
        return None
