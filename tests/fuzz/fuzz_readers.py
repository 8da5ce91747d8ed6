"""Fuzz the readers with atheris: they must return faces or raise a one-line InputError. See README.md."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

INSTRUMENTED = [
    "nmebench.bounded_read",
    "nmebench.datasets",
    "nmebench.geometry.images",
    "nmebench.geometry.jpeg",
    "nmebench.scoring.plausibility",
    "nmebench.scoring.read_predictions",
]
with atheris.instrument_imports(include=INSTRUMENTED):
    from nmebench.bounded_read import parse_json, parse_toml
    from nmebench.datasets import landmarks as landmark_archives
    from nmebench.datasets import wflw_geometry
    from nmebench.datasets.formats import FORMATS, detect_format, read_rows
    from nmebench.datasets.readers.row_error import RowError
    from nmebench.datasets.readers.rows import gather
    from nmebench.errors import InputError
    from nmebench.geometry import images
    from nmebench.scoring.plausibility import misplaced_notes, rounding_note, suspect_note
    from nmebench.scoring.read_predictions import import_predictions

POINTS = 98


def one_line(error: InputError) -> None:
    """Assert that the message can be printed on one line."""
    if "\n" in str(error) or not str(error):
        raise AssertionError(f"not one line: {error!r}")
    str(error).encode("utf-8")


def read_as(kind: str, points: int = POINTS) -> Callable[[bytes], None]:
    """Read the bytes as a file of one format."""

    def target(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        try:
            rows = list(read_rows(text, "file", kind, points))
            for row in rows:
                if isinstance(row, RowError):
                    one_line(row)
            faces = gather(rows, "file", points)
        except InputError as error:
            one_line(error)
            return
        if faces.landmarks.shape != (len(rows), points, 2):
            raise AssertionError(faces.landmarks.shape)

    return target


def read_detect(data: bytes) -> None:
    """Detect the format of the bytes."""
    try:
        kind = detect_format(data.decode("utf-8", "surrogateescape"), "file")
    except InputError as error:
        one_line(error)
        return
    read_as(kind)(data)


def read_archive(load: Callable[..., object]) -> Callable[[bytes], None]:
    """Read the bytes as an archive of landmarks, of WFLW's geometry or of any scheme."""

    def target(data: bytes) -> None:
        with tempfile.NamedTemporaryFile(suffix=".npz") as file:
            file.write(data)
            file.flush()
            try:
                load(file.name, spec="fuzz")
            except InputError as error:
                one_line(error)

    return target


