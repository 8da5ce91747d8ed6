"""The lines that ``nmebench train`` prints: one per record of the log, with the rate and the time left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

__all__ = ["TrainingLines"]


class TrainingLines:
    """Turns the records of a training log into lines and passes them on.

    Example:
        >>> lines = TrainingLines(print)
        >>> lines({"event": "start", "step": 0, "of": 40, "device": "cpu"})
        step 0 of 40 on cpu
        >>> lines({"event": "validation", "step": 20, "epoch": 0, "nme": 8.125})
        step 20 of 40: validation NME 8.125 %
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        """Store the function that prints a line, and the clock in seconds."""
        self._write, self._clock = write, clock
        self._of = self._first = 0
        self._started = clock()

    def __call__(self, entry: Mapping[str, Any]) -> None:
        """Print the line of a record."""
        event, step = entry["event"], entry.get("step", 0)
        if event == "prepare":
            self._write(f"{entry['what']} ...")
        elif event == "start":
            self._of, self._first, self._started = entry["of"], step, self._clock()
            self._write(f"step {step} of {self._of} on {entry['device']}")
        elif event == "step":
            self._write(
                f"step {step} of {self._of}: epoch {entry['epoch'] + 1}, loss {entry['loss']:.4g}, "
                f"{entry['faces_per_second']:.1f} faces/s{self._left(step)}"
            )
        elif event in ("validation", "end") and entry.get("nme") is not None:
            word = "validation NME" if event == "validation" else "final validation NME"
            self._write(f"step {step} of {self._of}: {word} {entry['nme']:.3f} %")

    def _left(self, step: int) -> str:
        """The time left at the mean rate since the start, such as ``, 3 min 20 s left``."""
        done, seconds = step - self._first, self._clock() - self._started
        if done < 1 or step >= self._of:
            return ""
        left = round((self._of - step) * seconds / done)
        hours, minutes = left // 3600, left // 60 % 60
        text = f"{hours} h {minutes} min" if hours else f"{minutes} min {left % 60} s" if minutes else f"{left} s"
        return f", {text} left"
