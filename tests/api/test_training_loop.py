"""torchmetrics' class inside a training loop of two epochs, against nmebench.evaluate and nmebench.run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import nmebench as nb
from nmebench import boxes, datasets, synthface
from nmebench.geometry import Geometry, images
from nmebench.geometry.crop import crop, normalise
from nmebench.metrics import AUC, NME, FailureRate

FACES, SIZE, BATCH = 10, (64, 64), 4
MEAN, STD = (120.0, 120.0, 120.0), (64.0, 64.0, 64.0)


class Regressor(nn.Module):
    """Landmarks ``[N, 98, 2]`` in input px: a mean face that training moves."""

    def __init__(self, mean_face: torch.Tensor) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(4))
        self.head = nn.Linear(8 * 16, 196)
        self.register_buffer("mean_face", mean_face)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.mean_face + self.head(self.stem(batch).flatten(1)).view(-1, 98, 2)


def test_two_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torchmetrics = pytest.importorskip("torchmetrics")
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "cache"))
    folder = synthface.make(tmp_path / "faces", faces=FACES, seed=4, workers=1)
    dataset = datasets.load(f"synthface:{folder}")
    placed = boxes.create("landmarks")(dataset).for_input(SIZE)
    geometry = Geometry(placed.centre, placed.size, SIZE)
    crops = [
        crop(images.read(dataset.image_root / name), placed.centre[i], placed.size[i], SIZE, placed.sampling)
        for i, name in enumerate(dataset.images)
    ]
    inputs = torch.from_numpy(normalise(np.stack(crops), mean=MEAN, std=STD, colour="rgb"))
    truth = torch.from_numpy(geometry.image_to_input(dataset.landmarks))
    torch.manual_seed(0)
    net = Regressor(truth.mean(0).float())
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    found = torchmetrics.MetricCollection({"nme": NME("wflw98"), "fr": FailureRate(threshold=8), "auc": AUC()})
    values = []
    for _ in range(2):
        net.train()
        for start in range(0, FACES, BATCH):
            rows = slice(start, start + BATCH)
            loss = (net(inputs[rows]) - truth[rows]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        net.eval()
        seen = []
        with torch.no_grad():
            for start in range(0, FACES, BATCH):
                rows = np.arange(start, min(start + BATCH, FACES))
                preds = geometry.take(rows).input_to_image(net(inputs[rows]).double().numpy())
                found.update(torch.from_numpy(preds), torch.from_numpy(dataset.landmarks[rows]))
                seen.append(preds)
        expected = nb.evaluate(np.concatenate(seen), dataset.landmarks, scheme="wflw98")
        computed = {key: value.item() for key, value in found.compute().items()}
        assert computed == {"nme": expected.nme, "fr": expected.fr(8), "auc": expected.auc(10)}
        values.append(computed["nme"])
        found.reset()
    assert values[1] != values[0]
    model = nb.Model(net, input_size=SIZE, mean=MEAN, std=STD, output="landmarks", unit="input-px")
    run = nb.run(f"synthface:{folder}", model, flip="none", engine="torch", threads=1, batch_size=BATCH)
    (cell,) = run.record.cells
    measured = run.scores.set_index("subset")["nme"]["test"]
    assert measured == pytest.approx(values[1], abs=1e-4)  # the engine folds the BatchNorm
    metric = NME("wflw98")
    metric.update(torch.from_numpy(run.landmarks(cell.id)), torch.from_numpy(run.faces.landmarks))
    assert metric.compute().item() == run.per_face[cell.id].mean()
    assert net.training is False
