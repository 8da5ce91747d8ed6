"""Hashes everything that a network holds: its weights, and the attributes that affect its outputs.

:func:`network_state` describes a network as nested texts and lists: two networks with equal state have the same
description, in any process. A value that can't be described exactly raises :class:`StateError`, because a key without
it would stand for two networks with different outputs.
"""

from __future__ import annotations

import hashlib
import io
import re
import threading
import weakref
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from nmebench.code_folder import CodeFolder
from nmebench.errors import InputError

__all__ = ["StateError", "class_state", "network_state"]


class StateError(InputError):
    """A network holds a value that has no exact description."""


#: Attributes of every module that are hashed elsewhere or don't affect the outputs in eval mode.
_MODULE_ATTRIBUTES = frozenset(nn.Module().__dict__)

#: Attributes of torch.fx and TorchScript that their ``code`` and :func:`_scripted` describe.
_GENERATED = {torch.fx.GraphModule: {"_graph", "_code"}, torch.jit.ScriptModule: {"_c", "_concrete_type", "forward"}}

#: Types whose ``repr`` is their exact value.
_PLAIN = (
    *(bool, int, float, complex, str, bytes, bytearray),
    *(torch.dtype, torch.device, torch.layout, torch.memory_format, torch.qscheme),
)

#: Packages whose code is part of the keys by its version, and of Python itself.
_UNCHANGED = frozenset({"torch", "torchvision", "timm", "nmebench", "builtins", "abc", "typing", "collections"})

#: Types without content.
_EMPTY = (type(threading.Lock()), type(threading.RLock()))

#: A counter in the class names of TorchScript, which depends on what the process has loaded before.
_COUNTER = re.compile(rb"___torch_mangle_\d+")


def network_state(module: nn.Module) -> list[object]:
    """Describe the weights and attributes of a network and of all modules that it holds.

    Args:
        module: the network.

    Returns:
        Nested lists of texts; tensors and arrays are in them as SHA-256.

    Raises:
        StateError: a value has no exact description, such as an open file; one line names it.

    Example:
        >>> one, other = nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=3)
        >>> network_state(one) == network_state(nn.Upsample(scale_factor=2)) != network_state(other)
        True
    """
    try:
        return _network(module, {})
    except StateError:
        raise
    except Exception as error:  # whatever a property or ``__reduce__`` of the user's code raises
        text = (str(error).splitlines() or [""])[0][:200]
        raise StateError(
            f"the state of {type(module).__name__} can't be read: {type(error).__name__}: {text}"
        ) from error


def class_state(classes: Iterable[object]) -> list[object]:
    """Describe the compiled code of classes, their base classes outside torch included.

    Args:
        classes: classes; other objects are left out.

    Returns:
        Nested lists of texts.

    Raises:
        StateError: a value that the code uses has no exact description.
    """
    chosen = {
        base: None
        for kind in classes
        if isinstance(kind, type)
        for base in kind.__mro__
        if base.__module__.partition(".")[0] not in _UNCHANGED
    }
    return [[kind.__module__, kind.__qualname__, *_members(kind)] for kind in chosen]


def _members(kind: type) -> list[object]:
    """The functions and plain values of a class, by name."""
    found: list[object] = []
    for name, member in vars(kind).items():
        parts = [member.fget, member.fset] if isinstance(member, property) else [member]
        functions = [getattr(part, "__func__", part) for part in parts]
        plain = isinstance(member, _PLAIN) and not name.startswith("__")
        if plain or any(isinstance(function, FunctionType) for function in functions):
            found.append([name, *(_value(function, {}) for function in functions)])
    return found


def _network(module: nn.Module, seen: dict[int, object]) -> list[object]:
    modules = dict(module.named_modules())
    for one in modules.values():
        seen[id(one)] = one
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    # Modules with packed weights, such as quantized ones, show them in the state dictionary only.
    stored = {name: value for name, value in module.state_dict().items() if name not in tensors}
    scripted = {name: one for name, one in modules.items() if isinstance(one, torch.jit.ScriptModule)}
    outer = {name: one for name, one in scripted.items() if not name or name.rpartition(".")[0] not in scripted}
    return [
        repr(module),
        *(_module(name, one, seen) for name, one in modules.items()),
        *([name, *_scripted(one)] for name, one in outer.items()),
        *([name, _value(value, seen)] for name, value in {**tensors, **stored}.items()),
    ]


def _module(name: str, module: nn.Module, seen: dict[int, object]) -> list[object]:
    """The class and the attributes of one module, without the modules below it and without its tensors."""
    kind = type(module)
    left_out = {name for base, names in _GENERATED.items() if isinstance(module, base) for name in names}
    attributes: dict[str, Any] = {
        key: value for key, value in vars(module).items() if key not in _MODULE_ATTRIBUTES | left_out
    }
    generated = getattr(module, "code", None) if left_out else None
    hooks = [
        hook
        for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values())
        if not isinstance(getattr(hook, "__self__", None), CodeFolder)  # those only say where imports are found
    ]
    if "_packed_params" in attributes and isinstance(attributes["_packed_params"], torch.ScriptObject):
        del attributes["_packed_params"]  # in the state dictionary
    return [
        *(name, kind.__module__, kind.__qualname__, generated if isinstance(generated, str) else ""),
        _value(attributes, seen),
        _value(hooks, seen),
    ]


