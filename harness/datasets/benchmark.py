"""Benchmarks: the files, faces and subsets of a data set. Each is a TOML file in ``harness/datasets/benchmarks/``."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from nmebench.bounded_read import parse_toml
from nmebench.datasets.face_file_formats import FACE_FILES
from nmebench.datasets.formats import COFW_MAT, FORMATS
from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.geometry import scheme as schemes
from nmebench.geometry.scheme import Scheme
from nmebench.metric_names import Thresholds
from nmebench.protocol import THRESHOLD
from nmebench.suggest import unknown

__all__ = ["Benchmark", "check_own_name", "load", "names", "parse", "validate"]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
SchemeFile = Annotated[str, StringConstraints(pattern=r"^.{1,1000}\.toml$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,100}$")]
Count = Annotated[int, Field(ge=1)]


_RESERVED = ("wflw-geometry", "landmarks", "synthface", "benchmark", "python")


class RowOptions(TypedDict):
    """Options of the readers that a benchmark sets."""

    json_boxes: bool
    unlabelled: bool
    occlusion: bool


class Benchmark(BaseModel):
    """The definition of a data set: its scheme, files, subsets and counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    title: str
    """The name in texts for readers."""
    scheme: Name | SchemeFile | dict[str, Any]
    """Name of the landmark scheme, its TOML file relative to the definition's, or the scheme itself as a table."""
    normaliser: Name | None = None
    """Name of the scheme's normaliser that papers use for this data set; None for the scheme's default."""
    thresholds: Thresholds = (THRESHOLD,)
    """Thresholds of FR and AUC that papers print, percent; the first is the usual one."""
    image_folders: tuple[str, ...] = ("images",)
    """Usual names of the folder of photographs."""
    json_boxes: bool = False
    """True if ``bbox`` in mmpose's json is the box of the protocol; elsewhere it is the landmarks' box, grown."""
    landmark_boxes: bool = False
    """True if centre and scale in the csv and json are those of the landmarks' box, so that they check each other."""
    fractions: bool = False
    """True if the release has fractions of px, so that whole numbers are a rounded copy."""
    unlabelled: Literal["refuse", "exclude"] = "refuse"
    """Landmarks without a position: an error, or left out of the face's scores and box."""
    signs: bool = False
    """True for MERL-RAV's sign code: -x, -y is an occluded landmark at x, y, and -1, -1 one without a position."""
    occlusion: bool = False
    """True if the annotations tell occluded from visible landmarks. Both count; their NMEs are also reported apart."""
    files: Mapping[str, Mapping[str, FileName]]
    """Usual file names by split, then by annotation format, in order of preference."""
    points_files: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """By split, the folders with one file per face."""
    points_format: str = "pts"
    """The format of these files: ``pts``, ``lapa-txt`` or ``cofw68-mat``."""
    other_folders: tuple[str, ...] = ()
    """Names of further folders that hold no annotation file; they are not searched."""
    picture_files: Mapping[str, tuple[FileName, ...]] = Field(default_factory=dict)
    """By split, usual names of COFW's MATLAB file, for annotations whose photographs are in it."""
    origins: Mapping[str, Literal[0, 1]] = Field(default_factory=dict)
    """By format, the coordinates of the first pixel's centre in its landmarks: 0, 0 or 1, 1. Formats that are not
    listed come from sources that don't say it."""
    subset_names: Mapping[str, Name] = Field(default_factory=dict)
    """The subset's name here by its name in SPIGA's ``db_info.json``; other subsets keep their names."""
    other_names: Mapping[str, str] = Field(default_factory=dict)
    """Photographs whose name on disk differs from that in the annotation files."""
    counts: Mapping[str, Mapping[Name, Count]] = Field(default_factory=dict)
    """Faces of the complete data set by split and subset. The split's own name counts all faces."""
    lists: Mapping[Name, str] = Field(default_factory=dict)
    """By subset, the word that its own list has at the end of its file name."""
    folders: Mapping[Name, tuple[str, ...]] = Field(default_factory=dict)
    """By subset, the beginnings of the paths of its photographs."""

    @model_validator(mode="after")
    def _subsets_have_counts(self) -> Benchmark:
        counted = {subset for split in self.counts.values() for subset in split}
        for subset in (*self.lists, *self.folders):
            if subset not in counted:
                raise ValueError(f"subset {subset!r} has no count; add it to [counts.test]")
        for split, counts in self.counts.items():
            if split not in counts:
                raise ValueError(f"counts.{split} has no count of all faces; add {split} = NUMBER")
        for split, files in self.files.items():
            for kind in files:
                if kind not in (*FORMATS, COFW_MAT):
                    raise ValueError(f"files.{split}: {unknown('format', kind, (*FORMATS, COFW_MAT))}")
        if self.points_format not in FACE_FILES:
            raise ValueError(unknown("points_format", self.points_format, FACE_FILES))
        known = (*FORMATS, COFW_MAT, *FACE_FILES, "python", "arrays-npz")
        for kind in self.origins:
            if kind not in known:
                raise ValueError(f"origins: {unknown('format', kind, known)}")
        if "test" not in self.files:
            raise ValueError("files.test is missing: name the annotation files of the test split")
        return self

    @property
    def landmark_scheme(self) -> Scheme:
        """The landmark scheme.

        Raises:
            InputError: the name is unknown, the table is not a scheme, or the scheme has no such normaliser.
        """
        if isinstance(self.scheme, str):
            found = schemes.load(self.scheme)
        else:
            found = schemes.build(self.scheme, f"the scheme of {self.name}")
        if self.normaliser is not None and self.normaliser not in found.normalisers:
            kind = f"normaliser of {found.name}"
            raise InputError(f"{self.name}: normaliser: {unknown(kind, self.normaliser, tuple(found.normalisers))}")
        return found

    def points_folders(self, split: str) -> tuple[str, ...]:
        """Return the folders of the split's ``.pts`` files; empty for a benchmark without them."""
        return self.points_files.get(split, ())

    @property
    def row_options(self) -> RowOptions:
        """The options of :func:`nmebench.datasets.formats.read_rows`."""
        return {
            "json_boxes": self.json_boxes,
            "unlabelled": self.unlabelled == "exclude",
            "occlusion": self.occlusion,
        }

    def expected(self, split: str) -> dict[str, int]:
        """Return the faces of the complete data set by subset; empty where they are not known."""
        return dict(self.counts.get(split, {}))


