"""Copies of batches to a CUDA device while it computes the batch before."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["CudaCopies", "CudaDevice", "Device"]


class Device(Protocol):
    """The operations of a device that :class:`CudaCopies` needs; tests replace it."""

    def pinned(self, like: Tensor) -> Tensor:
        """Return an empty page-locked buffer on the host."""

    def copy(self, buffer: Tensor) -> tuple[Tensor, Any]:
        """Start the copy of a buffer beside the computation; return the copy, and the event that it has ended."""

    def wait(self, event: Any) -> None:
        """Wait for an event on the host."""

    def compute_after(self, event: Any, copy: Tensor) -> None:
        """Let everything that is computed from now on wait for an event, on the device."""


class CudaCopies:
    """Copies batches through two page-locked buffers in turn.

    The host writes one buffer while the other one is copied, and both happen while the device computes the batch
    before. A buffer is written again only after its last copy has ended.
    """

    def __init__(self, device: Device) -> None:
        """Start without buffers; the first batches determine their size."""
        self._device = device
        self._slots: list[tuple[Tensor, Any] | None] = [None, None]
        self._next = 0

    def __call__(self, images: Tensor) -> Tensor:
        """Return a copy of images on the device, for what is computed after this call.

        Args:
            images: ``[N, 3, H, W]`` float32 on the host; not changed, and free to change after the call.
        """
        slot = self._slots[self._next]
        if slot is not None:
            self._device.wait(slot[1])
        buffer = None if slot is None else slot[0]
        if buffer is None or buffer.shape[1:] != images.shape[1:] or len(buffer) < len(images):
            buffer = self._device.pinned(images)
        part = buffer[: len(images)]
        part.copy_(images)
        copy, event = self._device.copy(part)
        self._device.compute_after(event, copy)
        self._slots[self._next] = buffer, event
        self._next = 1 - self._next
        return copy


class CudaDevice:
    """The current CUDA device, with a stream of its own for copies."""

    def __init__(self) -> None:
        """Create the stream."""
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def pinned(self, like: Tensor) -> Tensor:
        """Return an empty page-locked buffer on the host."""
        return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)

    def copy(self, buffer: Tensor) -> tuple[Tensor, Any]:
        """Start the copy of a buffer on the stream for copies."""
        with torch.cuda.stream(self._stream):
            copy = buffer.to("cuda", non_blocking=True).contiguous(memory_format=torch.channels_last)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(self._stream)
        return copy, event

    def wait(self, event: Any) -> None:
        """Wait on the host until a copy has ended."""
        event.synchronize()

    def compute_after(self, event: Any, copy: Tensor) -> None:
        """Let the current stream wait for a copy, whose memory it uses."""
        stream = torch.cuda.current_stream()
        stream.wait_event(event)
        copy.record_stream(stream)
