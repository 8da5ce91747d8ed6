"""Notes of a sweep on photographs and on implausible landmarks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nmebench.datasets import SUSPECT
from nmebench.sweep.configuration import SweepConfiguration
from nmebench.sweep.execute import execute


def test_notes_on_photographs_and_landmarks_are_stored(
    few_faces: Path, small_card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "WFLW"
    shutil.copytree(few_faces, folder)
    photograph = folder / "WFLW_images/3.jpg"
    photograph.write_bytes(photograph.read_bytes()[:-2])
    monkeypatch.setattr("nmebench.scoring.plausibility._GOOD", -1.0)
    monkeypatch.setattr("nmebench.scoring.plausibility._LARGE", 0.0)
    configuration = SweepConfiguration.model_validate(
        {
            "data": f"wflw:{folder}",
            "models": [{"card": str(small_card)}],
            "decoders": ["argmax", "dark"],
            "flip": ["none"],
        }
    )
    run = execute(configuration, tmp_path / "run")
    notes = run.record.dataset.notes
    assert [note for note in notes if note.startswith("1 photographs have no end marker, the first is 3.jpg")]
    suspect = [note for note in notes if note.startswith(SUSPECT)]
    assert [note.split(":")[1].strip() for note in suspect] == [cell.id for cell in run.record.cells]
