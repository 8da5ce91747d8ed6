"""Tests of the metrics for training loops: with torchmetrics as the base class and without it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from predicted_faces import TRUTH as FACES
from predicted_faces import predictions
from torch import nn

import nmebench as nb

TRUTH = torch.from_numpy(FACES)


@pytest.fixture(params=["torchmetrics", "own base"])
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module as it is imported with and without torchmetrics."""
    name = "nmebench.metrics.torch_metric"
    if request.param == "torchmetrics":
        pytest.importorskip("torchmetrics")
    else:
        monkeypatch.setitem(sys.modules, "torchmetrics", None)
    kept = sys.modules.pop(name, None)
    yield importlib.import_module(name)
    sys.modules.pop(name, None)
    if kept is not None:
        sys.modules[name] = kept


def test_base_class(module: ModuleType) -> None:
    installed = sys.modules.get("torchmetrics") is not None
    assert module.NME.__mro__[1].__module__.startswith("torchmetrics" if installed else module.__name__)


@pytest.mark.parametrize("batch", [1, 7, 60])
def test_equals_evaluate_whatever_the_batches(module: ModuleType, batch: int) -> None:
    pred = predictions()
    expected = nb.evaluate(pred, FACES, scheme="wflw98")
    metrics = [module.NME("wflw98"), module.FailureRate("wflw98", threshold=8), module.AUC("wflw98", threshold=8)]
    for start in range(0, 60, batch):
        for metric in metrics:
            metric.update(torch.from_numpy(pred[start : start + batch]), TRUTH[start : start + batch])
    assert [metric.compute().item() for metric in metrics] == [expected.nme, expected.fr(8), expected.auc(8)]


def test_in_a_training_loop(module: ModuleType) -> None:
    """Two epochs of a network that learns a shift; the metric of each epoch is that of its own predictions."""
    torch.manual_seed(0)
    shift = nn.Parameter(torch.tensor([6.0, -4.0]))
    optimiser = torch.optim.SGD([shift], lr=0.3)
    metric = module.NME("wflw98")
    values = []
    for _ in range(2):
        seen = []
        for start in range(0, 60, 20):
            target = TRUTH[start : start + 20].float()
            preds = target + shift
            loss = (preds - target).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            metric(preds, target)
            seen.append(preds.detach())
        values.append(metric.compute().item())
        assert values[-1] == nb.evaluate(torch.cat(seen), TRUTH.float(), scheme="wflw98").nme
        metric.reset()
    assert values[1] < values[0]


def test_forward_gives_the_batch_alone(module: ModuleType) -> None:
    metric = module.NME("wflw98")
    one = metric(TRUTH[:1] + torch.tensor([3.0, 4.0]), TRUTH[:1]).item()
    two = metric(TRUTH[1:2], TRUTH[1:2]).item()
    assert one > 1
    assert two < 1e-4  # float32 of the prediction
    assert metric.compute().item() == pytest.approx((one + two) / 2)


def test_collection_shares_nothing_by_mistake(module: ModuleType) -> None:
    torchmetrics = sys.modules.get("torchmetrics")
    if torchmetrics is None:
        pytest.skip("needs torchmetrics")
    found = torchmetrics.MetricCollection(
        {"nme": module.NME(), "fr8": module.FailureRate(threshold=8), "auc": module.AUC()}
    )
    pred = predictions()
    for start in (0, 30):
        found.update(torch.from_numpy(pred[start : start + 30]), TRUTH[start : start + 30])
    expected = nb.evaluate(pred, FACES, scheme="wflw98")
    assert {key: value.item() for key, value in found.compute().items()} == {
        "nme": expected.nme, "fr8": expected.fr(8), "auc": expected.auc()
    }  # fmt: skip


def test_unlabelled_landmarks_do_not_count(module: ModuleType) -> None:
    gt = TRUTH.clone()
    gt[0, 5] = float("nan")
    metric = module.NME("wflw98")
    metric.update(TRUTH + 1, gt)
    assert metric.compute().item() == nb.evaluate(TRUTH + 1, gt, scheme="wflw98").nme


@pytest.mark.parametrize(
    ("preds", "target", "message"),
    [
        (TRUTH[:2], TRUTH[:3], "must both be"),
        (FACES[:2], TRUTH[:2], r"are ndarray and Tensor; give tensors"),
        (TRUTH[:2, :68], TRUTH[:2, :68], r"\[B, 98, 2\] for wflw98"),
        (TRUTH[:2] * float("nan"), TRUTH[:2], "not finite"),
        (TRUTH[:2], TRUTH[:2] * torch.tensor([1.0, float("nan")]), "one coordinate, or an infinite one"),
        (TRUTH[:2], TRUTH[:2] + float("inf"), "one coordinate, or an infinite one"),
        (TRUTH[:2], TRUTH[:2] * 0, "face 0 of the batch has no normaliser"),
    ],
)
def test_refuses(module: ModuleType, preds: torch.Tensor, target: torch.Tensor, message: str) -> None:
    with pytest.raises(nb.InputError, match=message):
        module.NME("wflw98").update(preds, target)


def test_refuses_to_compute_without_faces(module: ModuleType) -> None:
    with pytest.raises(nb.InputError, match="no faces yet"):
        module.NME("wflw98").compute()
    with pytest.raises(nb.InputError, match="inter-ocular"):
        module.NME("wflw98", normaliser="inter-oculr")
    with pytest.raises(nb.InputError, match=r"write 8 for 0\.08"):
        module.FailureRate(threshold=0.08)


def test_public_names() -> None:
    from nmebench import metrics

    assert {"NME", "FailureRate", "AUC"} <= set(metrics.__all__)
    assert metrics.NME.__module__ == "nmebench.metrics.torch_metric"
    assert not hasattr(metrics, "no_such_name")
