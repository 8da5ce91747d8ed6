"""Cache keys: hashes of every input that affects a stored result.

A finished batch is stored under such a key. It is reused only by a sweep that computes the same key, so a changed input
never meets an old result. Each key contains the key of the step before it::

    data -> crops
    data -> network outputs -> cell

Every file is compared by its SHA-256. That includes the photographs: hashing one takes 0.6 ms, decoding it 10 ms.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nmebench import grids
from nmebench.boxes import Boxes
from nmebench.datasets import photographs_sha256
from nmebench.datasets.dataset import Dataset
from nmebench.decoders.interface import Decoder
from nmebench.engines import model_cache
from nmebench.engines.state_hash import StateError, class_state, network_state
from nmebench.files import file_sha256
from nmebench.geometry.point_mapping import PointMapping
from nmebench.models import Built
from nmebench.models.card import MEMORY, Card, Weights
from nmebench.plugin_source import has_source_file, plugin_sources
from nmebench.protocol import DIRECT
from nmebench.runs import provenance
from nmebench.source_hash import code_hash, package_hash
from nmebench.sweep.configuration import SweepConfiguration

__all__ = ["cell_key", "crops_key", "data_key", "is_in_memory", "network_code", "network_key", "state_sha256"]

#: Packages whose code produces the crops.
_CROP_SOURCES = ("nmebench.geometry", "nmebench.sweep")

#: Packages whose code produces the network's outputs.
_FORWARD_SOURCES = (*_CROP_SOURCES, "nmebench.engines", "nmebench.models")


def data_key(dataset: Dataset) -> str:
    """Return the key of the faces: annotation files, landmarks, photographs and the scheme's flip permutation.

    The landmarks are included besides the files' hashes because ``--limit`` selects some of them. The flip permutation
    is included because it is read from a data file, which the hashes of source code leave out.

    Returns:
        64 hexadecimal digits, as for every key here.
    """
    return _digest(
        files=[(file.name, file.sha256) for file in dataset.files],
        images=list(dataset.images),
        landmarks=_array_hash(dataset.landmarks),
        photographs=photographs_sha256(dataset),
        flip=dataset.scheme.flip.tolist(),
    )


def crops_key(data: str, boxes: Boxes, card: Card, batch_size: int) -> str:
    """Return the key of the crops: faces, boxes, input size, convention and code.

    The versions of NumPy, OpenCV and Pillow are included, which make the crops. The weights are left out, so
    that networks with the same input share kept crops. The batch size is included because it decides
    which faces a stored batch holds.

    Args:
        data: the result of :func:`data_key`.
        boxes: the boxes on this input's aspect ratio.
        card: the model card.
        batch_size: faces per batch.
    """
    return _digest(
        data=data,
        boxes=_boxes_hash(boxes),
        input=[card.input.size, card.input.convention],
        batch_size=batch_size,
        code=package_hash(*_CROP_SOURCES),
        versions=provenance.versions(("numpy", "opencv-python-headless", "pillow")),
    )


def network_key(data: str, boxes: Boxes, built: Built, batch_size: int, configuration: SweepConfiguration) -> str:
    """Return the key of a network's outputs: everything in the crops' key, the network, its weights and the engine.

    The batch size and the number of threads are included because they change the order of floating-point sums.
    ``keep_heatmaps`` is included because it rounds the outputs to float16. Of code that a card names by a file, the
    state of the network is included too, because its constructor may have read a data file. Of a network in memory, the
    state and the compiled code of its classes are included, because the file may have been edited since it was
    imported. If this state has no hash, or a class has no file because a notebook defined it, the key is another one
    each time.

    Args:
        data: the result of :func:`data_key`.
        boxes: the boxes on this input's aspect ratio.
        built: the network and its card, changed as the sweep requests.
        batch_size: faces per batch.
        configuration: the sweep; its engine, threads, seed and ``keep_heatmaps`` are read.
    """
    return _digest(
        data=data,
        boxes=_boxes_hash(boxes),
        card=built.card.model_dump(mode="json", include={"architecture", "input", "output", "options"}),
        weights=[built.weights_sha256, *_entry(built.card)],
        batch_size=batch_size,
        engine=[configuration.engine, configuration.threads, configuration.seed],
        float16=configuration.keep_heatmaps,
        grid=built.grid,
        state=_state(built),
        code=[_plugins(network_code(built)), package_hash(*_FORWARD_SOURCES), file_sha256(Path(grids.__file__))],
        versions=provenance.versions(),
    )


def cell_key(network: str, decoder: Decoder | None, flip: str, mapping: PointMapping | None = None) -> str:
    """Return the key of a cell's landmarks: the network's outputs, decoder (spec and code), flip test and mapping.

    Changing a decoder of another package therefore leaves the finished results of all other cells valid.

    Args:
        network: the result of :func:`network_key`.
        decoder: None for a network that outputs landmarks.
        flip: one of :data:`nmebench.protocol.FLIPS`.
        mapping: the mapping of the landmarks to the data set's scheme; None where the network has that scheme.
    """
    mapped = {} if mapping is None else {"mapping": [mapping.sha256, mapping.origin.flip.tolist()]}
    return _digest(
        **mapped,
        network=network,
        decoder=DIRECT if decoder is None else decoder.spec,
        flip=flip,
        code=None if decoder is None else [_plugins([type(decoder)]), package_hash("nmebench.decoders")],
    )


def network_code(built: Built) -> list[object]:
    """Return the factory and the classes whose source code produces a network's outputs."""
    return list(built.code)


def _state(built: Built) -> str | None:
    """The hash of everything that a network of the user's code holds; None for a registered network.

    A state without a hash gets a random text, so that no sweep reuses a batch that another state may have given.
    """
    if not built.is_own_code:
        return None
    try:
        facts = class_state(built.code) if is_in_memory(built) else []
    except StateError:
        return secrets.token_hex(32)
    return model_cache.cache_key(built.module, *facts) or secrets.token_hex(32)


def state_sha256(built: Built) -> str | None:
    """Return the hash of everything that a network in memory holds: weights and attributes of any kind.

    Returns:
        64 hexadecimal digits; None for another network, or where the state has no exact description.
    """
    if not is_in_memory(built):
        return None
    try:
        return hashlib.sha256(repr(network_state(built.module)).encode("utf-8", "surrogateescape")).hexdigest()
    except StateError:
        return None


def is_in_memory(built: Built) -> bool:
    """Return whether the caller of :func:`nmebench.run` gave the network itself."""
    return built.card.architecture.startswith(MEMORY)


def _plugins(code: Iterable[object]) -> list[object]:
    """Identify the sources outside this project; a plug-in may import any module of it, so its code is included.

    Classes without a file are left out: the key of a network that has one is another one each time.
    """
    sources = [source.identity for source in plugin_sources(one for one in code if has_source_file(one))]
    return [*sources, code_hash()] if sources else []


def _entry(card: Card) -> list[str | None]:
    """Which of the parameters in the weights file are the network's."""
    return [card.weights.key, card.weights.prefix] if isinstance(card.weights, Weights) else [None, None]


def _digest(**inputs: Any) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _array_hash(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def _boxes_hash(boxes: Boxes) -> list[str]:
    return [_array_hash(boxes.centre), _array_hash(boxes.size), boxes.sampling]
