"""``nmebench bench`` and the machine limits that it prints."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nmebench.__main__ import main
from nmebench.bench import Limits, gflop_per_face, measure_limits, measure_stages, peer_figures


def test_operations_are_two_for_each_multiplication() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.Conv2d(8, 5, 1, bias=False))
    multiplications = 3 * 9 * 8 * 32 * 16 + 8 * 5 * 32 * 16
    assert gflop_per_face(network.eval(), (64, 32)) == pytest.approx(2 * multiplications / 1e9)


def test_limits_are_measured_and_leave_the_number_of_threads() -> None:
    before = torch.get_num_threads()
    limits = measure_limits(1)
    assert limits.threads == 1
    assert limits.gflops > 0
    assert limits.copy_gbs > 0
    assert torch.get_num_threads() == before


def test_stages_hold_what_the_network_needs_at_least() -> None:
    stages = list(measure_stages(network="heatmap-mobilenetv3", engine="torch", limits=Limits(1, 100.0, 1.0), batch=1))
    least = next(stage for stage in stages if "GFLOP" in stage.what)
    assert least.ms == pytest.approx(10 * float(least.what.split()[0]), rel=0.1)
    assert {"read and crop", "normalise", "forward", "decode argmax", "decode dark"} <= {
        stage.stage for stage in stages
    }
    assert all(stage.ms > 0 for stage in stages)


def test_every_stored_figure_says_whose_it_is() -> None:
    machine, figures = peer_figures()
    assert "sgemm" in machine
    assert {"forward", "decode dark"} <= {figure.stage for figure in figures}
    assert all(figure.ms > 0 for figure in figures)


def test_an_unknown_network_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--network", "hrnetv3", "--threads", "1", "--batch-size", "1"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 1
    assert "unknown model 'hrnetv3'" in lines[0]
