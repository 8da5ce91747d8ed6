"""Requests to workers: each has one network of the sweep, and the hashes of the photographs that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch

from nmebench.distribution.agreement import network_facts
from nmebench.distribution.assignment import Range
from nmebench.distribution.messages import RangeRequest
from nmebench.distribution.stored_batches import StoredBatches
from nmebench.errors import InputError
from nmebench.sweep.execute import set_threads
from nmebench.sweep.plan import Plan

__all__ = ["Requests"]


class Requests:
    """Makes the requests of one sweep."""

    def __init__(self, plan: Plan, stored: Sequence[StoredBatches]) -> None:
        """Describe each network as a sweep of its own.

        Args:
            plan: the sweep.
            stored: the stored batches by the network's position.

        Raises:
            InputError: a network is in memory, which can't be sent to a worker.
        """
        self._plan, self._stored = plan, stored
        names = dict.fromkeys(network.card.name for network in plan.networks)
        by_name = dict(zip(names, plan.configuration.models, strict=True))
        self._configurations = []
        for network in plan.networks:
            request = by_name[network.card.name]
            if request.in_memory:
                raise InputError(
                    f"model {network.card.name!r} is a network in memory, which workers can't load; name its card"
                )
            alone = plan.configuration.model_copy(update={"models": (request,)})
            self._configurations.append(alone.model_dump_json())
        self._facts = [network_facts(plan, network) for network in plan.networks]
        set_threads(plan)
        self._threads = torch.get_num_threads()

    def request(self, chosen: Range, process: str, check: int | None) -> RangeRequest:
        """Return the request for a range.

        Args:
            chosen: the range.
            process: the process that shall compute it.
            check: a batch to compare, or None.
        """
        network = self._plan.networks[chosen.network]
        dataset = self._plan.dataset
        names: set[str] = set()
        if network.reads_images and dataset.image_root is not None:
            numbers = (*chosen.batches, *(() if check is None else (check,)))
            names = {dataset.images[row] for number in numbers for row in network.batches[number]}
        return RangeRequest(
            process=process,
            configuration=self._configurations[chosen.network],
            folder=self._folder,
            box=network.box,
            batches=chosen.batches,
            check=check,
            facts=self._facts[chosen.network],
            photographs=dataset.photographs.sha256,
            contents={name: dataset.photographs.contents[name] for name in sorted(names)},
            thumbnails=self._stored[chosen.network].thumbnails is not None,
            threads=self._threads,
        )

    @cached_property
    def _folder(self) -> str:
        return str(Path.cwd())
