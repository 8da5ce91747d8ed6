"""Finished batches survive; torn, damaged and foreign ones are computed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nmebench.sweep.journal import CellJournal

BATCHES = [np.array([0, 2]), np.array([1, 3]), np.array([4])]


def _values(rows: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng([seed, *rows.tolist()])
    return generator.normal(size=(len(rows), 3, 2)), generator.random((len(rows), 3))


def _filled(folder: Path, numbers: list[int]) -> CellJournal:
    journal = CellJournal(folder, "key", 5, 3).open(BATCHES)
    for number in numbers:
        journal.write(number, BATCHES[number], *_values(BATCHES[number]), {"empty": number})
    return journal


def test_reopened_journal_knows_finished_batches_and_their_values(tmp_path: Path) -> None:
    _filled(tmp_path, [0, 2])
    again = CellJournal(tmp_path, "key", 5, 3).open(BATCHES)
    assert [number in again for number in range(3)] == [True, False, True]
    landmarks, confidence = again.read()
    for number in (0, 2):
        expected_landmarks, expected_confidence = _values(BATCHES[number])
        np.testing.assert_array_equal(landmarks[BATCHES[number]], expected_landmarks.astype(np.float32))
        np.testing.assert_array_equal(confidence[BATCHES[number]], expected_confidence.astype(np.float32))
    assert again.counts() == {"empty": 2}


def test_torn_last_line_is_computed_again_and_does_not_swallow_the_next(tmp_path: Path) -> None:
    _filled(tmp_path, [0, 1])
    lines = tmp_path / "key.jsonl"
    text = lines.read_text()
    lines.write_text(text[:-9])
    journal = CellJournal(tmp_path, "key", 5, 3).open(BATCHES)
    assert (0 in journal, 1 in journal) == (True, False)
    journal.write(1, BATCHES[1], *_values(BATCHES[1]), {"empty": 1})
    again = CellJournal(tmp_path, "key", 5, 3).open(BATCHES)
    assert (0 in again, 1 in again) == (True, True)


def test_rows_that_do_not_match_their_checksum_are_computed_again(tmp_path: Path) -> None:
    _filled(tmp_path, [0, 1, 2])
    stored = np.lib.format.open_memmap(tmp_path / "key.landmarks.npy", "r+")
    stored[1, 0, 0] += 1
    stored.flush()
    journal = CellJournal(tmp_path, "key", 5, 3).open(BATCHES)
    assert [number in journal for number in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"key": "other"}, id="another key"),
        pytest.param({"faces": 6}, id="more faces"),
        pytest.param({"points": 4}, id="more landmarks"),
    ],
)
def test_journal_of_something_else_counts_for_nothing(tmp_path: Path, change: dict[str, object]) -> None:
    _filled(tmp_path, [0, 1, 2])
    journal = CellJournal(tmp_path, **({"key": "key", "faces": 5, "points": 3} | change)).open(BATCHES)  # type: ignore[arg-type]
    assert not any(number in journal for number in range(3))


def test_array_cut_short_starts_over(tmp_path: Path) -> None:
    _filled(tmp_path, [0])
    file = tmp_path / "key.confidence.npy"
    file.write_bytes(file.read_bytes()[:40])
    assert 0 not in CellJournal(tmp_path, "key", 5, 3).open(BATCHES)
