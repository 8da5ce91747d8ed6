"""Prints what a shard holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nmebench.cli.console import console
from nmebench.cli.json_output import document
from nmebench.printable import shown
from nmebench.runs.run_record import ShardSource
from nmebench.shards.shard_folder import ShardFolder
from nmebench.shards.shard_record import ShardNetwork

__all__ = ["host_note", "print_shard", "shard_json"]


def print_shard(shard: ShardFolder) -> None:
    """Print the batches of each network in a shard, and its path."""
    out = console()
    for part in shard.record.parts:
        for network in part.networks:
            if network.results:
                out.print(f"{part.dataset.name}: {network.label}: batches {_batches(network)} of {network.batches}")
    if not any(_held(shard)):
        out.print("no batch: the sweep has fewer batches than shards")
    out.print(f"shard {shard.shard}: {shard.path}")
    out.print("the run of all shards: nmebench merge SHARD ... -o RUN")


def _held(shard: ShardFolder) -> Iterable[ShardNetwork]:
    return (network for part in shard.record.parts for network in part.networks if network.results)


def _batches(network: ShardNetwork) -> str:
    """The numbers of the batches, from 1."""
    return f"{network.first + 1} to {network.first + len(network.results)}"


def shard_json(shard: ShardFolder) -> dict[str, Any]:
    """Return what a shard holds as plain data for JSON."""
    networks = [
        {
            "dataset": part.dataset.name,
            "model": network.model,
            "box": network.box,
            "first_batch": network.first,
            "batches": len(network.results),
            "of": network.batches,
        }
        for part in shard.record.parts
        for network in part.networks
        if network.results
    ]
    fields = {"shard": str(shard.path), "index": shard.record.index, "count": shard.record.count}
    return document("shard", **fields, sha256=shard.sha256, networks=networks)


def host_note(shards: Sequence[ShardSource]) -> str | None:
    """Return a note where shards were computed on processors of several models, else None."""
    processors = list(dict.fromkeys(shard.host.get("processor", "unknown") for shard in shards))
    if len(processors) < 2:
        return None
    return (
        f"the shards were computed on processors of {len(processors)} models ({shown('; '.join(processors))}), whose "
        "landmarks may differ in their last bits"
    )
