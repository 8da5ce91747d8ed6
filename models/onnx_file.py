"""Checks an ONNX file before a runtime reads it: size, structure, no data outside the file, and no endless loop.

The check walks the protobuf message itself, because the package ``onnx`` is optional and its reader builds the complete
model in memory. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from nmebench.models.checkpoint_file import read_checkpoint
from nmebench.models.errors import CheckpointError

__all__ = ["read_onnx"]

MAX_BYTES = 2**31 - 1
"""Size limit of a protobuf message."""

MAX_DEPTH = 100
"""Largest number of nested messages, the default of protobuf's own readers."""

MAX_PASSES = 10_000
"""Largest number of passes of a Loop, multiplied over nested loops. A runtime can't be interrupted inside of one."""

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
    """Return the content of an ONNX file that refers to no other file and whose loops end.

    Raises:
        CheckpointError: the file can't be read, is no regular file, too large or no ONNX model; one of its tensors,
            in whatever subgraph, attribute or function, keeps its data in another file; or the number of passes of a
            Loop is no constant or too large.
    """
    content = read_checkpoint(path, MAX_BYTES)
    if content[4:8] == b"ORTM":
        raise CheckpointError(f"{path} is in ONNX Runtime's own format (.ort); give the .onnx file it was made from")
    try:
        external = _has_external_tensor(memoryview(content), "Model", MAX_DEPTH)
        loop = None if external else _loop_fault(memoryview(content))
    except _DamagedError as error:
        way_out = "" if path.suffix == ".onnx" else "; give a file that torch.onnx.export or another exporter wrote"
        raise CheckpointError(f"{path} is no ONNX network that can be run: {error}{way_out}") from error
    if external:
        raise CheckpointError(
            f"{path} keeps its weights in another file; save it as one (onnx.save of the loaded model)"
        )
    if loop is not None:
        raise CheckpointError(f"{path} has a Loop {loop}; export the network without loops (tracing unrolls them)")
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


def _loop_fault(model: memoryview) -> str | None:
    """Describe a Loop that may not end soon; None without one. ``Scan`` and ``If`` end by themselves."""
    faults: list[str] = []
    for number, value in _fields(model):
        if number == 7 and isinstance(value, memoryview):
            _check_loops(value, {}, 1, faults)
        elif number == 25 and isinstance(value, memoryview) and any(_op(node)[0] == "Loop" for node in _all(value, 7)):
            faults.append("in a function")
    return faults[0] if faults else None


def _check_loops(graph: memoryview, outer: Mapping[str, int], passes: int, faults: list[str]) -> None:
    """Append the faults of all loops of a graph and its subgraphs.

    Args:
        graph: the message.
        outer: integers of the enclosing graphs by name.
        passes: how often the graph runs.
        faults: the list to append to.
    """
    nodes = list(_all(graph, 1))
    hidden = {name for node in nodes for name in _op(node)[2]} | {_name(value) for value in _all(graph, 11)}
    constants = {name: value for name, value in outer.items() if name not in hidden}
    constants |= dict(filter(None, map(_integer, _all(graph, 5))))
    for node in nodes:
        op, inputs, outputs = _op(node)
        if op == "Constant" and outputs:
            for integer in (_integer(tensor) for attribute in _all(node, 5) for tensor in _all(attribute, 5)):
                if integer is not None:
                    constants[outputs[0]] = integer[1]
    for node in nodes:
        op, inputs, _ = _op(node)
        count = 1
        if op == "Loop":
            name = inputs[0] if inputs else ""
            if name not in constants:
                faults.append("whose number of passes is no constant")
                return
            count = max(constants[name], 1)
            if count * passes > MAX_PASSES:
                faults.append(f"of {count * passes:,} passes (up to {MAX_PASSES:,} are allowed)")
                return
        for attribute in _all(node, 5):
            for number in (6, 11):
                for subgraph in _all(attribute, number):
                    _check_loops(subgraph, constants, passes * count, faults)


def _op(node: memoryview) -> tuple[str, list[str], list[str]]:
    """Operator, names of the inputs and names of the outputs of a Node. Operators of other domains are unknown."""
    texts: dict[int, list[str]] = {1: [], 2: [], 4: [], 7: []}
    for number, value in _fields(node):
        if number in texts and isinstance(value, memoryview):
            texts[number].append(bytes(value).decode("utf-8", "replace"))
    own = texts[7][-1:] in ([], [""], ["ai.onnx"])
    return (texts[4] or [""])[-1] if own else "", texts[1], texts[2]


def _name(value_info: memoryview) -> str:
    names = [bytes(name).decode("utf-8", "replace") for name in _all(value_info, 1)]
    return names[-1] if names else ""


def _integer(tensor: memoryview) -> tuple[str, int] | None:
    """Name and value of a Tensor that holds one int64; None for any other."""
    name, values, raw = "", [], b""
    for number, value in _fields(tensor):
        if number == 2 and value != 7:
            return None
        if number == 8 and isinstance(value, memoryview):
            name = bytes(value).decode("utf-8", "replace")
        elif number == 9 and isinstance(value, memoryview):
            raw = bytes(value[:9])
        elif number == 7 and isinstance(value, int):
            values.append(value)
        elif number == 7 and isinstance(value, memoryview):  # several values in one field
            values.append(_varint(value, 0)[0])
    if len(raw) == 8:
        values.append(int.from_bytes(raw, "little"))
    return (name, values[0] - 2**64 * (values[0] >= 2**63)) if len(values) == 1 else None


def _all(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The messages in a field."""
    return (value for number, value in _fields(message) if number == wanted and isinstance(value, memoryview))


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
