"""Checks that shards are parts of the same sweep and that none is missing."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.runs import provenance
from nmebench.runs.provenance_differences import provenance_differences, source_differences
from nmebench.runs.run_record import ModelRecord, Provenance
from nmebench.shards.shard import Shard
from nmebench.shards.shard_folder import ShardFolder
from nmebench.shards.shard_record import ShardNetwork, ShardPart
from nmebench.source_hash import code_hash

__all__ = ["check_fit", "check_program", "command_of"]

_LISTED: Final = 5
"""Missing shards that a message names."""


def check_fit(shards: Sequence[ShardFolder]) -> list[ShardFolder]:
    """Return the shards by their numbers after checking that they make one complete sweep.

    Args:
        shards: in any order.

    Raises:
        InputError: a shard is given twice or missing, or two differ in their count, configuration, code, versions,
            threads, engine, data, networks or weights; the message has both values.
    """
    first = shards[0]
    for other in shards[1:]:
        if other.record.count != first.record.count:
            raise InputError(
                f"{shown(first.path)} is shard {first.shard} and {shown(other.path)} is shard {other.shard}: they are "
                "of different splits; give the shards of one of them"
            )
    by_number: dict[int, ShardFolder] = {}
    for shard in shards:
        twin = by_number.setdefault(shard.record.index, shard)
        if twin is not shard:
            raise InputError(
                f"{shown(twin.path)} and {shown(shard.path)} are both shard {shard.shard}; give each shard once"
            )
    for other in shards[1:]:
        difference = next(_differences(first, other), None)
        if difference is not None:
            raise InputError(
                f"{shown(first.path)} and {shown(other.path)} don't fit together: {difference}; compute all shards "
                "with the same options, files and environment"
            )
    missing = [index for index in range(1, first.record.count + 1) if index not in by_number]
    if missing:
        raise InputError(_missing(first, missing))
    ordered = [by_number[index] for index in sorted(by_number)]
    _check_complete(ordered)
    return ordered


def check_program(shard: ShardFolder) -> None:
    """Refuse to merge with other code or packages than those that computed the shards: a run has one provenance.

    Raises:
        InputError: they differ; the message has both values.
    """
    ours = shard.record.provenance.model_copy(
        update={
            "nmebench": importlib.metadata.version("nmebench"),
            "code_sha256": code_hash(),
            "packages": provenance.versions(),
            "python": platform.python_version(),
        }
    )
    difference = next(iter(_code_differences(shard.record.provenance, ours)), None)
    if difference is not None:
        raise InputError(
            f"{shown(shard.path)} and this nmebench don't fit together: {difference}; merge in the environment that "
            "computed the shards"
        )


def _missing(shard: ShardFolder, missing: Sequence[int]) -> str:
    numbers = ", ".join(map(str, missing[:_LISTED])) + (", ..." if len(missing) > _LISTED else "")
    noun = "shard" if len(missing) == 1 else f"{len(missing)} shards"
    verb = "is" if len(missing) == 1 else "are"
    command = command_of(shard, Shard(missing[0], shard.record.count))
    return f"{noun} {numbers} of {shard.record.count} {verb} missing; compute {missing[0]} with: {shown(command)}"


def command_of(shard: ShardFolder, wanted: Shard) -> str:
    """Return the command line that computes a shard of the same sweep.

    Args:
        shard: a shard of the sweep.
        wanted: the number of the shard; for the one of ``shard`` itself the command has ``--overwrite``.
    """
    words = list(shard.record.provenance.command) or ["nmebench", "run"]
    old = str(shard.record.index)
    changed: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        name, equals, value = word.partition("=")
        if before == "--shard":
            changed.append(str(wanted))
        elif name == "--shard" and equals:
            changed.append(f"--shard={wanted}")
        elif before in ("-o", "--out"):
            changed.append(_renumbered(word, old, wanted.index))
        elif name == "--out" and equals:
            changed.append(f"--out={_renumbered(value, old, wanted.index)}")
        else:
            changed.append(word)
    if wanted == shard.shard and "--overwrite" not in changed:
        changed.append("--overwrite")
    return shlex.join(changed)


def _renumbered(path: str, old: str, new: int) -> str:
    """A folder's path with another number: the last one that is the old shard's is replaced, else it is appended."""
    matches = [match for match in re.finditer(r"\d+", path) if match[0].lstrip("0") == old]
    if not matches:
        return f"{path.rstrip('/')}_{new}"
    last = matches[-1]
    return f"{path[: last.start()]}{new:0{len(last[0])}d}{path[last.end() :]}"


def _differences(first: ShardFolder, other: ShardFolder) -> Iterator[str]:
    """The differences that keep two shards from being parts of one sweep; the most telling one first."""
    one, two = first.record, other.record
    if len(one.parts) != len(two.parts):
        yield f"{len(one.parts)} data sets / {len(two.parts)} data sets"
        return
    for mine, theirs in zip(one.parts, two.parts, strict=True):
        yield from _configuration_differences(mine.configuration, theirs.configuration)
    yield from _code_differences(one.provenance, two.provenance)
    if one.provenance.threads != two.provenance.threads:
        yield (
            f"{one.provenance.threads} threads / {two.provenance.threads} threads, which change the last bits of a "
            "network's outputs (give --threads)"
        )
    if one.engine != two.engine:
        yield f"engine {one.engine} / {two.engine} (give --engine)"
    for mine, theirs in zip(one.parts, two.parts, strict=True):
        yield from _part_differences(mine, theirs)


def _configuration_differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[str]:
    for field in dict.fromkeys((*one, *two)):
        if one.get(field) != two.get(field):
            yield f"{field} {_value(one.get(field))} / {_value(two.get(field))}"


def _value(value: Any) -> str:
    """A value of the configuration as it is written in a sweep file."""
    if isinstance(value, Mapping):
        return ":".join(_value(item) for item in value.values() if item is not None)
    if isinstance(value, list | tuple):
        return ",".join(map(_value, value)) or "none"
    return "none" if value is None else str(value)


def _code_differences(one: Provenance, two: Provenance) -> Iterator[str]:
    """Differences in code, packages and plug-ins; the working directory holds no code that a cell uses."""
    if one.nmebench != two.nmebench:
        yield f"other version of nmebench, {one.nmebench} / {two.nmebench}"
    if one.code_sha256 != two.code_sha256:
        yield f"other code of nmebench, {one.code_sha256[:12]} / {two.code_sha256[:12]}"
    without = {"code_sha256": "", "plugins": []}
    yield from provenance_differences(one.model_copy(update=without), two.model_copy(update=without))
    used = [[source for source in of.plugins if source.used_by] for of in (one, two)]
    yield from source_differences(*used)


def _part_differences(one: ShardPart, two: ShardPart) -> Iterator[str]:
    name = one.dataset.name
    for mine, theirs in zip_longest(one.dataset.files, two.dataset.files):
        if mine != theirs:
            texts = [f"{file.name} {file.sha256[:12]}" if file is not None else "none" for file in (mine, theirs)]
            yield f"other annotations of {name}, {shown(texts[0])} / {shown(texts[1])}"
    if one.dataset.faces != two.dataset.faces:
        yield f"{one.dataset.faces} faces of {name} / {two.dataset.faces} faces"
    if one.faces_sha256 != two.faces_sha256:
        yield f"other landmarks of {name}, {one.faces_sha256[:12]} / {two.faces_sha256[:12]}"
    if [network.label for network in one.networks] != [network.label for network in two.networks]:
        yield f"networks {_labels(one)} / {_labels(two)}"
        return
    for mine_, theirs_ in zip(one.networks, two.networks, strict=True):
        yield from _network_differences(mine_, theirs_, name)
    if one.boxes != two.boxes:
        yield f"other boxes of {name}, {one.boxes[:12]} / {two.boxes[:12]}"
    models = {model.name: model for model in one.models}
    for model in two.models:
        if model.name in models:
            yield from _engine_differences(models[model.name], model)


def _labels(part: ShardPart) -> str:
    return ", ".join(network.label for network in part.networks)


def _network_differences(one: ShardNetwork, two: ShardNetwork, dataset: str) -> Iterator[str]:
    label = one.label
    if one.weights_sha256 != two.weights_sha256:
        yield f"other weights of {label}, {_short(one.weights_sha256)} / {_short(two.weights_sha256)}"
    if one.batch_size != two.batch_size:
        yield f"{label} in batches of {one.batch_size} / {two.batch_size} faces (give --batch-size)"
    if one.crops_key != two.crops_key:
        yield f"other photographs of {dataset}, or boxes of {label}: keys {one.crops_key[:12]} / {two.crops_key[:12]}"
    if one.key != two.key:
        yield f"other inputs of {label}: keys {one.key[:12]} / {two.key[:12]}"
    for mine, theirs in zip_longest(one.cells, two.cells):
        if mine is None or theirs is None or mine.record.id != theirs.record.id:
            yield f"cells {mine.record.id if mine else 'none'} / {theirs.record.id if theirs else 'none'} of {label}"
        elif mine.key != theirs.key:
            yield f"other decoder of the cell {mine.record.id}: keys {mine.key[:12]} / {theirs.key[:12]}"
    if one != two.model_copy(update={name: getattr(one, name) for name in ("first", "results", "thumbnails")}):
        yield f"other records of {label}"


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest[:12]


def _engine_differences(one: ModelRecord, two: ModelRecord) -> Iterator[str]:
    if one.engine != two.engine:
        yield f"engine {one.engine} / {two.engine} of {one.name} (give --engine)"
    for field in sorted({*one.engine_details, *two.engine_details}):
        values = [of.engine_details.get(field) for of in (one, two)]
        if values[0] != values[1]:
            yield f"{field} {_value(values[0])} / {_value(values[1])} of the engine of {one.name}"
    if one.heatmap_size != two.heatmap_size:
        yield f"heatmaps of {one.name} of {one.heatmap_size} / {two.heatmap_size} px"


def _check_complete(shards: Sequence[ShardFolder]) -> None:
    """Check that every batch of every network is in exactly one shard, as :meth:`Shard.batches` splits them."""
    for number, part in enumerate(shards[0].record.parts):
        for position, network in enumerate(part.networks):
            found: dict[int, ShardFolder] = {}
            for shard in shards:
                held = shard.record.parts[number].networks[position]
                for batch in range(held.first, held.first + len(held.results)):
                    if batch in found:
                        raise InputError(
                            f"{shown(found[batch].path)} and {shown(shard.path)} both hold batch {batch} of "
                            f"{network.label}; compute both again"
                        )
                    found[batch] = shard
            if set(found) != set(range(network.batches)):
                absent = next(batch for batch in range(network.batches + 1) if batch not in found)
                raise InputError(f"no shard holds batch {absent} of {network.label}; compute the shards again")
