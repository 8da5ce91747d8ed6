"""The faces that a benchmark runs on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.photographs import PhotographSurvey, survey_photographs
from nmebench.datasets.plausibility import without_position
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.geometry import scheme as schemes
from nmebench.geometry.extents import extents
from nmebench.geometry.scheme import Scheme
from nmebench.printable import counted, shown
from nmebench.protocol import THRESHOLD

__all__ = ["PIXELS_PER_SCALE", "Dataset"]

PIXELS_PER_SCALE = 200.0
"""Unit of the scale in the HRNet csv and mmpose's json, image px."""


@dataclass(frozen=True)
class Dataset:
    """N faces with K landmarks each.

    A face is identified by its position, never by its image, because several faces share one photograph.
    """

    name: str
    """``wflw``, ``wflw-geometry``, ``landmarks`` or ``synthface``."""
    spec: str
    """As the user gave it, ``wflw:PATH``."""
    root: Path
    """The folder that file names in ``files`` are relative to."""
    format: str
    """``official-attr``, ``official-list``, ``hrnet-csv``, ``mmpose-json``, ``geometry-npz`` or ``arrays-npz``."""
    scheme: Scheme
    images: tuple[str, ...]
    """[N]: each face's image, relative to ``image_root``, as the annotation file names it.

    A name written with backslashes has slashes where no file of the literal name exists.
    """
    image_root: Path | None
    """None where there are no photographs."""
    lines: NDArray[np.int64]
    """[N]: 1-based line of the list or csv, or 1-based position in the json or npz."""
    landmarks: NDArray[np.float64]
    """[N, K, 2] in image px, unchanged from the file; NaN for a landmark that is not labelled (:attr:`labelled`)."""
    subsets: Mapping[str, NDArray[np.bool_]]
    """[N] each: ``test`` (all faces) first, then the attributes that the files give, in WFLW's order."""
    expected: Mapping[str, int]
    """The number of faces of the complete dataset, by subset; empty where it is not known."""
    rect: NDArray[np.float64] | None
    """[N, 4] x_min, y_min, x_max, y_max in image px, from the official list."""
    centre_scale: NDArray[np.float64] | None
    """[N, 3] centre x, centre y in image px and scale in units of 200 px, from the csv or the json."""
    files: tuple[FileHash, ...]
    """The annotation files that were read."""
    notes: tuple[str, ...] = ()
    """Remarks about the files for readers of the results, one line each.

    Those that begin with :data:`nmebench.datasets.SUSPECT` name probable errors.
    """
    split: str = "test"
    thresholds: tuple[float, ...] = (THRESHOLD,)
    """Thresholds of FR and AUC that the data set's papers print, percent; the first is the usual one."""
    usual_normaliser: str | None = None
    """Name of the normaliser that the data set's papers use; None for the scheme's default."""
    origin: int | None = None
    """The coordinates of the first pixel's centre in :attr:`landmarks`: 0 for (0, 0), 1 for (1, 1); None where the
    files' source doesn't say it."""
    occluded: NDArray[np.bool_] | None = None
    """[N, K]: whether each landmark is occluded, False for one that is not labelled; None where the files don't tell.
    Occluded landmarks count in every score."""

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.images)

    def __repr__(self) -> str:
        """Return one line: the specification, the faces, the scheme and the subsets."""
        expected = self.expected.get("test", len(self))
        faces = counted(len(self), "face") if expected == len(self) else f"{len(self)} of {expected} faces"
        notes = f", {counted(len(self.notes), 'note')}" if self.notes else ""
        return f"<Dataset {shown(self.spec)}: {faces}, {self.scheme.name}, subsets {', '.join(self.subsets)}{notes}>"

    @property
    def complete(self) -> bool:
        """True when every expected subset is present with its expected count."""
        return all(
            subset in self.subsets and int(self.subsets[subset].sum()) == count
            for subset, count in self.expected.items()
        )

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """[N, K]: whether each landmark has a position. The others count in no score."""
        return ~without_position(self.landmarks)

    @property
    def extents(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Smallest and largest x, y of each face's labelled landmarks, ``[N, 2]`` each, image px."""
        return extents(self.landmarks)

    @property
    def default_normaliser(self) -> str:
        """Name of the normaliser that is used unless another one is named."""
        return self.usual_normaliser or self.scheme.default_normaliser

    def normaliser(self, name: str | None = None) -> NDArray[np.float64]:
        """Compute the length that each face's errors are divided by.

        Args:
            name: one of ``scheme.normalisers``; None for :attr:`default_normaliser`.

        Returns:
            ``[N]`` image px.

        Raises:
            InputError: the name is unknown, the annotations lack what the normaliser needs, or a face's landmarks that
                it measures are not labelled.
        """
        side = None if self.centre_scale is None else self.centre_scale[:, 2] * PIXELS_PER_SCALE
        name = name or self.default_normaliser
        lengths = schemes.normaliser(self.scheme, self.landmarks, name, box_side=side, rect=self.rect)
        unknown = np.flatnonzero(np.isnan(lengths))
        if len(unknown):
            raise InputError(
                f"{self.spec}: the landmarks that {name!r} measures are not labelled on "
                f"{counted(len(unknown), 'face')}, the first is on line {self.lines[unknown[0]]}: choose another "
                f"normaliser ({', '.join(self.scheme.normalisers)})"
            )
        return lengths

    def normalisers(self) -> dict[str, NDArray[np.float64]]:
        """Compute all normalisers of the scheme that these annotations have, ``[N]`` image px by name.

        A normaliser that needs a box that the annotations don't give, or landmarks that are not labelled, is absent.
        """
        found = {}
        for name in self.scheme.normalisers:
            try:
                found[name] = self.normaliser(name)
            except InputError:
                continue
        return found

    @cached_property
    def photographs(self) -> PhotographSurvey:
        """The hash of the photographs and remarks on them; the first access reads every photograph."""
        return survey_photographs(self.image_root, self.images)

    def surveyed(self, survey: PhotographSurvey) -> Dataset:
        """Return the dataset with a survey that another process made, so that this one reads no photograph for it.

        Args:
            survey: the :attr:`photographs` of the same dataset.
        """
        copy = replace(self)
        copy.__dict__["photographs"] = survey  # where functools.cached_property looks for it
        return copy

    def with_photograph_notes(self) -> Dataset:
        """Return the dataset with the remarks on its photographs among its notes; it reads every photograph."""
        survey = self.photographs
        return replace(self, notes=(*self.notes, *survey.notes)) if survey.notes else self

    def limited(self, limit: int) -> Dataset:
        """Return a dataset of the first ``limit`` faces, or of all where there are fewer.

        Raises:
            InputError: ``limit`` is below 1.
        """
        if limit < 1:
            raise InputError(f"a limit of {limit} faces leaves nothing to run: give 1 or more")
        if limit >= len(self):
            return self
        return replace(
            self,
            images=self.images[:limit],
            lines=self.lines[:limit],
            landmarks=self.landmarks[:limit],
            subsets={name: mask[:limit] for name, mask in self.subsets.items()},
            rect=None if self.rect is None else self.rect[:limit],
            centre_scale=None if self.centre_scale is None else self.centre_scale[:limit],
            occluded=None if self.occluded is None else self.occluded[:limit],
        )

    def describe(self) -> str:
        """Return how much of the dataset this is: ``143 of 2500 faces``, or ``2500 faces`` when it is complete."""
        total = self.expected.get(self.split)
        if self.complete or total is None:
            return counted(len(self), "face")
        if len(self) == total:
            missing = [name for name in self.expected if name not in self.subsets]
            if missing:
                return f"{counted(len(self), 'face')}, without the subsets {', '.join(missing)}"
            other = [name for name, count in self.expected.items() if int(self.subsets[name].sum()) != count]
            return f"{counted(len(self), 'face')}, with other counts than the complete set in {', '.join(other)}"
        return f"{len(self)} of {total} faces"