def _scripted(module: torch.jit.ScriptModule) -> list[object]:
    """The files that TorchScript would save: they hold the attributes, which Python doesn't show."""
    archive = module.save_to_buffer()
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        # Without the folder of the archive and the maps from code to lines, which name source files.
        names = sorted(n for n in files.namelist() if not n.endswith((".debug_pkl", "/.data/serialization_id")))
        return [[name.partition("/")[2], _sha256(_COUNTER.sub(b"", files.read(name)))] for name in names]


def _value(value: object, seen: dict[int, object]) -> object:
    """A text or list that two equal values share, in any process.

    Args:
        value: the value.
        seen: the objects on the way, by their id. It keeps them alive, because Python gives the id of an object that is
            gone to the next one.
    """
    if value is None or isinstance(value, _PLAIN):
        return f"{type(value).__qualname__} {value!r}" if type(value) not in _PLAIN else repr(value)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, Tensor):
        return [kind, *_tensor(value, seen)]
    if type(value) is np.ndarray and not value.dtype.hasobject:
        return f"{value.dtype.descr} {value.shape} {_sha256(value.tobytes())}"
    if isinstance(value, (ModuleType, *_EMPTY)):
        return [kind, getattr(value, "__name__", "")]
    if isinstance(value, type):
        return [kind, value.__module__, value.__qualname__]
    if id(value) in seen:
        return f"{kind} {list(seen).index(id(value))}"
    if isinstance(value, nn.Module):  # one in a plain list, whose weights are no parameters of the network
        return [kind, *_network(value, seen)]
    seen[id(value)] = value
    if isinstance(value, (set, frozenset)):
        # Each element on its own: the order of a set differs between processes.
        return [kind, *sorted(repr(_value(one, dict(seen))) for one in value)]
    return [kind, *(_value(part, seen) for part in _parts(value))]


def _parts(value: object) -> list[Any]:
    """The values that an object consists of."""
    own = list(getattr(value, "__dict__", {}).items())
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords, own]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [
            value.__module__,
            value.__qualname__,
            value.__code__,
            value.__defaults__,
            value.__kwdefaults__,
            cells,
            own,
        ]
    if isinstance(value, CodeType):
        return [value.co_code, value.co_names, *value.co_consts]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, BuiltinFunctionType):
        return [value.__module__, value.__qualname__, getattr(value, "__self__", None)]
    if isinstance(value, weakref.ref):
        return [value()]
    if isinstance(value, Mapping):
        return [part for pair in (*value.items(), *own) for part in pair]
    if isinstance(value, (list, tuple)):
        return [*value, *own]
    return _state(value, own)


def _state(value: object, own: list[tuple[str, object]]) -> list[Any]:
    """An object's attributes, or what ``pickle`` would store of one that keeps its content in C.

    Raises:
        StateError: neither shows the content.
    """
    kind = type(value)
    of_torch = kind.__module__.partition(".")[0] == "torch"
    reduces = any(
        getattr(kind, name) is not getattr(object, name) for name in ("__reduce__", "__reduce_ex__", "__getstate__")
    )
    if isinstance(value, torch.Generator):
        return [value.get_state()]
    if isinstance(value, (torch._ops.OpOverload, torch._ops.OpOverloadPacket)):
        return [str(value)]
    if own and (of_torch or not reduces):
        return [part for pair in own for part in pair]
    try:
        stored = value.__reduce_ex__(4)
    except Exception as error:
        raise StateError(f"a {kind.__module__}.{kind.__qualname__} doesn't show its content") from error
    if isinstance(stored, str):
        return [stored]
    return [list(part) if isinstance(part, Iterator) else part for part in stored]


def _tensor(value: Tensor, seen: dict[int, object]) -> list[object]:
    """The type, the shape and the hash of a tensor's content.

    Raises:
        StateError: the tensor shows its content in no exact form.
    """
    described = [str(value.dtype), str(value.layout), str(list(value.shape))]
    wrapper: Any = value
    if is_traceable_wrapper_subclass(wrapper):  # such as the quantized tensors of torchao
        names, context = wrapper.__tensor_flatten__()
        return [*described, _value(context, seen), *(_value(getattr(wrapper, name), seen) for name in names)]
    if type(value) not in (Tensor, nn.Parameter, nn.Buffer):
        raise StateError(f"a tensor of type {type(value).__name__} doesn't show its content")
    value = value.detach()
    if value.layout == torch.sparse_coo:
        return [*described, str(value.is_coalesced()), *_all([value._indices(), value._values()], seen)]
    if value.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [*described, *_all([value.crow_indices(), value.col_indices(), value.values()], seen)]
    if value.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [*described, *_all([value.ccol_indices(), value.row_indices(), value.values()], seen)]
    if value.layout != torch.strided or value.is_meta:
        raise StateError(f"a tensor of layout {value.layout} on {value.device} doesn't show its content")
    if value.is_quantized:
        return [*described, str(value.qscheme()), *_all([*_scale(value), value.int_repr()], seen)]
    raw = value.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8).numpy()
    return [*described, _sha256(raw.tobytes())]


def _scale(value: Tensor) -> list[object]:
    """Scale and zero point of a quantized tensor: of all values, or of each channel and its axis."""
    if value.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return [value.q_scale(), value.q_zero_point()]
    return [value.q_per_channel_scales(), value.q_per_channel_zero_points(), value.q_per_channel_axis()]


def _all(values: list[Any], seen: dict[int, object]) -> list[object]:
    return [_value(value, seen) for value in values]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
