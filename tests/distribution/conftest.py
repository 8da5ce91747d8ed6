"""A Dask cluster inside the test's process, and a small sweep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nmebench.distribution.clusters import Connection
from nmebench.sweep.configuration import SweepConfiguration, validate
from nmebench.sweep.execute import Prepared, prepare

pytest.importorskip("distributed")


@pytest.fixture(scope="session")
def configuration() -> SweepConfiguration:
    """Ground truth of 48 faces in 12 batches."""
    raw = {
        "data": "synthface", "limit": 48, "models": ["oracle"], "decoders": ["argmax", "dark"], "batch_size": 4,
        "threads": 1,
    }  # fmt: skip
    return validate(raw, where="a test")


@pytest.fixture(scope="session")
def prepared(configuration: SweepConfiguration) -> Prepared:
    """The planned sweep."""
    return prepare(configuration)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers in this process."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as started:
        yield started


@pytest.fixture
def connection(cluster: Any) -> Iterator[Connection]:
    """A connection to the two workers."""
    from distributed import Client

    one = Connection(lambda: Client(cluster, set_as_default=False), patience=5.0)
    yield one
    one.close()
