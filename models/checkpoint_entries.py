"""The tables of parameters in a checkpoint: training code stores several (weights and their moving average), nested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from nmebench.models.errors import CheckpointError
from nmebench.suggest import did_you_mean

__all__ = ["Entry", "entries", "entry_at", "epoch_of", "first", "prefix_hint", "with_prefix"]

MAX_LEVELS = 4
"""Largest number of nested tables around the parameters."""

MAX_TABLES = 2000
"""Largest number of tables in a file that are looked at."""

MAX_LISTED = 3
"""Largest number of names that an error lists."""

#: Prefixes that torch adds: DataParallel and DistributedDataParallel, torch.compile.
_ADDED = ("module.", "_orig_mod.")

#: Scalars that torch.optim.swa_utils.AveragedModel stores beside the parameters.
_COUNTERS = ("n_averaged",)


@dataclass(frozen=True)
class Entry:
    """One table of parameters."""

    key: str
    """Path of the table in the file; empty for the whole file."""
    tensors: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()
    """Changes to the names, one line each."""

    def __str__(self) -> str:
        """``params_ema (120 tensors)``."""
        return f"{self.key or 'the file itself'} ({len(self.tensors)} tensors)"


def entries(content: object, path: object) -> list[Entry]:
    """Return all tables of parameters in a file's content, without the prefixes that torch adds.

    Args:
        content: what the file holds.
        path: the file, for messages.

    Raises:
        CheckpointError: it holds none.

    Example:
        >>> import torch
        >>> content = {"epoch": 3, "params": {"module.b": torch.zeros(2)}, "params_ema": {"b": torch.ones(2)}}
        >>> [str(entry) for entry in entries(content, "x.pth")]
        ['params (1 tensors)', 'params_ema (1 tensors)']
    """
    found = [_without_added(Entry(key, table)) for key, table in _tables(content)]
    if found:
        return found
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds no parameters (it holds a {type(content).__name__})")
    inner = _innermost(content)
    others = [str(k) for k, v in inner.items() if not (isinstance(k, str) and isinstance(v, Tensor))]
    if any(isinstance(v, Tensor) for v in inner.values()):
        raise CheckpointError(f"{path} holds values among its parameters that are not tensors: {first(others)}")
    listed = first([str(key) for key in content])
    raise CheckpointError(f"{path} holds no parameters ({f'it holds {listed}' if listed else 'its table is empty'})")


def entry_at(content: object, key: str, path: object) -> list[Entry]:
    """Return the tables of parameters at a key, and below it.

    Args:
        content: what the file holds.
        key: the key as a whole, or several keys with dots between them.
        path: the file, for messages.

    Raises:
        CheckpointError: there is no such key, or it holds no parameters.
    """
    value = _at(content, key)
    if value is None:
        listed = [entry.key for entry in entries(content, path) if entry.key]
        raise CheckpointError(
            f"{path} has no entry {key!r} (key in [weights]){did_you_mean(key, listed)};"
            f" it holds {', '.join(listed) or 'the parameters themselves: leave key out'}"
        )
    below = entries(value, f"entry {key!r} of {path}")
    return [replace(entry, key=f"{key}.{entry.key}" if entry.key else key) for entry in below]


def with_prefix(entry: Entry, prefix: str, path: object) -> Entry:
    """Return the tensors whose names begin with a prefix, without it.

    Raises:
        CheckpointError: no name begins with it.
    """
    kept = {name.removeprefix(prefix): value for name, value in entry.tensors.items() if name.startswith(prefix)}
    if not kept:
        raise CheckpointError(
            f"{path}: no parameter begins with {prefix!r} (prefix in [weights]); the names are"
            f" {first(list(entry.tensors))}"
        )
    left_out = [name for name in entry.tensors if not name.startswith(prefix)]
    note = f"{len(left_out)} parameters without the prefix {prefix!r} were left out: {first(left_out)}"
    return replace(entry, tensors=kept, notes=(*entry.notes, *((note,) if left_out else ())))


def prefix_hint(wanted: Sequence[str], given: Sequence[str]) -> str:
    """Return the part of a message that names the prefix by which two sets of names differ; empty if none does.

    Example:
        >>> prefix_hint(["fc.weight", "fc.bias"], ["model.fc.weight", "model.fc.bias", "loss.weight"])
        '; set prefix = "model." in [weights]'
        >>> prefix_hint(["net.fc.weight"], ["fc.weight"])
        "; the network's own names begin with 'net.'"
    """
    names, own = set(given), set(wanted)
    longest = max(wanted, key=len, default="")
    for name in given:
        prefix = name.removesuffix(longest)
        if longest and prefix and prefix != name and all(prefix + one in names for one in wanted):
            return f'; set prefix = "{prefix}" in [weights]'
    longest = max(given, key=len, default="")
    for name in wanted:
        prefix = name.removesuffix(longest)
        if longest and prefix and prefix != name and all(prefix + one in own for one in given):
            return f"; the network's own names begin with {prefix!r}"
    return ""


def epoch_of(content: object) -> int | None:
    """Return the number of the epoch that a checkpoint states at its top level or in ``meta``; else None."""
    for table in (content, content.get("meta") if isinstance(content, Mapping) else None):
        value = table.get("epoch") if isinstance(table, Mapping) else None
        if isinstance(value, Tensor) and value.numel() == 1 and not value.is_floating_point():
            value = int(value.item())
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
            return value
    return None


def first(names: Sequence[str]) -> str:
    """Return the first three names and the number of others, such as ``a, b, c and 2 more``."""
    others = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {others} more" if others > 0 else "")


def _tables(content: object) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """Path and content of each mapping from names to tensors alone; bounded, because a pickle may contain itself."""
    waiting: list[tuple[str, object, int]] = [("", content, 0)]
    looked_at = 0
    seen: set[int] = set()
    while waiting and looked_at < MAX_TABLES:
        key, value, level = waiting.pop(0)
        looked_at += 1
        if not isinstance(value, Mapping) or not value or id(value) in seen:
            continue
        seen.add(id(value))
        if all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items()):
            yield key, value
        elif level < MAX_LEVELS:
            waiting += [
                (f"{key}.{k}" if key else k, v, level + 1)
                for k, v in value.items()
                if isinstance(k, str) and isinstance(v, Mapping) and k != "optimizer"
            ]


def _innermost(content: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The table inside wrappers that hold nothing but one table with tensors, for a message."""
    for _ in range(MAX_LEVELS):
        if any(isinstance(v, Tensor) for v in content.values()):
            break
        inner = [v for v in content.values() if isinstance(v, Mapping)]
        content = next((v for v in inner if any(isinstance(t, Tensor) for t in v.values())), inner[0] if inner else {})
        if not inner:
            break
    return content


