"""``nmebench`` and ``python -m harness``."""

from harness.cli.entry import main

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())
