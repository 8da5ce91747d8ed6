"""All readers of files that a user can give, by name."""

from __future__ import annotations

from read_datasets import DATASET_READERS  # isort: skip
from read_downloads import DOWNLOAD_READERS  # isort: skip
from read_networks import NETWORK_READERS  # isort: skip
from read_runs import RUN_READERS  # isort: skip
from reader import Reader  # isort: skip

__all__ = ["READERS", "Reader"]

READERS: dict[str, Reader] = {**DATASET_READERS, **NETWORK_READERS, **RUN_READERS, **DOWNLOAD_READERS}
