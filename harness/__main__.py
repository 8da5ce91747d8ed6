"""Entry point of ``nmebench`` and ``python -m nmebench``."""

from __future__ import annotations

import gc
import signal
import traceback

from nmebench.cli import streams

__all__ = ["FAULT", "main", "program"]

FAULT = 70
"""Exit code after a fault of the program, which prints a traceback. Python's own code would be 1: "it deviates"."""

_YOUNG_OBJECTS = 50_000
"""New objects that start a garbage collection; Python's own figure is 700 (2000 from 3.12)."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code, see :func:`nmebench.cli.entry.main`.

    While the command line is imported, SIGINT ends the process without a traceback, as the shell expects.
    """
    restore = streams.protect()
    streams.quieten_decoders()
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            from nmebench.cli import entry
        finally:
            signal.signal(signal.SIGINT, before)
        return entry.main(arguments)
    except Exception:
        traceback.print_exc()
        return FAULT
    finally:
        restore()


def program() -> int:
    """Run the command line in a process of its own and return the exit code.

    Imports leave half a million objects, which stay until the end. Python would search them for garbage hundreds of
    times while they are created, and again when it exits; without these searches ``nmebench run`` takes more than a
    second less. A sweep creates hardly any garbage that only a search finds: with Python's own figure there is one
    search in 500 faces.
    """
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])
    try:
        return main()
    finally:
        gc.freeze()


if __name__ == "__main__":
    raise SystemExit(program())
