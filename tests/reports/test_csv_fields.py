"""The csv files of the page hold no formulas, and are those of the run otherwise."""

from __future__ import annotations

import base64
import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from nmebench.reports.sections import downloads, landmarks
from nmebench.reports.view import RunView


def files(run):
    view = RunView(run)
    errors = landmarks.section(view)
    assert errors is not None
    links = downloads.section(view, (), replace(errors, table=np.full((len(view.cells), 98), -1.5)))
    return {link.name: base64.b64decode(link.uri.partition("base64,")[2]).decode() for link in links}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_names_are_no_formulas_and_numbers_stay_numbers(make_run, name):
    """An old run may have such names; new ones are refused."""
    run = make_run({(f"{name}net", "dark", "none", "landmarks"): 4.0})
    for file in ("scores.csv", "landmarks.csv"):
        head, *rows = csv.reader(io.StringIO(files(run)[file]))
        assert rows
        for row in rows:
            # The page shows a control character as an escape, which starts no formula.
            assert row[head.index("model")].startswith(("'", "\\x09"))
            assert not any(field[:1] in "=+@\t\r" for field in row if field)
            for field in row:
                if field.startswith("-"):
                    float(field)
    head, *rows = csv.reader(io.StringIO(files(run)["landmarks.csv"]))
    assert rows[0][-1] == "-1.5"


def test_scores_of_a_run_with_plain_names_are_its_own_file(make_run):
    run = make_run({("net", "dark", "none", "landmarks"): 4.0})
    assert files(run)["scores.csv"] == (run.path / "scores.csv").read_text()
