"""Ten and more faults are planted into every annotation format; ``nmebench data verify`` finds or refuses each."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plausible_files import FORMATS, WIDTH, Content, Format, plausible

from nmebench.datasets import benchmark as benchmarks
from nmebench.datasets.verify import Report, verify
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.geometry import scheme as schemes

PAGE = Path(__file__).parents[3] / "docs" / "datasets.md"
BEGIN, END = "<!-- planted -->\n", "<!-- /planted -->"
REFUSED = "refused"

pytest.importorskip("h5py")


@pytest.fixture(autouse=True)
def _small_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every benchmark is complete with the 12 faces of these files."""
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    load = benchmarks.load
    counts = {one.spec.partition(":")[0]: one.counts for one in FORMATS.values() if one.counts}

    def small(name: str) -> benchmarks.Benchmark:
        found = load(name)
        wanted = dict(counts.get(name, {"test": 12}))
        if name == "300w-private":
            wanted = {"test": 12, "indoor": 6, "outdoor": 6}
        return found.model_copy(update={"counts": {"test": wanted}})

    monkeypatch.setattr(benchmarks, "load", small)


def check(folder: Path, kind: Format) -> Report:
    return verify(kind.spec.replace("DIR", str(folder)))


def findings(folder: Path, kind: Format) -> set[str]:
    """The codes that verifying gives; ``refused`` where it stops with a message."""
    try:
        return {finding.code for finding in check(folder, kind).findings}
    except InputError:
        return {REFUSED}


Plant = Callable[[Path, Format, Content], None]


def written(change: Callable[[Content], Content]) -> Plant:
    """Write changed faces."""
    return lambda folder, kind, content: kind.write(folder, change(content))


def beside(change: Callable[[Content], Content]) -> Plant:
    """Write changed landmarks; a format that states no box of them has the right ones beside it in another format."""

    def plant(folder: Path, kind: Format, content: Content) -> None:
        kind.write(folder, change(content))
        if kind.second is not None:
            kind.second(folder, content)

    return plant


def annotation_files(folder: Path) -> list[Path]:
    pictures = (".jpg", ".toml")
    found = [file for file in folder.rglob("*") if file.is_file() and file.suffix not in pictures]
    main = [file for file in found if "bboxes" not in file.name and not file.stem.endswith(_SUBSETS)]
    return sorted(main)


_SUBSETS = ("largepose", "expression", "illumination", "makeup", "occlusion", "blur", "common", "challenge", "frontal")


def in_files(change: Callable[[Path], object], *, first: bool = False) -> Plant:
    """Write the right faces and change their files."""

    def plant(folder: Path, kind: Format, content: Content) -> None:
        kind.write(folder, content)
        for file in annotation_files(folder)[: 1 if first else None]:
            change(file)

    return plant


def flip(content: Content) -> np.ndarray:
    return schemes.load(content.scheme).flip


def mirrored(content: Content) -> Content:
    return content.moved(content.landmarks * [-1, 1] + [WIDTH - 1, 0])


def from_the_bottom(content: Content) -> Content:
    return content.moved(content.landmarks * [1, -1] + [0, 219])


def exchanged_corners(content: Content) -> Content:
    inner = {"wflw98": (64, 68), "ibug68": (39, 42), "cofw29": (10, 11), "aflw19": (8, 9), "lapa106": (70, 75)}
    outer = schemes.load(content.scheme).normalisers["inter-ocular"]
    order = np.arange(content.landmarks.shape[1])
    pairs = zip((outer.first[0], outer.second[0]), inner[content.scheme], strict=True)
    for one, other in pairs:
        order[[one, other]] = other, one
    return content.moved(content.landmarks[:, order])


def zeros(content: Content) -> Content:
    landmarks = content.landmarks.copy()
    landmarks[3, -6:] = 0 if content.scheme != "cofw29" else -1
    return content.moved(landmarks, boxes=False)


def without_a_point(content: Content) -> Content:
    return content.moved(content.landmarks[:, :-1])


