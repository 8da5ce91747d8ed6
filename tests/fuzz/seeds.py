"""Valid files that seed the fuzzer, made from fixed seeds."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import torch

from nmebench.checks.check_run import check
from nmebench.runs.run_store import Run

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))

import six_faces  # isort: skip

ROOT = Path(__file__).resolve().parents[2]
POINTS = 98
CELL = six_faces.CELL


def _numbers(points: int) -> list[str]:
    return [f"{10 + index % 7 + index / 10:.6f}" for index in range(2 * points)]


def annotations(points: int) -> dict[str, bytes]:
    numbers = _numbers(points)
    table = {
        "images": [{"id": 1, "file_name": "a/b.jpg"}, {"id": 2, "file_name": "a/c d.jpg"}],
        "annotations": [
            {
                "image_id": 1 + n,
                "keypoints": [value for k in range(points) for value in (10.5 + 3 * k + n, 20.5 + 7 * (k % 11), 1)],
                "center": [5.5, 6.5],
                "scale": 0.4,
                "id": n,
            }
            for n in range(2)
        ],
    }
    pairs = [[10.5 + 3 * k, 20.5 + 7 * (k % 11)] for k in range(points)]
    faces = [{"image": "a/b.jpg", "landmarks": pairs, "subsets": ["dark"], "box": [1, 2, 30.5, 40]}]
    header = [
        "image_name",
        "scale",
        "center_w",
        "center_h",
        *(f"original_{i}_{axis}" for i in range(points) for axis in "xy"),
    ]
    rectangle = "1 2 30 40 0 1 0 0 0 1 a/b c.jpg"
    texts = {
        "official-attr.txt": f"# comment\n{' '.join(numbers)} {rectangle}\n{' '.join(numbers)} {rectangle}\n",
        "official-list.txt": " ".join([*numbers, "a/b.jpg"]) + "\n",
        "hrnet-csv.csv": ",".join(header) + "\n" + ",".join(["a/b.jpg", "0.4", "5.5", "6.5", *numbers]) + "\n",
        "mmpose-json.json": json.dumps(table),
        "faces-json.json": json.dumps({"faces": faces}),
    }
    return {name: text.encode() for name, text in texts.items()}


def points_files() -> dict[str, bytes]:
    """One ``.pts`` file of 300-W."""
    lines = "\n".join(f"{40 + 3 * (k % 9)}.5 {30 + 5 * (k // 9)}.25" for k in range(68))
    return {"face.pts": f"version: 1\nn_points:  68\n{{\n{lines}\n}}\n".encode()}


BENCHMARK = b"""name = "mine"
title = "Mine"
[scheme]
name = "mine2"
points = 2
default_normaliser = "width"
flip = { pairs = [[0, 1]] }
groups = { eyes = [0, 1] }
normalisers.width = { kind = "distance", first = [0], second = [1], source = "ours" }
[files.test]
faces-json = "mine.json"
[counts.test]
test = 1
dark = 1
[folders]
dark = ["a/"]
"""


def _npz(**arrays: Any) -> bytes:
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return sink.getvalue()


def _npy(array: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def landmark_archives() -> dict[str, bytes]:
    attributes = np.array(["largepose", "expression", "illumination", "makeup", "occlusion", "blur"])
    return {
        "geometry.npz": _npz(
            image=np.array(["a.jpg"]),
            keypoints98=np.random.default_rng(0).uniform(0, 200, (1, POINTS, 2)),
            full98=np.array([True]),
            attributes=np.zeros((1, 6), np.uint8),
            attribute_names=attributes,
        ),
        "landmarks.npz": _npz(
            landmarks=np.random.default_rng(0).uniform(0, 200, (2, POINTS, 2)),
            images=np.array(["a", "b"]),
            subset_blur=np.array([True, False]),
        ),
    }


IMAGES = ("x/a.jpg", "x/a.jpg", "y/b c.jpg")


def predictions() -> dict[str, bytes]:
    array = np.random.default_rng(0).uniform(0, 200, (3, 2, 2))
    packed = io.BytesIO()
    np.savez_compressed(packed, landmarks=array)
    rows = [f"{face},{image},1.5,2.5,3.5,4.5" for face, image in enumerate(IMAGES)]
    return {
        "a.npy": _npy(array),
        "a.npz": _npz(landmarks=array),
        "packed.npz": packed.getvalue(),
        "a.csv": "\n".join(["face,image,x0,y0,x1,y1", *rows]).encode(),
        "image.csv": b"image,x0,y0\nc,1,2\nd/a,1,2\nb,3,4\n",
        "face.csv": b"face,x0,y0\n0,1,2\n2,1,2\n1,3,4\n",
    }


SWEEP = b"""data = "synthface"
models = ["oracle", {card = "net.toml", weights = "net.pth"}]
decoders = ["dark", "dark:kernel=17"]
flip = ["none", "flip+shift"]
boxes = ["landmarks"]
box_padding = 1.25
batch_size = 8
limit = 10
options = {sigma = 2.0}
keep_crops = true
"""


ORACLE = b"""name = "net"
architecture = "oracle"
options = {sigma = 2.0, noise = 0.0}
[input]
size = [256, 256]
[output]
kind = "heatmaps"
"""


SPECS = (
    b"dark:kernel=17",
    b"soft-argmax:temperature=10.0",
    b"top-k:k=4",
    b"argmax",
    b"mmpose-udp",
    b"local-soft-argmax:window=5",
)


def make_run(path: Path) -> Run:
    """Write a small scored run with every file that a run can have."""
    reported = {"wflw": {"paper": {"nme": {"test": 4.0}, "source": "a test", "tolerance": 0.01}}}
    card = {
        "name": "net",
        "input": {"box": "landmarks", "size": [256, 256], "colour": "rgb"},
        "output": {"kind": "heatmaps"},
        "test": {"decoder": "dark", "flip": False},
        "reported": reported,
    }
    path.mkdir(parents=True)
    run = six_faces.write_run(
        path,
        six_faces.face_table(("a/ä b.jpg", "a/ä b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg")),
        six_faces.record_of(card=card),
        pictures=[cv2.imencode(".jpg", np.zeros((32, 64, 3), np.uint8))[1].tobytes()] * six_faces.FACES,
        timings={"total": 1.5, "stages": {"forward": 1.0}},
        resamples=20,
    )
    run.write_json("verdict.json", check(run).model_dump(mode="json"))
    return run


def pictures() -> dict[str, bytes]:
    draw = np.random.default_rng(0)
    picture = cv2.GaussianBlur(draw.integers(0, 255, (48, 40, 3), np.uint8), (5, 5), 0)
    found = {
        f"cv{suffix}": cv2.imencode(suffix, picture)[1].tobytes()
        for suffix in (".jpg", ".png", ".bmp", ".webp", ".jp2")
    }
    found["progressive.jpg"] = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    found["restart.jpg"] = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_RST_INTERVAL, 1])[1].tobytes()
    found["grey16.png"] = cv2.imencode(".png", picture[..., 0].astype(np.uint16) * 257)[1].tobytes()
    image = PIL.Image.fromarray(picture)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    for name, mode, more in (
        ("cmyk.jpg", "CMYK", {}),
        ("exif.jpg", "RGB", {"exif": exif.tobytes()}),
        ("palette.png", "P", {}),
        ("bit.png", "1", {}),
        ("alpha.png", "RGBA", {}),
        ("grey.gif", "L", {}),
        ("moving.gif", "RGB", {"save_all": True, "append_images": [image, image]}),
        ("moving.webp", "RGB", {"save_all": True, "append_images": [image.rotate(9)]}),
        ("moving.png", "RGB", {"save_all": True, "append_images": [image.rotate(9)]}),
        ("lossless.webp", "RGB", {"lossless": True}),
        ("lzw.tif", "RGB", {"compression": "tiff_lzw"}),
        ("jpeg.tif", "RGB", {"compression": "jpeg"}),
        ("deflate.tif", "RGB", {"compression": "tiff_deflate"}),
        ("fax.tif", "1", {"compression": "group4"}),
        ("plain.tif", "I;16", {}),
        ("float.tif", "F", {}),
        ("palette.bmp", "P", {}),
        ("pil.jp2", "RGB", {}),
    ):
        sink = io.BytesIO()
        form = {
            ".jpg": "JPEG",
            ".png": "PNG",
            ".gif": "GIF",
            ".webp": "WEBP",
            ".tif": "TIFF",
            ".bmp": "BMP",
            ".jp2": "JPEG2000",
        }[Path(name).suffix]
        converted = image.convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)
        converted.save(sink, form, **more)
        found[name] = sink.getvalue()
    found["cut.jpg"] = found["cv.jpg"][:-20] + b"\xff\xd9"
    found["no-end.jpg"] = found["cv.jpg"][:-2]
    found["other.ps"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    found["other.ppm"] = b"P6 2 2 255\n" + b"\1" * 12
    return found


class _Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 2, 1))


def small_network() -> torch.nn.Module:
    torch.manual_seed(0)
    return _Small().eval()


def checkpoints() -> dict[str, bytes]:
    import safetensors.torch

    network = small_network()
    found = {"own.safetensors": safetensors.torch.save(network.state_dict())}
    contents: dict[str, Any] = {
        "plain.pth": network.state_dict(),
        "wrapped.pth": {"state_dict": network.state_dict(), "meta": {"epoch": 3, "np": np.float64(1)}},
        "half.pth": {
            name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()
        },
        "sparse.pth": {"a": torch.eye(3).to_sparse()},
        "complex.pth": {"a": torch.zeros(3, dtype=torch.complex64)},
        "network.pth": network,
        "meta.pth": {"a": torch.zeros(3, device="meta")},
        "numbers.pth": {1: torch.zeros(2)},
        "expanded.pth": {"a": torch.zeros(1).expand(10)},
    }
    for name, content in contents.items():
        sink = io.BytesIO()
        torch.save(content, sink)
        found[name] = sink.getvalue()
    sink = io.BytesIO()
    torch.save(network.state_dict(), sink, _use_new_zipfile_serialization=False)
    found["legacy.pt"] = sink.getvalue()
    return found


def packed_files() -> dict[str, bytes]:
    members = {"top/a.txt": b"hello\n", "top/b/c.jpg": b"\xff\xd8" * 50, "top/ü.txt": b""}
    found = {}
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(zipfile.ZipInfo(name), content)
    found["a.zip"] = sink.getvalue()
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    found["a.tar"] = sink.getvalue()
    sink = io.BytesIO()
    with gzip.GzipFile(fileobj=sink, mode="wb", mtime=0) as packed_tar:
        packed_tar.write(found["a.tar"])
    found["a.tar.gz"] = sink.getvalue()
    return found


LOCK = json.dumps(
    {"schema": 1, "files": {"net": {"file": "net.pth", "sha256": "0" * 64, "bytes": 5, "origin": "by hand"}}}
).encode()


LOG = b'{"event": "start", "step": 0}\n{"event": "steps", "step": 1, "loss": 0.5}\n{"event": "done", "step": 3}\n'
