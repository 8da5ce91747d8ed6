"""Parameter names of other code bases, translated to this project's."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Naming"]


@dataclass(frozen=True, slots=True)
class Naming:
    """One code base's parameter names, as a list of prefixes to replace.

    The first prefix that a name starts with is replaced. A name that starts with none of them stays the same.

    Example:
        >>> Naming("mmpose 0.x", (("keypoint_head.fc.", "head.fc."),)).translate("keypoint_head.fc.bias")
        ('head.fc.bias', ('keypoint_head.fc.', 'head.fc.'))
    """

    name: str
    """The code base, such as ``mmpose 0.x``."""
    prefixes: tuple[tuple[str, str], ...]
    """Pairs of (their prefix, our prefix)."""

    def translate(self, key: str) -> tuple[str, tuple[str, str] | None]:
        """Return this project's name for ``key``, and the pair of prefixes that was used; None if none was."""
        for theirs, ours in self.prefixes:
            if key.startswith(theirs):
                return ours + key.removeprefix(theirs), (theirs, ours)
        return key, None
