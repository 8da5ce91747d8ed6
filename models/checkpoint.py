"""Loads checkpoints from any origin: executes nothing in the file and loads all parameters or none.

The formats are ``torch.save`` (read with ``weights_only=True``, so that a pickle can only rebuild tensors and plain
values) and safetensors. float16, bfloat16 and float64 become float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from nmebench.files import file_sha256
from nmebench.models.checkpoint_content import read_content
from nmebench.models.checkpoint_entries import Entry, entries, entry_at, epoch_of, first, prefix_hint, with_prefix
from nmebench.models.checkpoint_file import check_file
from nmebench.models.errors import CheckpointError
from nmebench.models.hash_in_name import hash_in_name
from nmebench.models.naming import Naming

__all__ = ["LoadedCheckpoint", "load", "read", "verify"]

MAX_ENTRIES = 8
"""Largest number of tables of parameters that an error lists."""


@dataclass(frozen=True, slots=True)
class LoadedCheckpoint:
    """The result of loading a checkpoint."""

    sha256: str
    """SHA-256 of the file."""
    naming: str | None = None
    """The code base whose parameter names the file uses; None if the network read the file itself."""
    renamed: Mapping[str, int] = field(default_factory=dict)
    """Number of renamed parameters by ``"their prefix -> our prefix"``."""
    counters_missing: int = 0
    """Number of absent ``num_batches_tracked`` of BatchNorms; they don't affect the output."""
    epoch: int | None = None
    """The number of the epoch that the file states."""
    notes: tuple[str, ...] = ()
    """Remarks on what was chosen or left out, one line each."""


def verify(path: Path, *, sha256: str | None = None, hash_prefix: str | None = None) -> str:
    """Check a file against its expected hashes and the hash in its own name, and return its SHA-256.

    Args:
        path: the file.
        sha256: the card's SHA-256 of the file, if the card states one.
        hash_prefix: the card's first digits of the SHA-256, if the card states them.

    Raises:
        CheckpointError: the file is missing, empty, not a regular file or too large, or has another hash.
    """
    check_file(path)
    try:
        found = file_sha256(path)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error
    wanted = [(sha256, "the card"), (hash_prefix, "the card"), (hash_in_name(path.name), "its name")]
    for prefix, where in wanted:
        if prefix is not None and not found.startswith(prefix.lower()):
            raise CheckpointError(
                f"{path} is damaged or another file: its sha256 begins with {found[: len(prefix)]},"
                f" {where} says {prefix}; download it again"
            )
    return found


def read(path: str | Path, *, key: str | None = None, prefix: str | None = None) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint by name, without wrappers and ``module.``; nothing in the file is executed.

    Args:
        path: the file.
        key: the entry that holds the parameters; None if the file has only one.
        prefix: beginning of the names to keep; it is removed.

    Raises:
        CheckpointError: the file is no checkpoint, is damaged, or would run code; it has several entries; or it has no
            entry ``key``, or no name with ``prefix``.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "weights.pth"
        ...     torch.save({"state_dict": {"module.bias": torch.zeros(2)}}, file)
        ...     read(file)
        {'bias': tensor([0., 0.])}
    """
    path = Path(path)
    found = _entries(read_content(path), path, key, prefix)
    if len(found) > 1:
        raise CheckpointError(f"{path} holds {_listed(found)}: choose one with key in [weights]")
    return dict(found[0].tensors)


def _entries(content: object, path: Path, key: str | None, prefix: str | None) -> list[Entry]:
    """The tables of parameters among which the network's are, with their names as the card describes them."""
    found = entries(content, path) if key is None else entry_at(content, key, path)
    if prefix is None:
        return found
    having = [entry for entry in found if any(name.startswith(prefix) for name in entry.tensors)]
    return [with_prefix(entry, prefix, path) for entry in having or found]


