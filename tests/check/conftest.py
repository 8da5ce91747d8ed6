"""Small runs with known errors, built through the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmebench import scoring
from nmebench.files import FileHash
from nmebench.runs.run_store import (
    CellRecord,
    DatasetRecord,
    FaceTable,
    ModelRecord,
    Provenance,
    Run,
    RunRecord,
    cell_id,
)

POINTS = 98
Protocol = tuple[str, str, str, str]
"""Model, decoder, flip, box."""


def faces(count: int = 60, seed: int = 0, share: float = 0.3) -> FaceTable:
    """Faces with an inter-ocular distance of 20 to 60 px; a share of them sits in another's photograph."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(50, 200, (count, POINTS, 2))
    normaliser = rng.uniform(20, 60, count)
    image = [f"photo {i if rng.random() > share else i // 2}.jpg" for i in range(count)]
    subsets = {"test": np.ones(count, bool), "pose": np.arange(count) % 4 == 0, "blur": np.arange(count) % 3 == 0}
    return FaceTable(
        image, np.arange(1, count + 1), truth, normaliser, subsets, truth.mean(axis=1), np.ptp(truth, axis=1)
    )


def displaced(table: FaceTable, nme: np.ndarray | float, seed: int = 1) -> np.ndarray:
    """Landmarks whose NME is ``nme`` percent for each face, every landmark off by the same distance."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, table.landmarks.shape[:2])
    distance = np.broadcast_to(np.asarray(nme, float), len(table)) / 100 * table.normaliser
    return table.landmarks + distance[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def write(
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
    scored: bool = True,
) -> Run:
    """A run of the given landmarks."""
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
def make_run(tmp_path) -> Callable[..., Run]:
    """``make_run({protocol: nme or landmarks}, ...)``; see :func:`write`."""

    def make(cells, *, name: str = "run", table: FaceTable | None = None, **options: Any) -> Run:
        table = table or faces()
        landmarks = {
            protocol: value if np.ndim(value) == 3 else displaced(table, value) for protocol, value in cells.items()
        }
        return write(tmp_path / name, table, landmarks, **options)

    return make


@pytest.fixture
def small_faces() -> FaceTable:
    """Sixty faces; see :func:`faces`."""
    return faces()


@pytest.fixture(scope="session")
def many_faces() -> FaceTable:
    """Five hundred faces."""
    return faces(500, seed=8)
