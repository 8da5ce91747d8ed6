"""Shards: a sweep computed in parts by separate jobs, and merged into the run that one process would have written."""

from nmebench.shards.compute_shard import compute_shard
from nmebench.shards.merge import merge
from nmebench.shards.shard import Shard
from nmebench.shards.shard_folder import ShardFolder

__all__ = ["Shard", "ShardFolder", "compute_shard", "merge"]
