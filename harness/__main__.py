"""Entry point of ``nmebench`` and ``python -m nmebench``."""

from __future__ import annotations

import signal

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code, see :func:`nmebench.cli.entry.main`.

    While the command line is imported, SIGINT ends the process without a traceback, as the shell expects.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from nmebench.cli import entry
    finally:
        signal.signal(signal.SIGINT, before)
    return entry.main(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
