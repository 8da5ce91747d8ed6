"""The small data set of the tests of data sets."""

from __future__ import annotations

from load_module import load_module

_datasets = load_module("datasets/conftest.py")
original, tiny = _datasets.original, _datasets.tiny
