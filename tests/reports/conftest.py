"""Run folders like those of a sweep, drawn from a seed: networks x decoders x flips x boxes, clustered faces."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from nmebench.checks.verdict import CauseFinding, Verdict, VerdictRow
from nmebench.files import FileHash
from nmebench.runs.cell_id import cell_id
from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_record import CellRecord, DatasetRecord, ModelRecord, Provenance, RunRecord
from nmebench.runs.run_store import Run
from nmebench.runs.thumbnail import Thumbnail

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
GROUPS = {
    "contour": (0, 33), "right-brow": (33, 42), "left-brow": (42, 51), "nose-line": (51, 55), "nose-base": (55, 60),
    "right-eye": (60, 68), "left-eye": (68, 76), "outer-lip": (76, 88), "inner-lip": (88, 96), "pupils": (96, 98),
}  # fmt: skip
SHARES = {"pose": 0.13, "expression": 0.13, "illumination": 0.28, "makeup": 0.08, "occlusion": 0.29, "blur": 0.31}
FULL = {
    "test": 2500, "pose": 326, "expression": 314, "illumination": 698, "makeup": 206, "occlusion": 736, "blur": 773,
}  # fmt: skip
COLUMNS = (
    "dataset", "subset", "faces", "model", "decoder", "flip", "box", "nme", "fr10", "auc10", "fr10_count",
    "expected_faces", "nme_low", "nme_high", "fr10_low", "fr10_high", "auc10_low", "auc10_high", "normaliser", "cell",
)  # fmt: skip
DECODERS = (
    "argmax", "quarter-offset", "dark", "dark:kernel=17", "udp", "soft-argmax", "local-soft-argmax", "subpixel-ls",
    "gaussian-fit", "top2",
)  # fmt: skip
MODELS = ("hrnetv2-w18-dark", "hrnetv2-w18", "mobilenetv3-small")


def _ellipse(centre: tuple[float, float], radii: tuple[float, float], angles: Sequence[float]) -> np.ndarray:
    turn = np.radians(np.asarray(angles))
    return np.stack([centre[0] + radii[0] * np.cos(turn), centre[1] + radii[1] * np.sin(turn)], axis=1)


def mean_face() -> np.ndarray:
    """A plausible frontal face in the 98-point order, [98, 2] in a unit box."""
    brow = np.stack([np.linspace(-0.16, 0.16, 9), -0.02 - 0.03 * np.cos(np.linspace(-1.4, 1.4, 9))], axis=1)
    nose = np.stack([np.full(4, 0.5), np.linspace(0.36, 0.56, 4)], axis=1)
    base = np.stack([np.linspace(0.42, 0.58, 5), 0.62 + 0.02 * np.cos(np.linspace(-1.5, 1.5, 5))], axis=1)
    return np.concatenate(
        [
            _ellipse((0.5, 0.36), (0.44, 0.6), np.linspace(180, 0, 33)),
            np.add(brow, [0.29, 0.27]),
            np.add(brow, [0.71, 0.27]),
            nose,
            base,
            _ellipse((0.3, 0.38), (0.09, 0.035), np.arange(8) * 45 + 180),
            _ellipse((0.7, 0.38), (0.09, 0.035), np.arange(8) * 45 + 180),
            _ellipse((0.5, 0.77), (0.17, 0.07), np.arange(12) * 30 + 180),
            _ellipse((0.5, 0.77), (0.12, 0.025), np.arange(8) * 45 + 180),
            np.array([[0.3, 0.38], [0.7, 0.38]]),
        ]
    )


def _picture(points: np.ndarray, rng: np.random.Generator, side: int) -> bytes:
    shade = rng.integers(60, 190)
    image = np.full((side, side, 3), shade, np.uint8) + rng.integers(0, 18, (side, side, 3), dtype=np.uint8)
    skin = tuple(int(c) for c in rng.integers(110, 230, 3))
    cv2.fillPoly(image, [cv2.convexHull(points[:51].astype(np.int32))], skin)
    for group in ("right-eye", "left-eye", "outer-lip"):
        first, last = GROUPS[group]
        cv2.fillPoly(image, [points[first:last].astype(np.int32)], tuple(int(c * 0.5) for c in skin))
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def _scores(record: RunRecord, faces: FaceTable, per_face: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = []
    for cell in record.cells:
        for subset, mask in faces.subsets.items():
            nme = per_face[cell.id][mask]
            if not len(nme):
                continue
            count, fail, area = len(nme), nme > 10, np.clip(1 - nme / 10, 0, None)
            half = 1.96 / max(count, 1) ** 0.5
            rows.append(
                {
                    "dataset": record.dataset.name,
                    "subset": subset,
                    "faces": count,
                    "model": cell.model,
                    "decoder": cell.decoder,
                    "flip": cell.flip,
                    "box": cell.box,
                    "nme": nme.mean(),
                    "fr10": 100 * fail.mean(),
                    "auc10": area.mean(),
                    "fr10_count": int(fail.sum()),
                    "expected_faces": record.dataset.expected.get(subset, ""),
                    "nme_low": nme.mean() - half * nme.std(),
                    "nme_high": nme.mean() + half * nme.std(),
                    "fr10_low": max(0.0, 100 * (fail.mean() - half * fail.std())),
                    "fr10_high": 100 * (fail.mean() + half * fail.std()),
                    "auc10_low": area.mean() - half * area.std(),
                    "auc10_high": area.mean() + half * area.std(),
                    "normaliser": record.normaliser,
                    "cell": cell.id,
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def verdict(record: RunRecord) -> Verdict:
    """A verdict as ``check`` writes it, with a row of every status."""
    cell = record.cells[0]
    cause = CauseFinding(
        cause="flip shift", detail="without the one-pixel shift the NMEs are 6.99.", explains=True, explained=0.97
    )
    rows = [
        ("nme", "test", 3.98, "3.98", 3.979, "reproduced", "rounds to 3.98"),
        ("nme", "pose", 6.99, "6.99", 7.31, "deviates", "0.32 points above the reported value"),
        ("nme", "expression", 4.30, "4.30", 4.5, "deviates", "0.20 points above the reported value"),
        ("fr10", "test", 4.12, "4.12", 4.12, "reproduced", "103 of 2500 faces"),
        ("nme", "blur", 4.57, "4.57", 4.6, "not comparable", "143 of 2500 faces"),
        ("nme", "makeup", 3.87, "3.87", None, "not run", "no cell with decoder dark and flip"),
    ]  # fmt: skip
    return Verdict(
        rows=tuple(
            VerdictRow(
                model=cell.model,
                dataset="wflw",
                table="mmpose 0.x",
                metric=metric,
                subset=subset,
                cell=cell.id,
                reported=reported,
                reported_text=text,
                measured=measured,
                difference=None if measured is None else measured - reported,
                allowed=f"rounding of {text} and 0.03",
                status=status,
                reason=reason,
                source="https://mmpose.readthedocs.io/en/v0.29.0/topics/face.html",
                causes=(cause,) if status == "deviates" else (),
            )
            for metric, subset, reported, text, measured, status, reason in rows
        )
    )


def build_run(
    path: Path,
    *,
    models: Sequence[str] = MODELS,
    decoders: Sequence[str] = DECODERS,
    flips: Sequence[str] = ("none", "flip+shift"),
    boxes: Sequence[str] = ("landmarks",),
    faces: int = 500,
    side: int = 128,
    pictures: bool = True,
    image_names: Sequence[str] | None = None,
    card: dict[str, Any] | None = None,
    with_verdict: bool = True,
    seed: int = 7,
    **record_fields: Any,
) -> Run:
    """Write a complete run folder to ``path``, which is created if it is missing, and open it."""
    rng = np.random.default_rng(seed)
    path.mkdir(parents=True, exist_ok=True)
    names = image_names or [f"{i * 4 // 5 % 61}--Event/{i * 4 // 5 % 61}_Event_{i * 4 // 5}.jpg" for i in range(faces)]
    scale = rng.lognormal(5.2, 0.6, faces)
    origin = rng.uniform(10, 400, (faces, 2))
    pose = rng.normal(0, 0.05, (faces, 98, 2)) * 0.2 + rng.normal(0, 0.06, (faces, 1, 2))
    truth = origin[:, None] + (mean_face() + pose) * scale[:, None, None]
    low, high = truth.min(1), truth.max(1)
    centre, size = (low + high) / 2, np.repeat((high - low).max(1, keepdims=True) * 1.25, 2, axis=1)
    normaliser = np.linalg.norm(truth[:, 60] - truth[:, 72], axis=1)
    subsets = {"test": np.ones(faces, bool)} | {s: rng.random(faces) < share for s, share in SHARES.items()}
    table = FaceTable(names, np.arange(faces), truth, normaliser, subsets, centre, size)

    cells, per_face = [], {}
    hard = rng.lognormal(0, 0.45, faces) * (1 + 1.2 * subsets["pose"])
    shared_noise = rng.normal(0, 1, (faces, 98, 2))
    for m, model in enumerate(models):
        own = 0.75 * shared_noise + 0.66 * rng.normal(0, 1, (faces, 98, 2))
        for d, decoder in enumerate(decoders):
            for flip in flips:
                for box in boxes:
                    level = (0.028 + 0.006 * m) * (1.12 if d == 0 else 1 + 0.004 * d)
                    level *= (1.0 if flip == "none" else 0.97) * (1.05 if box != boxes[0] else 1.0)
                    noise = own + 0.05 * rng.normal(0, 1, own.shape)
                    spread = np.linspace(1.5, 0.7, 98)[None, :, None]
                    landmarks = truth + noise * spread * (level * hard * normaliser)[:, None, None]
                    cell = CellRecord(
                        id=cell_id(model, decoder, flip, box),
                        model=model,
                        decoder=decoder,
                        flip=flip,
                        box=box,
                        counts={"empty": d, "steps_over_1px": 3 * d + m, "maps": faces * 98},
                    )
                    cells.append(cell)
                    Run.write_cell(path, cell.id, landmarks, rng.random((faces, 98)))
                    error = np.linalg.norm(landmarks.astype(np.float32) - truth, axis=2).mean(1)
                    per_face[cell.id] = 100 * error / normaliser

    thumbnails = None
    if pictures:
        warps = [np.array([[side / w, 0, side / 2 - x * side / w], [0, side / h, side / 2 - y * side / h]])
                 for (x, y), (w, h) in zip(centre, size, strict=True)]  # fmt: skip
        thumbnails = [
            Thumbnail(_picture(points @ warp[:, :2].T + warp[:, 2], rng, side), (side, side), warp)
            for points, warp in zip(truth, warps, strict=True)
        ]
    card = card or {
        "licence": "Apache-2.0",
        "source": "open-mmlab/mmpose",
        "input": {"size": [256, 256], "box": "landmarks", "colour": "rgb"},
        "test": {"decoder": "dark", "flip": True, "shift": True},
    }
    record = RunRecord(
        **{
            "dataset": DatasetRecord(
                name="wflw",
                spec="wflw:WFLW",
                format="wflw-rect-attr",
                scheme="wflw98",
                faces=faces,
                expected=FULL,
                coverage=f"{faces} of 2500 faces" if faces != 2500 else "2500 faces",
                counts={s: int(m.sum()) for s, m in subsets.items()},
                groups={g: list(range(*ends)) for g, ends in GROUPS.items()},
                files=[FileHash(name="list_98pt_rect_attr_test.txt", sha256="ab" * 32, bytes=1234567)],
                notes=["The rectangles are the landmarks' extents."],
            ),
            "models": [
                ModelRecord(
                    name=name,
                    architecture="hrnetv2-w18",
                    card=card,
                    card_file=f"{name}.toml",
                    weights_sha256="cd" * 32,
                    weights_name=f"{name}.pth",
                    parameters=9_660_000,
                    renamed=3,
                    input_size=(256, 256),
                    heatmap_size=(64, 64),
                    engine="onnxruntime",
                    engine_difference=3.1e-6,
                )
                for name in models
            ],
            "cells": cells,
            "configuration": {"data": "wflw:WFLW", "limit": None},
            "provenance": Provenance(
                nmebench="0.1.0",
                git_commit="0123456789abcdef0123456789abcdef01234567",
                git_dirty=True,
                code_sha256="ef" * 32,
                command=["nmebench", "run", "--data", "wflw:WFLW", "--model", (*models, "none")[0], "-o", str(path)],
                packages={"numpy": "2.4.6", "torch": "2.14.1", "opencv-python-headless": "4.14.0"},
                python="3.11.2",
                threads=2,
                deterministic=True,
                host={"processor": "an x86-64", "memory_gib": "16"},
            ),
            "not_run": [
                "The HRNetV2-W18 AWing row was not run: its weights are missing; get them with `nmebench fetch`."
            ],
            **record_fields,
        }
    )
    run = Run.create(
        path,
        record,
        table,
        thumbnails=thumbnails,
        timings={"stages": {"decode": 12.5, "network": 80.25}, "cells": {c.id: 3.5 for c in cells[:1]}},
    )
    run.write_scores(_scores(record, table, per_face), per_face)
    if with_verdict and cells:
        run.write_json("verdict.json", verdict(record).model_dump(mode="json"))
    return run


@pytest.fixture(scope="session")
def make_report_run() -> Callable[..., Run]:
    """Function that builds runs; see :func:`build_run`."""
    return build_run


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two networks, three decoders, two boxes, and 60 faces, some of which share a photograph."""
    return build_run(
        tmp_path_factory.mktemp("small") / "run",
        models=MODELS[:2],
        decoders=DECODERS[:3],
        boxes=("landmarks", "rect"),
        faces=60,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; tests that need it are skipped without it."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'"
    )
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"no browser at {CHROMIUM}: install Chromium, or name one in the variable CHROMIUM")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def open_file(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page; afterwards check that it requested no other file and logged no error."""
    pages, wrong = [], []

    def opened(file: Path, **options: Any) -> Any:
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **options})
        page.on("request", lambda r: r.url.startswith(("file:", "data:")) or wrong.append(r.url))
        page.on("console", lambda m: m.type in ("error", "warning") and wrong.append(m.text))
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.goto(file.as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert wrong == []
