"""The commit that a run measured."""

from __future__ import annotations

from dataclasses import dataclass

from nmebench.plugin_source import WORKING_DIRECTORY
from nmebench.runs.run_record import Provenance

__all__ = ["Commit", "run_commit"]

_SHORT = 10


@dataclass(frozen=True)
class Commit:
    """A commit of a repository, and the state of its files."""

    sha: str
    dirty: bool | None = None
    """True if a file differed from the commit; None where this isn't known."""

    @property
    def text(self) -> str:
        """The first digits, and a remark on uncommitted changes.

        Example:
            >>> Commit("0123456789abcdef", dirty=True).text
            '0123456789 with uncommitted changes'
        """
        return f"{self.sha[:_SHORT]} with uncommitted changes" if self.dirty else self.sha[:_SHORT]


def run_commit(provenance: Provenance) -> Commit | None:
    """Return the commit that a run measured; None if no repository tracked its code.

    The repository of the working directory comes first: it holds the models and cards under test. Without one it is
    nmebench's own.

    Example:
        >>> run_commit(Provenance(nmebench="0.1.0", git_commit="0123456789abcdef", git_dirty=False)).text
        '0123456789'
    """
    for source in provenance.plugins:
        if source.name == WORKING_DIRECTORY and source.git_commit:
            return Commit(source.git_commit, source.git_dirty)
    if provenance.git_commit:
        return Commit(provenance.git_commit, provenance.git_dirty)
    return None
