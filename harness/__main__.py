"""Entry point of ``nmebench`` and ``python -m nmebench``."""

from __future__ import annotations

import signal
import traceback

from nmebench.cli import streams

__all__ = ["FAULT", "main"]

FAULT = 70
"""Exit code after a fault of the program, which prints a traceback. Python's own code would be 1: "it deviates"."""


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


if __name__ == "__main__":
    raise SystemExit(main())