def cut_off(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 2 // 3])


PLANTED: dict[str, tuple[Plant, set[str]]] = {
    "landmarks that count from another first pixel": (
        beside(lambda content: content.moved(content.landmarks + 1, boxes=False)),
        {"one-based"},
    ),
    "x and y swapped": (written(lambda content: content.moved(content.landmarks[..., ::-1])), {"mirrored"}),
    "x mirrored, left and right kept": (written(mirrored), {"mirrored"}),
    "left and right landmarks exchanged": (
        written(lambda content: content.moved(content.landmarks[:, flip(content)])),
        {"mirrored"},
    ),
    "y counted from the bottom": (written(from_the_bottom), {"mirrored"}),
    "landmarks moved by one place": (
        written(lambda content: content.moved(np.roll(content.landmarks, 1, axis=1))),
        {"point-order"},
    ),
    "inner and outer eye corners exchanged": (written(exchanged_corners), {"normaliser-points"}),
    "landmarks at 0, 0": (written(zeros), {"origin", REFUSED}),
    "one landmark too few": (written(without_a_point), {"columns", "unreadable", REFUSED}),
    "a face under two names": (
        written(lambda content: replace(content.chosen([*range(11), 3]), names=content.names)),
        {"duplicate-landmarks"},
    ),
    "half of the faces missing": (written(lambda content: content.chosen(list(range(5)))), {"partial"}),
    "the test file missing": (in_files(Path.unlink), {REFUSED}),
    "a file cut off": (in_files(cut_off, first=True), {"columns", "unreadable", REFUSED}),
    "a file of another kind": (
        in_files(lambda file: file.write_bytes(b"<html>quota exceeded</html>\n"), first=True),
        {"columns", "unreadable", REFUSED},
    ),
    "faces outside their photographs": (
        written(lambda content: content.moved(content.landmarks + 400)),
        {"outside"},
    ),
    "fractions of the picture": (written(lambda content: content.moved(content.landmarks / WIDTH)), {"unit"}),
}

#: Faults that a format can't hold or a file of it can't show.
IMPOSSIBLE = {
    ("npz", "landmarks that count from another first pixel"),  # no boxes, no second format
    ("npz", "half of the faces missing"),  # the number of faces is not known
    ("npz", "faces outside their photographs"),  # no photographs
    ("cofw68-mat (COFW-68)", "faces outside their photographs"),  # the photographs are in COFW's file
}

CASES = [
    pytest.param(name, fault, id=f"{name}-{fault}")
    for name in FORMATS
    for fault in PLANTED
    if (name, fault) not in IMPOSSIBLE
]


@pytest.mark.parametrize("name", FORMATS)
def test_the_right_files_give_no_finding(tmp_path: Path, name: str) -> None:
    kind = FORMATS[name]
    content = plausible(kind.scheme)
    folder = tmp_path / "data"
    folder.mkdir()
    kind.write(folder, content)
    report = check(folder, kind)
    expected = {"subset-missing"} if name.startswith("mmpose-json (300-W") else set()
    expected |= {"no-photographs"} if name.startswith("cofw68") else set()  # they are in COFW's file
    assert {finding.code for finding in report.findings if finding.severity != "note"} <= expected, report.findings
    if kind.second is not None:
        kind.second(folder, content)
        assert {finding.code for finding in check(folder, kind).findings} <= {"subset-missing", "no-photographs"}


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_every_fault_is_found_or_refused(tmp_path: Path, name: str, fault: str) -> None:
    kind = FORMATS[name]
    plant, expected = PLANTED[fault]
    folder = tmp_path / "data"
    folder.mkdir()
    plant(folder, kind, plausible(kind.scheme))
    found = findings(folder, kind) & expected
    assert found
    if os.environ.get("UPDATE_FAULTS"):
        _update(name, fault, min(found))
    assert table()[fault][name] == min(found)


def test_every_format_has_ten_faults() -> None:
    for name in FORMATS:
        assert sum(case.values[0] == name for case in CASES) >= 10


def test_the_page_lists_every_fault_and_format() -> None:
    found = table()
    assert list(found) == list(PLANTED)
    assert all(list(row) == list(FORMATS) for row in found.values())


def table() -> dict[str, dict[str, str]]:
    """Return the page's table: the finding by fault and format."""
    inside = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in inside.splitlines()]
    if len(rows) < 3:
        return {}
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[2:]}


def _update(name: str, fault: str, found: str) -> None:
    old = table()
    cells = {
        one: {kind: "–" if (kind, one) in IMPOSSIBLE else old.get(one, {}).get(kind, "?") for kind in FORMATS}
        for one in PLANTED
    }
    cells[fault][name] = found
    lines = ["| fault | " + " | ".join(FORMATS) + " |", "|---" * (len(FORMATS) + 1) + "|"]
    for one, row in cells.items():
        shown = [value if value in (REFUSED, "–", "?") else f"`{value}`" for value in row.values()]
        lines.append(f"| {one} | " + " | ".join(shown) + " |")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    assert rest, f"{PAGE} has no {BEGIN}"
    write_atomically(PAGE, head + BEGIN + "\n".join(lines) + "\n" + END + rest.partition(END)[2])
