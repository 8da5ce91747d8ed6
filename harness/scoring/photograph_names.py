"""Compares names of photographs as different programs write them."""

from __future__ import annotations

from nmebench.datasets.readers.fields import with_slashes

__all__ = ["components", "end_alike"]


def components(name: str) -> tuple[str, ...]:
    r"""Return the folders and the file name of a path with slashes or backslashes; at least one.

    Example:
        >>> components(r"WFLW_images\a\one.jpg"), components("./a/one.jpg")
        (('WFLW_images', 'a', 'one.jpg'), ('a', 'one.jpg'))
    """
    return tuple(part for part in with_slashes(name).split("/") if part not in ("", ".")) or ("",)


def end_alike(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Return True if the shorter path is the end of the longer one.

    Example:
        >>> end_alike(("images", "a", "one.jpg"), ("a", "one.jpg")), end_alike(("a", "one.jpg"), ("b", "one.jpg"))
        (True, False)
    """
    count = min(len(first), len(second))
    return first[-count:] == second[-count:]