def names() -> tuple[str, ...]:
    """Return the names of the shipped benchmarks, sorted.

    Example:
        >>> names()
        ('300w', '300w-private', 'aflw', 'cofw', 'cofw68', 'lapa', 'wflw')
    """
    folder = resources.files("nmebench.datasets").joinpath("benchmarks")
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


@functools.cache
def load(name: str) -> Benchmark:
    """Return a shipped benchmark.

    Raises:
        InputError: the name is unknown; the message has the nearest match.

    Example:
        >>> load("300w").expected("test")["challenge"]
        135
    """
    if name not in names():
        raise InputError(unknown("benchmark", name, names()))
    path = resources.files("nmebench.datasets").joinpath("benchmarks", f"{name}.toml")
    return parse(path.read_text(encoding="utf-8"), f"{name}.toml")


def parse(text: str, where: str) -> Benchmark:
    """Return the benchmark that a TOML text defines.

    Args:
        text: the TOML text.
        where: the file, for messages.

    Raises:
        InputError: it is not TOML, or a field is unknown, missing or wrong.
    """
    return validate(parse_toml(text, where), where)


def validate(table: Mapping[str, Any], where: str) -> Benchmark:
    """Return the benchmark that a table defines.

    Args:
        table: the fields.
        where: the file, for messages.

    Raises:
        InputError: a field is unknown, missing or wrong.
    """
    try:
        return Benchmark.model_validate(table)
    except ValidationError as error:
        found = problems(error, nameless="benchmark", fields=Benchmark.model_fields)
        raise InputError(f"{where}: {found} (docs/datasets.md shows a definition)") from error


def check_own_name(name: str, where: str) -> None:
    """Check that a data set of the user's does not have the name of one of nmebench's.

    Published numbers belong to these names, and a data set of the user's must not be compared with them.

    Args:
        name: the name of the user's data set.
        where: the file, for messages.

    Raises:
        InputError: it has.
    """
    if name in (*names(), *_RESERVED):
        raise InputError(f"{where}: the name {name!r} belongs to a data set of nmebench; choose another name")
