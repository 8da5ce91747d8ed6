"""WFLW's six attributes and how often they occur.

The faces with an attribute are spread evenly at random: the share is exact in every block of 500 faces, and off by at
most one face over any leading part of a split. Face ``i`` therefore has the same attributes whatever number of faces
is drawn, and the attributes overlap like independent ones.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Split = Literal["train", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "test")
BLOCK: Final = 500
WFLW_TEST_FACES: Final = 2500
WFLW_TEST_COUNTS: Final = (326, 314, 698, 206, 736, 773)


class Attributes(NamedTuple):
    """In the order of WFLW's lists."""

    pose: bool = False
    expression: bool = False
    illumination: bool = False
    makeup: bool = False
    occlusion: bool = False
    blur: bool = False


def stream(seed: int, split: Split, *address: int) -> np.random.Generator:
    """The random generator of one address (seed, split, face, subject) within a split."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, SPLITS.index(split), *address])))


def attributes_of(seed: int, split: Split, faces: int) -> npt.NDArray[np.bool_]:
    """[faces, 6] the attributes of the first faces of a split."""
    blocks = [_block(seed, split, block) for block in range(-(-faces // BLOCK))]
    return np.concatenate([np.zeros((0, 6), bool), *blocks])[:faces]


def attributes_at(seed: int, split: Split, index: int) -> Attributes:
    """The attributes of one face; they do not depend on the size of the split."""
    block, place = divmod(index, BLOCK)
    return Attributes(*(bool(flag) for flag in _block(seed, split, block)[place]))


def _block(seed: int, split: Split, block: int) -> npt.NDArray[np.bool_]:
    flags = np.zeros((BLOCK, 6), bool)
    for attribute, count in enumerate(WFLW_TEST_COUNTS):
        rng = stream(seed, split, 1, block, attribute)
        chosen = round(BLOCK * count / WFLW_TEST_FACES)
        bounds = -(-np.arange(chosen + 1) * BLOCK // chosen)
        flags[rng.integers(bounds[:-1], bounds[1:]), attribute] = True
    return flags