def read_image(data: bytes) -> None:
    """Read the bytes as the header of a photograph, and decode small ones."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(data)
        file.flush()
        try:
            found = images.header(data)
            if found.width * found.height < 1_000_000:
                images.read(file.name)
        except InputError as error:
            one_line(error)


IMAGES = ("x/a.jpg", "x/a.jpg", "y/b c.jpg")


def read_predictions(suffix: str) -> Callable[[bytes], None]:
    """Read the bytes as predictions of three faces, and make the notes on them."""

    def target(data: bytes) -> None:
        with tempfile.NamedTemporaryFile(suffix=f".{suffix}") as file:
            file.write(data)
            file.flush()
            for names in (None, IMAGES, ("a", "b", "c")):
                try:
                    found = import_predictions(Path(file.name), images=names)
                except InputError as error:
                    one_line(error)
                    continue
                faces, points = found.landmarks.shape[:2]
                truth = np.random.default_rng(0).uniform(0, 200, (faces, points, 2))
                distance = np.full(faces, 60.0)
                notes = [suspect_note(found.landmarks, truth, distance), rounding_note(found.landmarks, distance)]
                notes += misplaced_notes(found.landmarks, truth, ["a"] * faces, distance, rows=found.rows)
                if not all(note is None or note.isprintable() for note in notes):
                    raise AssertionError(notes)

    return target


def read_configuration(data: bytes) -> None:
    """Read the bytes as JSON and as TOML."""
    text = data.decode("utf-8", "surrogateescape")
    for parse in (parse_json, parse_toml):
        try:
            parse(text, "file")
        except InputError as error:
            one_line(error)


TARGETS: dict[str, Callable[[bytes], None]] = {
    **{kind: read_as(kind) for kind in FORMATS},
    # Two landmarks keep rows short enough for mutations to produce complete ones.
    **{f"{kind}-short": read_as(kind, 2) for kind in FORMATS},
    "detect": read_detect,
    "geometry-npz": read_archive(wflw_geometry.load),
    "image": read_image,
    "predictions-csv": read_predictions("csv"),
    "predictions-npy": read_predictions("npy"),
    "predictions-npz": read_predictions("npz"),
    "landmarks-npz": read_archive(landmark_archives.load),
    "configuration": read_configuration,
}


def seeds(name: str, folder: Path) -> None:
    """Valid inputs that seed the fuzzer."""
    points = 2 if name.endswith("-short") else POINTS
    numbers = [f"{10 + index % 7 + index / 10:.6f}" for index in range(2 * points)]
    table = {
        "images": [{"id": 1, "file_name": "a/b.jpg"}],
        "annotations": [
            {"image_id": 1, "keypoints": [1.5, 2.5, 1] * points, "center": [5.5, 6.5], "scale": 0.4, "id": 2}
        ],
    }
    header = ["image_name", "scale", "center_w", "center_h"]
    header += [f"original_{index}_{axis}" for index in range(points) for axis in "xy"]
    texts = {
        "official-attr": " ".join([*numbers, "1", "2", "30", "40", "0", "1", "0", "0", "0", "1", "a/b c.jpg"]) + "\n",
        "official-list": " ".join([*numbers, "a/b.jpg"]) + "\n",
        "hrnet-csv": ",".join(header) + "\n" + ",".join(["a/b.jpg", "0.4", "5.5", "6.5", *numbers]) + "\n",
        "mmpose-json": json.dumps(table),
    }
    for kind, text in texts.items():
        if name.startswith(kind) or name == "detect":
            (folder / kind).write_text("# comment\n" + text if kind == "official-attr" else text)
    if name == "image":
        import cv2

        picture = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        for suffix in (".jpg", ".png", ".bmp", ".webp", ".tiff"):
            (folder / f"seed{suffix}").write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
        jpeg = (folder / "seed.jpg").read_bytes()
        (folder / "no-end.jpg").write_bytes(jpeg[:-2])
        (folder / "cut.jpg").write_bytes(jpeg[:-20] + b"\xff\xd9")
        (folder / "progressive.jpg").write_bytes(
            cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
        )
        (folder / "seed.ps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    if name.startswith("predictions"):
        array = np.arange(12.0).reshape(3, 2, 2)
        np.save(folder / "seed.npy", array)
        np.savez_compressed(folder / "packed.npz", landmarks=array)
        np.savez(folder / "seed.npz", landmarks=array)
        rows = [f"{face},{image},1.5,2.5,3.5,4.5" for face, image in enumerate(IMAGES)]
        (folder / "seed.csv").write_text("\n".join(["face,image,x0,y0,x1,y1", *rows]))
        (folder / "image.csv").write_text("image,x0,y0\nc,1,2\nd/a,1,2\nb,3,4\n")
    if name == "landmarks-npz":
        array = np.arange(392.0).reshape(2, 98, 2)
        np.savez(folder / "seed.npz", landmarks=array, images=np.array(["a", "b"]), subset_blur=np.array([True, False]))
    if name == "configuration":
        (folder / "seed.json").write_text(json.dumps(table))
        (folder / "seed.toml").write_text(
            'name = "a"\n[input]\nsize = [1, 2]\nday = 1979-05-27\n[[x]]\ny.z = {a = 1e3}\n'
        )
    if name == "geometry-npz":
        np.savez(
            folder / "seed.npz",
            image=np.array(["a.jpg"]),
            keypoints98=np.zeros((1, POINTS, 2)),
            full98=np.array([True]),
            attributes=np.zeros((1, 6), dtype=np.uint8),
            attribute_names=np.array(["largepose", "expression", "illumination", "makeup", "occlusion", "blur"]),
        )


def main() -> int:
    """Run one target with atheris' own options, or all of them with ``--all --seconds N``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS))
    parser.add_argument("--all", action="store_true", help="every target, each in its own process")
    parser.add_argument("--seconds", type=int, default=60)
    options, rest = parser.parse_known_args()
    if options.all:
        command = [sys.executable, __file__]
        codes = [
            subprocess.run([*command, name, f"-max_total_time={options.seconds}", *rest], check=False).returncode
            for name in TARGETS
        ]
        sys.stdout.write(f"exit codes: {dict(zip(TARGETS, codes, strict=True))}\n")
        return max(codes)
    if options.target is None:
        parser.error("name a target or give --all")
    with tempfile.TemporaryDirectory() as folder:
        seeds(options.target, Path(folder))
        atheris.Setup([sys.argv[0], *rest, "-print_final_stats=1", folder], TARGETS[options.target])
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
