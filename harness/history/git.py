"""Reads the order and the times of commits from git; works without a repository."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Repository"]

_TIMEOUT = 60


@dataclass(frozen=True)
class Repository:
    """The repository of a folder; every answer is None or empty where git or the repository is missing."""

    folder: Path

    def _git(self, *arguments: str, stdin: str = "") -> str | None:
        # Without fsmonitor, which runs a program that the repository names, and without refreshing the index.
        command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(self.folder), *arguments]
        try:
            done = subprocess.run(  # noqa: S603 - no shell
                command, input=stdin.encode(), capture_output=True, timeout=_TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else None

    def time(self, commit: str) -> int | None:
        """Return the committer's time of a commit, seconds since 1970; None for an unknown commit."""
        found = self._git("show", "--no-patch", "--format=%ct", "--end-of-options", f"{commit}^{{commit}}")
        return int(found) if found and found.strip().isdigit() else None

    def full(self, commit: str) -> str | None:
        """Return all digits of a commit; None for an unknown one."""
        found = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
        return found.strip() if found else None

    def ordered(self, commits: Iterable[str]) -> list[str]:
        """Return the commits that the repository has: parents before children, otherwise by time."""
        wanted = set(commits)
        known = self._git(
            "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin="\n".join(sorted(wanted)) + "\n"
        )
        present = [line.split()[0] for line in (known or "").splitlines() if line.endswith(" commit")]
        if not present:
            return []
        walked = self._git("rev-list", "--date-order", "--reverse", "--stdin", stdin="\n".join(present) + "\n")
        return [commit for commit in (walked or "").split() if commit in wanted]

    def between(self, before: str, after: str) -> Sequence[tuple[str, str]]:
        """Return the commits after ``before`` up to ``after``, oldest first: digits and subject."""
        found = self._git(
            "log", "--reverse", "--topo-order", "--format=%H%x00%s", "--end-of-options", f"{before}..{after}"
        )
        lines = (line.partition("\0") for line in (found or "").splitlines())
        return [(commit, subject) for commit, _, subject in lines if commit]
