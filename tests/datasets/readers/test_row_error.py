"""The error class of rows."""

from __future__ import annotations

import pickle

from nmebench.datasets.readers.row_error import RowError


def test_row_error_is_picklable() -> None:
    error = pickle.loads(pickle.dumps(RowError("number", "a:1: no").at(1)))
    assert (error.code, str(error), error.line) == ("number", "a:1: no", 1)