def _listed(found: Sequence[Entry]) -> str:
    """The tables of a file, for a message."""
    texts = [str(entry) for entry in found[:MAX_ENTRIES]]
    return ", ".join(texts) + (f" and {len(found) - len(texts)} more" if len(found) > len(texts) else "")


def _first_are(names: Sequence[str]) -> str:
    """The first names and the verb: ``a is``, ``a, b are``."""
    return f"{first(names)} {'is' if len(names) == 1 else 'are'}"


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _rename(tensors: Mapping[str, Tensor], naming: Naming) -> tuple[dict[str, Tensor], dict[str, int], list[str]]:
    """The tensors by our names, the number of uses of each prefix rule, and the names that two tensors share."""
    renamed: dict[str, Tensor] = {}
    rules: dict[str, int] = {}
    twice: list[str] = []
    for key, tensor in tensors.items():
        ours, rule = naming.translate(key)
        if ours in renamed:
            twice.append(ours)
        renamed[ours] = tensor
        if rule is not None:
            text = f"{rule[0] or '(nothing)'} -> {rule[1]}"
            rules[text] = rules.get(text, 0) + 1
    return renamed, rules, twice


def _differences(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
    """The names that are missing from ``given`` (BatchNorm counters excepted), and those that only ``given`` has."""
    missing = [k for k in wanted if k not in given and not _is_counter(k)]
    return missing, [k for k in given if k not in wanted]


def _check_values(path: Path, wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Check shapes, then types, then values, and return the tensors with the wanted types.

    Shapes come first because a tensor in a file can claim any size without holding that much data.
    """
    shapes = [
        f"{k} {list(t.shape)} (wanted {list(wanted[k].shape)})" for k, t in given.items() if t.shape != wanted[k].shape
    ]
    if shapes:
        raise CheckpointError(f"{path} is for another network: {_first_are(shapes)} of another shape")
    values: dict[str, Tensor] = {}
    for key, tensor in given.items():
        target = wanted[key]
        same_kind = tensor.is_floating_point() == target.is_floating_point() and not tensor.is_complex()
        if not same_kind or tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise CheckpointError(f"{path}: {key} is {tensor.dtype} ({tensor.layout}), wanted {target.dtype}")
        values[key] = tensor.detach().to(target.dtype)
    bad = [k for k, v in values.items() if not bool(torch.isfinite(v).all())]
    if bad:
        raise CheckpointError(f"{path} can't be used: {_first_are(bad)} NaN or infinite")
    negative = [k for k, v in values.items() if k.endswith("running_var") and bool((v < 0).any())]
    if negative:
        raise CheckpointError(f"{path} can't be used: {_first_are(negative)} below 0, and a variance can't be")
    return values


@dataclass(frozen=True)
class _Match:
    """A table of parameters compared with a network's, in the naming with the fewest differences."""

    entry: Entry
    naming: Naming
    given: Mapping[str, Tensor]
    """The tensors by the network's names."""
    renamed: Mapping[str, int]
    twice: Sequence[str]
    missing: Sequence[str]
    unexpected: Sequence[str]
    shapes: int
    """Number of tensors of another shape."""

    @property
    def problems(self) -> tuple[int, int]:
        return len(self.twice) + len(self.missing) + len(self.unexpected), self.shapes


def _compare(entry: Entry, wanted: Mapping[str, Tensor], namings: Sequence[Naming]) -> _Match:
    matches = []
    for naming in namings:
        given, rules, twice = _rename(entry.tensors, naming)
        missing, unexpected = _differences(wanted, given)
        shapes = sum(value.shape != wanted[name].shape for name, value in given.items() if name in wanted)
        matches.append(_Match(entry, naming, given, rules, twice, missing, unexpected, shapes))
    return min(matches, key=lambda match: match.problems)


def load(
    module: nn.Module,
    path: str | Path,
    *,
    sha256: str | None = None,
    hash_prefix: str | None = None,
    key: str | None = None,
    prefix: str | None = None,
    own_code: bool = False,
) -> LoadedCheckpoint:
    """Load a checkpoint into a network strictly: exactly its parameters, with their shapes and finite values.

    ``module.namings`` of a registered network lists the code bases whose parameter names are understood. The naming
    with the fewest differences is used and reported. Of several tables of parameters in the file, the only one that
    fits is loaded; if several fit and differ (weights and their moving average), ``key`` must choose.

    Args:
        module: the network; it is changed only if the complete file is valid.
        path: the file.
        sha256: the expected SHA-256 of the file, if known.
        hash_prefix: the first digits of the expected SHA-256, if known.
        key: the entry that holds the parameters, with dots between the levels.
        prefix: beginning of the parameters' names, which is removed; names without it are left out.
        own_code: True for a user's own code, whose attribute ``namings`` may mean anything and isn't read.

    Raises:
        CheckpointError: the file can't be loaded; one line names the file and the first problems.
    """
    path = Path(path)
    found = verify(path, sha256=sha256, hash_prefix=hash_prefix)
    content = read_content(path)
    wanted: Mapping[str, Tensor] = module.state_dict()
    known: Sequence[Naming] = () if own_code else getattr(module, "namings", ())
    namings = known or (Naming("own", ()),)
    given = _entries(content, path, key, prefix)
    matches = [_compare(entry, wanted, namings) for entry in given]
    best = _fitting(matches, path) or min(matches, key=lambda match: match.problems)
    if best.problems[0]:
        raise CheckpointError(_refusal(best, path, module, wanted, namings, given))
    values = _check_values(path, wanted, best.given)
    missing_counters = [k for k in wanted if k not in values]
    for counter in missing_counters:
        values[counter] = wanted[counter]
    module.load_state_dict(values, strict=True)
    # Without the file's name, so that the checkpoints of one training share one note.
    notes = tuple(f"weights: {note}" for note in best.entry.notes)
    if len(given) > 1:
        notes = (f"weights: {best.entry.key} was loaded, of {_listed(given)}", *notes)
    return LoadedCheckpoint(found, best.naming.name, best.renamed, len(missing_counters), epoch_of(content), notes)


def _fitting(matches: Sequence[_Match], path: Path) -> _Match | None:
    """The table that fits; None if none does.

    Raises:
        CheckpointError: several tables fit and differ.
    """
    fitting = [match for match in matches if match.problems == (0, 0)]
    if len(fitting) > 1 and any(not _equal(fitting[0].given, other.given) for other in fitting[1:]):
        listed = _listed([match.entry for match in fitting])
        raise CheckpointError(
            f"{path} holds several tables of parameters that fit: {listed}; choose one in the card:"
            f' [weights] key = "{fitting[-1].entry.key}"'
        )
    return fitting[0] if fitting else None


def _equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def _refusal(
    match: _Match,
    path: Path,
    module: nn.Module,
    wanted: Mapping[str, Tensor],
    namings: Sequence[Naming],
    given: Sequence[Entry],
) -> str:
    """The message about a file that doesn't fit the network."""
    parts = [f"{_first_are(match.missing)} missing"] if match.missing else []
    parts += [f"{_first_are(match.unexpected)} unexpected"] if match.unexpected else []
    parts += [f"{_first_are(match.twice)} given twice"] if match.twice else []
    names = f" (read with the names of {match.naming.name})" if len(namings) > 1 else ""
    hint = prefix_hint([k for k in wanted if not _is_counter(k)], [k for k in match.given if not _is_counter(k)])
    if len(given) > 1:
        hint += f"; {match.entry.key} fits best of {_listed(given)}: choose one with key in [weights]"
    return (
        f"{path} doesn't fit {type(module).__name__}{names}: {'; '.join(parts)}"
        f" ({len(match.missing)} missing, {len(match.unexpected)} unexpected of {len(wanted)}){hint}"
    )
