"""Tests of baseline files: round trip, size, and damaged files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from nmebench.errors import InputError
from nmebench.gates import Baseline, gate, make_baseline

DARK = ("net", "dark", "flip+shift", "landmarks")


def test_round_trip_and_size(make_run, many_faces, predictions, tmp_path):
    """40 cells of 500 faces take less than 300 KB; the NME per face is kept to half a quantum."""
    cells = {
        (f"net{i}", "dark", "none", "landmarks"): many_faces.landmarks
        + (1 + i / 40) * (predictions[DARK] - many_faces.landmarks)
        for i in range(40)
    }
    run = make_run(cells, table=many_faces)
    path = tmp_path / "baseline.json"
    baseline = make_baseline(run)
    baseline.write(path)
    assert path.stat().st_size < 300_000
    back = Baseline.read(path)
    assert back == baseline
    for cell, nme in run.per_face.items():
        assert np.abs(back.face_nme(cell) - nme).max() <= 0.5e-4 + 1e-12
    assert gate(run, back).passed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda raw: raw.update(schema_version=2), "schema_version", id="version"),
        pytest.param(lambda raw: raw.update(extra=1), "extra", id="unknown-field"),
        pytest.param(lambda raw: raw.pop("cells"), "cells", id="no-cells"),
        pytest.param(lambda raw: raw.update(quantum=1e300), "quantum", id="quantum"),
        pytest.param(lambda raw: raw.update(quantum=0), "quantum", id="no-quantum"),
        pytest.param(lambda raw: raw.update(faces=0), "faces", id="no-faces"),
        pytest.param(lambda raw: raw.update(faces=10**8), "faces", id="too-many-faces"),
        pytest.param(lambda raw: next(iter(raw["cells"].values()))["nme"].update(test=float("nan")), "NaN", id="nan"),
    ],
)
def test_bad_files(baseline, tmp_path, change, message):
    raw = baseline.model_dump(mode="json")
    change(raw)
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(InputError, match=message) as error:
        Baseline.read(path)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("restore it from version control")
    assert "--update" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="cut"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[" * 100_000, id="nested"),
        pytest.param(b'{"faces": ' + b"9" * 5000 + b"}", id="digits"),
        pytest.param(b"\xff\xfe{", id="utf-16"),
        pytest.param(b"\x00\xff", id="binary"),
    ],
)
def test_file_that_is_not_json(tmp_path, content):
    path = tmp_path / "baseline.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="restore it from version control") as error:
        Baseline.read(path)
    assert "--update" not in str(error.value)


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_file_that_is_not_regular(tmp_path, kind):
    path = tmp_path / "pipe" if kind == "pipe" else Path("/dev/zero")
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(InputError, match="not a regular file"):
        Baseline.read(path)


def test_byte_order_mark_is_read(baseline, tmp_path):
    path = tmp_path / "baseline.json"
    baseline.write(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert Baseline.read(path) == baseline


def test_baseline_without_settings_is_read(baseline, tmp_path):
    raw = baseline.model_dump(mode="json")
    for cell in raw["cells"].values():
        del cell["settings"]
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(raw))
    assert {cell.settings for cell in Baseline.read(path).cells.values()} == {None}


@pytest.mark.parametrize("text", ["!", "AAAA", ""], ids=["no-base64", "no-zlib", "nothing"])
def test_damaged_faces(run, baseline, text):
    raw = baseline.model_dump()
    next(iter(raw["cells"].values()))["per_face"] = text
    with pytest.raises(InputError, match="the stored faces are damaged"):
        gate(run, Baseline.model_validate(raw))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="--update"):
        Baseline.read(tmp_path / "none.json")


def test_name_that_is_too_long(tmp_path):
    with pytest.raises(InputError, match="is missing"):
        Baseline.read(tmp_path / ("x" * 300))
