"""A copy of the checkout, in which a tool may change source files."""

from __future__ import annotations

import compileall
import contextlib
import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Copy"]

ROOT = Path(__file__).resolve().parents[2]
"""The checkout itself."""

IGNORED = shutil.ignore_patterns(".*", "__pycache__", "out", "*.egg-info")


@dataclass(frozen=True)
class Copy:
    """A copy of the checkout, with links that show its folders in the installed layout."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *, shared: bool) -> Copy:
        """Copy the checkout.

        Args:
            folder: an empty folder.
            shared: link ``../shared`` beside the copy.
        """
        tree = folder / "checkout"
        shutil.copytree(ROOT, tree, ignore=IGNORED)
        package = tree / ".tree" / "nmebench"
        package.mkdir(parents=True)
        for entry in (tree / "harness").iterdir():
            (package / entry.name).symlink_to(entry)
        for name in ("decoders", "models", "reports"):
            (package / name).symlink_to(tree / name)
        if shared:
            (folder / "shared").symlink_to(ROOT.parent / "shared")
        compileall.compile_dir(package, quiet=2)
        return cls(tree)

    @contextlib.contextmanager
    def with_text(self, file: str, text: str) -> Iterator[None]:
        """Replace a source file for a while."""
        path = self.folder / file
        before = path.read_text(encoding="utf-8")
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)  # its time stamp has whole seconds
        path.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")
