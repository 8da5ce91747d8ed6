"""The annotation files of a folder, in every format that the benchmark has, as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.face_file_formats import FACE_FILES
from nmebench.datasets.formats import COFW_MAT, detect_format, read_rows
from nmebench.datasets.locate import NoAnnotationFileError, find_annotation_file
from nmebench.datasets.readers import cofw_mat
from nmebench.datasets.readers.rows import Entry
from nmebench.datasets.readers.text import read_text
from nmebench.printable import shown

__all__ = ["Annotations", "find_annotations", "relative_name"]


@dataclass(frozen=True)
class Annotations:
    """An annotation file, or a folder with one file per face, whose faces have not been read yet."""

    name: str
    """Relative to the dataset's folder, for findings."""
    format: str
    path: Path
    """The file; the dataset's folder for a format with one file per face."""
    text: str
    """The file's text; empty for a format that isn't text."""
    rows: Callable[[], Iterator[Entry]]
    """Yields the faces and the errors in them."""
    empty: tuple[str, ...] = ()
    """Folders that should hold files of this format and don't."""

    @property
    def is_text(self) -> bool:
        """True for a list, csv or json."""
        return bool(self.text)


def find_annotations(
    benchmark: Benchmark,
    place: Path,
    *,
    split: str,
    format: str | None,  # noqa: A002
) -> list[tuple[str, Callable[[], Annotations]]]:
    """Return the annotations of every format that a place holds, by name.

    Args:
        benchmark: the definition of the data set.
        place: the dataset's folder, the annotations' folder or one annotation file.
        split: ``test`` or ``train``.
        format: only this format's annotations.

    Returns:
        Name and function that opens them; it raises an InputError for a file that can't be read. Annotation files in
        the benchmark's order come first.

    Raises:
        InputError: there are none.
    """
    root = place if place.is_dir() else place.parent
    folders = benchmark.points_folders(split) if place.is_dir() else ()
    kind = FACE_FILES[benchmark.points_format]
    files = kind.find(root, folders) if folders and format in (None, benchmark.points_format) else []
    found: list[tuple[str, Callable[[], Annotations]]] = []
    if format is None or format != benchmark.points_format or not files:
        try:
            for file in _files(benchmark, place, split, format):
                found.append((relative_name(file, root), _opener(benchmark, file, root, split, format)))
        except NoAnnotationFileError:
            if not files:
                raise
    if files:
        name = f"{len(files)} {kind.ending} files"
        points = benchmark.landmark_scheme.points
        empty = tuple(kind.empty_folders(files, root, folders))
        opened = Annotations(name, benchmark.points_format, root, "", lambda: kind.read(files, root, points), empty)
        found.append((name, lambda: opened))
    return found


def relative_name(file: Path, root: Path) -> str:
    """Return a file's name relative to the dataset's folder, printable."""
    return shown(file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name)


def _files(benchmark: Benchmark, place: Path, split: str, format: str | None) -> list[Path]:  # noqa: A002
    first, others = find_annotation_file(place, benchmark, split=split, format=format)
    return [first, *(find_annotation_file(place, benchmark, split=split, format=other)[0] for other in others)]


def _opener(
    benchmark: Benchmark,
    file: Path,
    root: Path,
    split: str,
    format: str | None,  # noqa: A002
) -> Callable[[], Annotations]:
    def opened() -> Annotations:
        name, points = relative_name(file, root), benchmark.landmark_scheme.points
        if format == COFW_MAT or (format is None and file.suffix == ".mat"):
            return Annotations(name, COFW_MAT, file, "", lambda: cofw_mat.read(file, split, points))
        text, _ = read_text(file, root)
        found = format or detect_format(text, name)
        return Annotations(
            name, found, file, text, lambda: read_rows(text, name, found, points, **benchmark.row_options)
        )

    return opened
