"""Brings what decoders found on a device to the host: all landmarks and scores of a batch in one copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch

from nmebench.decoders.interface import Decoded

__all__ = ["decoded_to_host", "is_on_device", "to_host"]

Key = TypeVar("Key")


def is_on_device(tensor: torch.Tensor) -> bool:
    """Return True if a tensor isn't in the host's memory."""
    return tensor.device.type != "cpu"


def to_host(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return tensors in the host's memory, copied together: each copy makes the host wait for the device.

    Args:
        tensors: any shapes; one copy for each dtype and device.

    Example:
        >>> [tensor.tolist() for tensor in to_host([torch.ones(2), torch.zeros(1, 1)])]
        [[1.0, 1.0], [[0.0]]]
    """
    found: list[torch.Tensor] = list(tensors)
    for kind in dict.fromkeys((tensor.dtype, tensor.device) for tensor in tensors):
        places = [n for n, tensor in enumerate(tensors) if (tensor.dtype, tensor.device) == kind]
        joined = _copy(torch.cat([tensors[n].reshape(-1) for n in places]))
        for n, part in zip(places, torch.split(joined, [tensors[n].numel() for n in places]), strict=True):
            found[n] = part.reshape(tensors[n].shape)
    return found


def decoded_to_host(decoded: Mapping[Key, Decoded]) -> dict[Key, Decoded]:
    """Return the results of several decoders in the host's memory, in one copy.

    Args:
        decoded: the results on the device, by any key.
    """
    flat = to_host([tensor for one in decoded.values() for tensor in (one.landmarks, one.scores)])
    return {key: Decoded(flat[2 * n], flat[2 * n + 1], one.counts) for n, (key, one) in enumerate(decoded.items())}


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.cpu()
