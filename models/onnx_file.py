"""Checks an ONNX file before a runtime reads it: size, structure, and no data outside the file.

The check walks the protobuf message itself, because the package ``onnx`` is optional and its reader builds the complete
model in memory. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nmebench.models.checkpoint_file import read_checkpoint
from nmebench.models.errors import CheckpointError

__all__ = ["read_onnx"]

MAX_BYTES = 2**31 - 1
"""Size limit of a protobuf message."""

MAX_DEPTH = 100
"""Largest number of nested messages, the default of protobuf's own readers."""

#: Message fields that can hold tensors, by message: field number -> message in it.
_FIELDS: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
"""Fields of a Tensor: where its data is in another file, and whether it is."""


def read_onnx(path: Path) -> bytes:
    """Return the content of an ONNX file that refers to no other file.

    Raises:
        CheckpointError: the file can't be read, is no regular file, too large or no ONNX model, or one of its tensors,
            in whatever subgraph, attribute or function, keeps its data in another file.
    """
    content = read_checkpoint(path, MAX_BYTES)
    if content[4:8] == b"ORTM":
        raise CheckpointError(f"{path} is in ONNX Runtime's own format (.ort); give the .onnx file it was made from")
    try:
        external = _has_external_tensor(memoryview(content), "Model", MAX_DEPTH)
    except _DamagedError as error:
        raise CheckpointError(f"{path} is no ONNX network that can be run: {error}") from error
    if external:
        raise CheckpointError(
            f"{path} keeps its weights in another file; save it as one (onnx.save of the loaded model)"
        )
    return content


class _DamagedError(Exception):
    """The file is no valid protobuf message."""


def _has_external_tensor(message: memoryview, kind: str, depth: int) -> bool:
    if depth == 0:
        raise _DamagedError(f"its messages are nested more than {MAX_DEPTH} deep")
    inner = _FIELDS[kind]
    for number, value in _fields(message):
        if kind == "Tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
            return True
        if number in inner and isinstance(value, memoryview) and _has_external_tensor(value, inner[number], depth - 1):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Number and value of every field: an integer, or the bytes of a message, text, group or fixed number."""
    position, end = 0, len(message)
    while position < end:
        tag, position = _varint(message, position)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise _DamagedError("it has a field without a number")
        if wire == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == 2:
            size, position = _varint(message, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:  # groups, which no version of ONNX uses
            raise _DamagedError(f"it has a field of wire type {wire}")
        if size > end - position:
            raise _DamagedError("it is cut short")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position == len(message):
            raise _DamagedError("it is cut short")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _DamagedError("it has an integer of more than 10 bytes")
