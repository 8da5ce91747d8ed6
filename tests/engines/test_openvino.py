"""The OpenVINO engine: streams, cache, errors, no connections."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nmebench import engines
from nmebench.engines.interface import check_engine
from nmebench.errors import InputError
from nmebench.models.landmark_layout import from_layout

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (2, 2), (6, 3), (7, 1), (8, 4)])
def test_streams_divide_the_threads(
    require_engine: Callable[[str], None], small: nn.Module, threads: int, streams: int
) -> None:
    require_engine("openvino")
    assert engines.create("openvino", small, threads=threads).details["streams"] == streams


def test_each_number_of_threads_is_compiled_once(
    require_engine: Callable[[str], None], small: nn.Module, images: Tensor, cache: Path
) -> None:
    require_engine("openvino")
    for threads, prepared in ((1, "converted and compiled"), (2, "converted and compiled"), (1, "read from the cache")):
        engine = engines.create("openvino", small, threads=threads)
        engine.prepare(images)
        assert engine.prepared == prepared


def test_compiled_network_is_read_from_the_cache(
    require_engine: Callable[[str], None], small: nn.Module, images: Tensor, cache: Path
) -> None:
    require_engine("openvino")
    first = engines.create("openvino", small, threads=1)
    expected = first(images)["heatmaps"]
    assert first.prepared == "converted and compiled"
    second = engines.create("openvino", small, threads=1)
    assert torch.equal(second(images)["heatmaps"], expected)
    assert second.prepared == "read from the cache"
    assert second.details == first.details
    (entry,) = cache.glob("*.network")
    with entry.open("r+b") as file:
        file.seek(200)
        file.write(b"\xff" * 64)
    third = engines.create("openvino", small, threads=1)
    assert torch.equal(third(images)["heatmaps"], expected)
    assert third.prepared == "converted and compiled"


def test_unwritable_cache_is_reported_and_changes_no_output(
    require_engine: Callable[[str], None],
    small: nn.Module,
    images: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_engine("openvino")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path / "file"))
    engine = engines.create("openvino", small, threads=1)
    assert check_engine(engine, small, images) < 1e-5
    assert "; not kept in " in engine.prepared


def test_network_that_cannot_be_converted_gives_a_one_line_error(
    require_engine: Callable[[str], None], images: Tensor
) -> None:
    require_engine("openvino")

    class Untraceable(nn.Module):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            raise ValueError("no tracing here\nplease")

    engine = engines.create("openvino", Untraceable())
    with pytest.raises(InputError, match=r"openvino can't convert Untraceable: .*use --engine torch") as error:
        engine(images)
    assert "\n" not in str(error.value)


def test_network_that_gives_landmarks_as_a_table_is_converted(
    require_engine: Callable[[str], None], images: Tensor
) -> None:
    require_engine("openvino")

    class Table(nn.Module):
        def forward(self, images: Tensor) -> dict[str, Tensor]:
            table = images.mean(dim=(2, 3)).repeat(1, 4).view(-1, 6, 2)
            return {"landmarks": from_layout(table, "xy", "Table")}

    engine = engines.create("openvino", Table())
    assert check_engine(engine, Table(), images) < 1e-5


def test_conversion_opens_no_connection(require_engine: Callable[[str], None], tmp_path: Path) -> None:
    require_engine("openvino")
    code = """
import socket
def refuse(*a, **k):
    raise SystemExit("a connection was opened")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import torch
from nmebench import engines
class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 2, 3, 4, 1)
    def forward(self, images):
        return {"heatmaps": self.conv(images)}
module = Tiny().eval()
engine = engines.create("openvino", module, threads=1)
print(tuple(engine(torch.zeros(1, 3, 32, 32))["heatmaps"].shape))
"""
    environment = {**os.environ, "NMEBENCH_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 2, 8, 8)"


_DELETED_IN_A_THREAD = """
import faulthandler, gc, signal, subprocess, sys, threading
import torch
from nmebench import engines
faulthandler.enable()  # its handlers, and Python's own, run on the alternate signal stack
signal.signal(signal.SIGCHLD, lambda *_: None)
class Named(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 2, 3)
    def forward(self, images):
        return {"heatmaps": self.layer(images)}
held = [engines.create("openvino", Named().eval(), threads=2)]
held[0](torch.zeros(2, 3, 16, 16))
def delete():
    held.clear()
    gc.collect()
other = threading.Thread(target=delete)
other.start()
other.join()
for _ in range(3):
    subprocess.run([sys.executable, "-c", ""], check=True)
print("alive")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX signals")
def test_engine_may_be_deleted_in_another_thread(require_engine: Callable[[str], None], cache: Path) -> None:
    require_engine("openvino")
    done = subprocess.run(
        [sys.executable, "-c", _DELETED_IN_A_THREAD], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr[-500:]
