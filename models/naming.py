"""How another code base names the parameters of a network that is also ours."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Naming"]


@dataclass(frozen=True, slots=True)
class Naming:
    """A code base's parameter names, as prefixes to replace by ours.

    The first prefix that a name starts with is replaced; a name that none fits is kept.
    """

    name: str
    prefixes: tuple[tuple[str, str], ...]

    def ours(self, key: str) -> tuple[str, tuple[str, str] | None]:
        """Our name for ``key``, and the rule that gave it (None where the name is the same)."""
        for theirs, ours in self.prefixes:
            if key.startswith(theirs):
                return ours + key.removeprefix(theirs), (theirs, ours)
        return key, None
