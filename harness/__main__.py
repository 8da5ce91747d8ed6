"""``nmebench`` and ``python -m harness``."""

from __future__ import annotations

import signal

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; see :func:`nmebench.cli.entry.main` for the exit codes.

    Until the command line is loaded, an interrupt ends the process as the shell expects, without a traceback.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from nmebench.cli import entry
    finally:
        signal.signal(signal.SIGINT, before)
    return entry.main(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
