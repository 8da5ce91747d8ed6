"""``nmebench train`` prints a line per record of the log."""

from __future__ import annotations

from nmebench.cli.training_lines import TrainingLines


def test_lines_with_rate_and_time_left() -> None:
    now, printed = [0.0], []
    lines = TrainingLines(printed.append, clock=lambda: now[0])
    lines({"event": "prepare", "what": "opening 200 faces of synthface"})
    lines({"event": "start", "step": 100, "of": 400, "device": "cpu"})  # resumed at step 100
    now[0] = 50.0
    lines({"event": "step", "step": 200, "epoch": 1, "loss": 0.01234567, "faces_per_second": 12.34})
    now[0] = 5000.0
    lines({"event": "step", "step": 300, "epoch": 2, "loss": 1e-5, "faces_per_second": 0.5})
    lines({"event": "step", "step": 400, "epoch": 3, "loss": 0.5, "faces_per_second": 9.0})
    lines({"event": "validation", "step": 400, "epoch": 3, "nme": 5.4321})
    lines({"event": "end", "step": 400, "nme": None})
    lines({"event": "end", "step": 400, "nme": 5.4})
    assert printed == [
        "opening 200 faces of synthface ...",
        "step 100 of 400 on cpu",
        "step 200 of 400: epoch 2, loss 0.01235, 12.3 faces/s, 1 min 40 s left",
        "step 300 of 400: epoch 3, loss 1e-05, 0.5 faces/s, 41 min 40 s left",
        "step 400 of 400: epoch 4, loss 0.5, 9.0 faces/s",
        "step 400 of 400: validation NME 5.432 %",
        "step 400 of 400: final validation NME 5.400 %",
    ]
