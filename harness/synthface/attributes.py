"""WFLW's six attributes and how often they occur.

Each attribute's faces are spread evenly at random: in every block of 500 faces its share is exact, and over
any leading part of a split it is off by at most one face. So face i has the same attributes however many
faces are drawn, and the attributes overlap as independent ones do.
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
    """A random generator of its own for every address within a split."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, SPLITS.index(split), *address])))


def attributes_of(seed: int, split: Split, faces: int) -> npt.NDArray[np.bool_]:
    """[faces, 6] the attributes of the first faces of a split."""
    blocks = [_block(seed, split, block) for block in range(-(-faces // BLOCK))]
    return np.concatenate([np.zeros((0, 6), bool), *blocks])[:faces]


def attributes_at(seed: int, split: Split, index: int) -> Attributes:
    """The attributes of one face, however many its split has."""
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
