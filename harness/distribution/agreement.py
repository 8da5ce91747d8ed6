"""The facts in which a worker must agree with the driver, so that its landmarks are those of a run without workers."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import secrets
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nmebench import engines
from nmebench.distribution.messages import WorkerFacts
from nmebench.errors import InputError
from nmebench.plugin_source import plugin_sources
from nmebench.runs import provenance
from nmebench.source_hash import code_hash
from nmebench.sweep.keys import network_code
from nmebench.sweep.plan import NetworkPlan, Plan

__all__ = ["difference", "network_facts", "process_facts"]

#: Beginnings of variables of the environment that change which instructions a library uses, or the order of its sums.
_VARIABLES = (
    "ATEN_",
    "CUBLAS_",
    "CUDNN_",
    "DNNL_",
    "KMP_",
    "MKL_",
    "NVIDIA_TF32",
    "ONEDNN_",
    "OPENBLAS_CORETYPE",
    "OV_",
    "TORCH_",
)

#: Variables with such a beginning that change no result, or that Dask sets for its workers.
_HARMLESS = ("MKL_NUM_THREADS", "TORCH_HOME", "TORCH_LOGS")

#: Identifies this process; a worker that Dask restarts at the same address has another one.
_PROCESS = secrets.token_hex(8)


def process_facts(threads: int) -> WorkerFacts:
    """Return the facts about this process.

    Args:
        threads: the threads that Dask gives to this worker.
    """
    return WorkerFacts(_PROCESS, platform.node() or "unknown", _software(), _arithmetic(threads))


@cache
def _software() -> Mapping[str, str]:
    return {
        "python": platform.python_version(),
        **provenance.versions(("nmebench", *provenance.PACKAGES)),
        "the code of nmebench": code_hash()[:12],
    }


def _arithmetic(threads: int) -> Mapping[str, str]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    variables = {
        name: value for name, value in os.environ.items() if name.startswith(_VARIABLES) and name not in _HARMLESS
    }
    return {
        "processor": provenance.processor(),
        "instructions": f"{torch.backends.cpu.get_cpu_capability()} {_flags()}",
        "gpu": gpu,
        "threads": str(threads),
        "environment": json.dumps(variables, sort_keys=True),
    }


@cache
def _flags() -> str:
    """A hash of the processor's features; empty where the system doesn't list them."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("flags", "Features")):
                return _digest(sorted(line.partition(":")[2].split()))
    return ""


def network_facts(plan: Plan, network: NetworkPlan) -> dict[str, str]:
    """Return everything that the results of a network depend on, by the words that name it in a message.

    The photographs are left out: the plan of a worker takes their hash from the driver, and a worker compares those
    that it reads (:attr:`~nmebench.distribution.messages.RangeRequest.contents`).

    Args:
        plan: the sweep.
        network: one of its networks.
    """
    dataset, built, card = plan.dataset, network.built, network.built.card
    facts = {
        **{f"the annotation file {file.name}": file.sha256[:12] for file in dataset.files},
        "the number of faces": str(len(dataset)),
        "the faces": _digest([list(dataset.images), _array(dataset.landmarks), dataset.scheme.flip.tolist()]),
        f"the boxes of {network.box}": _digest(
            [_array(network.boxes.centre), _array(network.boxes.size), network.boxes.sampling]
        ),
        f"the card of {card.name}": _digest(
            card.model_dump(mode="json", include={"architecture", "input", "output", "options"})
        ),
        f"the weights of {card.name}": str(built.weights_sha256)[:12],
        f"the code of {card.name}": _sources(network_code(built)),
        f"the grid of {card.name}": str(built.grid),
        "the batch size": str(network.batch_size),
        "the engine": engines.selected(plan.configuration.engine),
    }
    for cell in network.cells:
        if cell.decoder is not None:
            facts[f"the code of the decoder {cell.decoder.name}"] = _sources([type(cell.decoder)])
    facts["the decoders and flip tests"] = _digest([cell.record.id for cell in network.cells])
    # The keys contain all of this, and the state of a network of the user's code.
    facts[f"the state of {card.name}"] = _digest([network.key, *(cell.key for cell in network.cells)])
    return facts


def difference(driver: Mapping[str, str], worker: Mapping[str, str]) -> str | None:
    """Return the first difference as a sentence without its subject, or None.

    Args:
        driver: the driver's facts.
        worker: the worker's.

    Example:
        >>> difference({"numpy": "2.2"}, {"numpy": "2.1"})
        'has numpy 2.1, and the driver 2.2'
        >>> difference({"numpy": "2.2"}, {"numpy": "2.2"}) is None
        True
    """
    for name, expected in driver.items():
        found = worker.get(name)
        if found is None:
            return f"lacks {name}, and the driver has {expected}"
        if found != expected:
            return f"has {name} {found}, and the driver {expected}"
    extra = next((name for name in worker if name not in driver), None)
    return None if extra is None else f"has {extra} {worker[extra]}, which the driver lacks"


def _sources(code: Iterable[object]) -> str:
    """A hash of the code outside nmebench."""
    try:
        return _digest([source.identity for source in plugin_sources(code)])
    except InputError as error:  # a class without a source file
        return str(error)


def _array(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "backslashreplace")).hexdigest()[:12]
