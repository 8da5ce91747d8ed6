"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import hypothesis
import numpy as np
import pytest
from mmpose_peer import allow_import

from nmebench import scoring
from nmebench.datasets.dataset import Dataset
from nmebench.files import FileHash
from nmebench.geometry.scheme import load
from nmebench.runs.cell_id import cell_id
from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_record import CellRecord, DatasetRecord, ModelRecord, Provenance, RunRecord
from nmebench.runs.run_store import Run

pytest_plugins = ["nmebench.decoders.pytest_plugin"]

# Equal draws on every run, so that no test fails by chance; HYPOTHESIS_PROFILE=default draws new examples.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

ROOT = Path(__file__).resolve().parents[1]

Protocol = tuple[str, str, str, str]
"""Model, decoder, flip test, box rule."""


@pytest.fixture(scope="session")
def shared() -> Path:
    """The developers' folder of reference material next to the checkout; tests that need it are skipped without it."""
    folder = ROOT.parent / "shared"
    if not (folder / "oracle").is_dir():
        pytest.skip("the reference material next to the checkout (../shared) is missing")
    return folder


@pytest.fixture
def faces() -> Callable[..., Dataset]:
    """A function that makes a dataset from landmarks ``[N, 98, 2]`` and boxes."""

    def make(landmarks: np.ndarray, rect: np.ndarray | None = None, centre_scale: np.ndarray | None = None) -> Dataset:
        count = len(landmarks)
        return Dataset(
            name="wflw",
            spec="wflw:nowhere",
            root=Path("nowhere"),
            format="official-list",
            scheme=load("wflw98"),
            images=("a.jpg",) * count,
            image_root=None,
            lines=np.arange(count) + 1,
            landmarks=landmarks,
            subsets={"test": np.ones(count, dtype=bool)},
            expected={"test": 2500},
            rect=rect,
            centre_scale=centre_scale,
            files=(),
        )

    return make


@pytest.fixture(scope="session")
def mmdet_stand_in() -> None:
    """Makes ``mmpose.models`` importable where mmpose is installed."""
    allow_import()


def face_table(count: int = 60, seed: int = 0, share: float = 0.3) -> FaceTable:
    """Faces with a normaliser of 20 to 60 px; a ``share`` of them is in the photograph of another face."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(50, 200, (count, 98, 2))
    normaliser = rng.uniform(20, 60, count)
    image = [f"photo {i if rng.random() > share else i // 2}.jpg" for i in range(count)]
    subsets = {"test": np.ones(count, bool), "pose": np.arange(count) % 4 == 0, "blur": np.arange(count) % 3 == 0}
    return FaceTable(
        image, np.arange(1, count + 1), truth, normaliser, subsets, truth.mean(axis=1), np.ptp(truth, axis=1)
    )


def displaced(table: FaceTable, nme: np.ndarray | float, seed: int = 1) -> np.ndarray:
    """Landmarks with an NME of ``nme`` percent per face: every landmark of a face is off by the same distance."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, table.landmarks.shape[:2])
    distance = np.broadcast_to(np.asarray(nme, float), len(table)) / 100 * table.normaliser
    return table.landmarks + distance[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def write_run(
    path: Path,
    table: FaceTable,
    cells: Mapping[Protocol, np.ndarray],
    *,
    cards: Mapping[str, dict[str, Any]] | None = None,
    dataset: str = "wflw",
    expected: Mapping[str, int] | None = None,
    configuration: Mapping[str, Any] | None = None,
    packages: Mapping[str, str] | None = None,
    weights: Mapping[str, str] | None = None,
    kind: Literal["sweep", "score"] = "sweep",
    scored: bool = True,
) -> Run:
    """Write a run folder with the given landmarks ``[N, 98, 2]`` (image px) by cell."""
    path.mkdir(parents=True)
    counts = {name: int(mask.sum()) for name, mask in table.subsets.items()}
    records = []
    for (model, decoder, flip, box), landmarks in cells.items():
        records.append(
            CellRecord(id=cell_id(model, decoder, flip, box), model=model, decoder=decoder, flip=flip, box=box)
        )
        Run.write_cell(path, records[-1].id, landmarks, np.ones(landmarks.shape[:2]))
    models = [
        ModelRecord(
            name=name,
            architecture="hrnetv2-w18",
            card=(cards or {}).get(name, {"name": name}),
            input_size=(256, 256),
            heatmap_size=(64, 64),
            weights_sha256=(weights or {}).get(name),
        )
        for name in dict.fromkeys(protocol[0] for protocol in cells)
    ]
    record = RunRecord(
        kind=kind,
        configuration=dict(configuration or {}),
        dataset=DatasetRecord(
            name=dataset,
            spec=f"{dataset}:somewhere",
            format="rect-attr",
            scheme="wflw98",
            faces=len(table),
            expected=dict(counts if expected is None else expected),
            counts=counts,
            files=[FileHash(name="list.txt", sha256="0" * 64, bytes=1)],
        ),
        models=models,
        cells=records,
        provenance=Provenance(nmebench="0", packages=dict(packages or {})),
    )
    run = Run.create(path, record, table)
    if scored:
        scoring.score(run, resamples=200)
    return run


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """``make_run({protocol: nme or landmarks}, ...)`` writes a small run; see :func:`write_run`."""

    def make(
        cells: Mapping[Protocol, np.ndarray | float],
        *,
        name: str = "run",
        table: FaceTable | None = None,
        **options: Any,
    ) -> Run:
        table = table or face_table()
        landmarks = {
            protocol: np.asarray(value) if np.ndim(value) == 3 else displaced(table, value)
            for protocol, value in cells.items()
        }
        return write_run(tmp_path / name, table, landmarks, **options)

    return make


@pytest.fixture
def small_faces() -> FaceTable:
    """Sixty faces; see :func:`face_table`."""
    return face_table()


@pytest.fixture(scope="session")
def many_faces() -> FaceTable:
    """Five hundred faces."""
    return face_table(500, seed=8)