def _at(content: object, key: str) -> object | None:
    """The value at a key; a key may contain dots itself."""
    if not isinstance(content, Mapping):
        return None
    if key in content:
        return content[key]  # type: ignore[no-any-return]
    for end in (i for i, char in enumerate(key) if char == "."):
        if key[:end] in content:
            found = _at(content[key[:end]], key[end + 1 :])
            if found is not None:
                return found
    return None


def _without_added(entry: Entry) -> Entry:
    """The entry without the prefixes and counters that torch's wrappers add, and a note about each."""
    tensors = dict(entry.tensors)
    removed: list[str] = []
    for _ in range(MAX_LEVELS):
        names = [name for name in tensors if name not in _COUNTERS]
        prefix = next((p for p in _ADDED if names and all(name.startswith(p) for name in names)), None)
        if prefix is None:
            break
        tensors = {name.removeprefix(prefix): tensors[name] for name in names}
        removed.append(prefix)
    inner = {name.replace("_orig_mod.", ""): value for name, value in tensors.items()}
    if len(inner) == len(tensors) and any("_orig_mod." in name for name in tensors):
        tensors = inner
        removed.append("_orig_mod.")
    if not removed:
        return entry
    where = f" of {entry.key}" if entry.key else ""
    text = " and ".join(repr(prefix) for prefix in dict.fromkeys(removed))
    return Entry(entry.key, tensors, (f"the names{where} had {text} before them, which torch's wrappers add",))
