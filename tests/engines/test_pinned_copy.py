"""The copies to a device, on a stand-in whose copies end only when the host waits for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nmebench.engines.pinned_copy import CudaCopies


class LateDevice:
    """A device that reads a buffer as late as it may: when its event is waited for."""

    def __init__(self) -> None:
        self.pending: dict[int, tuple[Tensor, Tensor]] = {}
        self.log: list[str] = []
        self.buffers = 0

    def pinned(self, like: Tensor) -> Tensor:
        self.buffers += 1
        return torch.empty_like(like)

    def copy(self, buffer: Tensor) -> tuple[Tensor, Any]:
        copy, number = torch.full_like(buffer, torch.nan), len(self.log)
        self.pending[number] = buffer, copy
        self.log.append(f"copy {number}")
        return copy, number

    def wait(self, event: Any) -> None:
        if event in self.pending:
            buffer, copy = self.pending.pop(event)
            copy.copy_(buffer)

    def compute_after(self, event: Any, copy: Tensor) -> None:
        self.log.append(f"compute after {event}")


def test_no_buffer_is_written_before_its_copy_has_ended() -> None:
    device = LateDevice()
    copies = CudaCopies(device)
    batches = [torch.full((2, 3, 4, 4), float(number)) for number in range(6)]
    found = [copies(batch) for batch in batches]
    assert len(device.pending) == 2  # the host is two batches ahead at most
    for event in list(device.pending):
        device.wait(event)
    assert all(torch.equal(one, other) for one, other in zip(found, batches, strict=True))
    assert device.buffers == 2
    assert device.log == [line for n in range(0, 12, 2) for line in (f"copy {n}", f"compute after {n}")]


def test_a_smaller_batch_uses_the_same_buffer_and_a_larger_one_a_new_one() -> None:
    device = LateDevice()
    copies = CudaCopies(device)
    sizes = [4, 4, 3, 2, 5, 4]
    batches = [torch.rand(size, 3, 4, 4, generator=torch.Generator().manual_seed(size)) for size in sizes]
    found = [copies(batch) for batch in batches]
    for event in list(device.pending):
        device.wait(event)
    assert all(torch.equal(one, other) for one, other in zip(found, batches, strict=True))
    assert device.buffers == 3


def test_the_caller_may_change_the_images_afterwards() -> None:
    device = LateDevice()
    copies = CudaCopies(device)
    images = torch.ones(1, 3, 2, 2)
    found = copies(images)
    images.zero_()
    device.wait(0)
    assert torch.equal(found, torch.ones(1, 3, 2, 2))
