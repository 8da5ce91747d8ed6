"""Says what long work does before its first step: reading, hashing, loading, compiling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["announce", "listening"]

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("stages", default=None)


def announce(what: str) -> None:
    """Tell the listener what begins now; without a listener nothing happens.

    Args:
        what: a verb in -ing and its object, such as ``reading wflw:PATH``.
    """
    listener = _listener.get()
    if listener is not None:
        listener(what)


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Call a function with the text of every stage that begins in this block.

    Example:
        >>> with listening(print):
        ...     announce("loading net")
        loading net
        >>> announce("loading net")
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
