"""The bytes of the file ``thing.bin`` that a scripted server sends, and its download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nmebench.fetch import Policy, Sources, fetch

__all__ = ["DATA", "fetch_bytes"]

DATA = bytes((i * 37 + i // 251) % 256 for i in range(20_000))


def fetch_bytes(sources: Sources, cache: Path, policy: Policy, **options: Any) -> bytes:
    """Download the file and return its bytes."""
    return fetch("thing", cache=cache, sources=sources, policy=policy, **options).read_bytes()
