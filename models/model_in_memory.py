"""A network in memory and the description that a sweep needs besides: its input and its output."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save
from torch import Tensor, nn

from nmebench.errors import InputError
from nmebench.models.adapted_network import adapted
from nmebench.models.build_network import Built, check_input_size
from nmebench.models.card import MEMORY, Card, from_table
from nmebench.models.card import load as load_card
from nmebench.models.checkpoint import LoadedCheckpoint

__all__ = ["MISSING", "Model"]

MISSING: Final = (
    "give input_size=(width, height), mean= and std= of each channel in 0..255 as in its training, and "
    'output="heatmaps", "landmarks" or "simcc": nmebench.Model(module, input_size=(256, 256), mean=(123.675, 116.28, '
    '103.53), std=(58.395, 57.12, 57.375), output="heatmaps"); or card= with a model card'
)
"""The description that a module in memory needs."""

#: Arguments of :class:`Model` and the fields of a card's ``[input]`` and ``[output]`` that they are.
_INPUT: Final = {
    "input_size": "size",
    "mean": "mean",
    "std": "std",
    "colour": "colour",
    "box": "box",
    "padding": "padding",
    "convention": "convention",
}
_OUTPUT: Final = {"output": "kind", "grid": "grid", "unit": "unit", "layout": "layout"}


class Model:
    """A torch module in memory and its description, for :func:`nmebench.run`.

    A module doesn't tell how its input was made or what its output means, so the description must. The module is not
    changed: a copy of it on the CPU in eval mode is measured, which the engine moves to its device.

    Args:
        module: a network that reads images ``[N, 3, H, W]``. Wrappers of ``torch.compile`` and of data parallelism are
            removed.
        name: name of the network, which names its cells; by default that of its class.
        card: describes the input, the output and the test protocol as a card does, with the reported tables: the path
            or name of a card, a :class:`~nmebench.models.card.Card`, or its tables as a dictionary (docs/cards.md).
            Architecture and weights in it are ignored. The other arguments replace fields of it.
        input_size: width, height, input px.
        mean: of each channel in the order of ``colour``, in 0..255.
        std: of each channel in the order of ``colour``, in 0..255.
        output: ``heatmaps`` ``[N, K, h, w]``, ``landmarks`` ``[N, K, 2]`` or ``simcc``.
        grid: the map from heatmap px to input px with which the network was trained: ``stride`` (by default), ``udp``
            or ``half-pixel`` (docs/coordinates.md).
        unit: of landmarks: ``input-px``, ``crop-fraction`` (0 to 1) or ``crop-centred`` (-1 to 1); needed for
            ``output="landmarks"``.
        layout: order of the values of landmarks or heatmaps; ``xy`` by default.
        colour: ``rgb`` (by default) or ``bgr``.
        box: name of the box rule that places the crop; ``landmarks`` by default.
        padding: factor on the side of the box; by default the box rule's.
        convention: the map from the box to input px with which the network was trained; ``stride`` by default.
        scheme: landmark scheme of the network's points; by default that of the data set.

    Raises:
        InputError: ``module`` is no module, the description is incomplete, or a value is not allowed.

    Example:
        >>> net = nn.Conv2d(3, 98, 4, stride=4)
        >>> Model(net, input_size=(64, 64), mean=(0, 0, 0), std=(255, 255, 255), output="heatmaps")
        Model('Conv2d', input 64x64, heatmaps)
        >>> Model(net, output="heatmaps")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.models.errors.CardError: model 'Conv2d': its description lacks input_size, mean, std; give ...
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        name: str | None = None,
        card: Card | Mapping[str, Any] | str | PathLike[str] | None = None,
        input_size: tuple[int, int] | None = None,
        mean: tuple[float, float, float] | None = None,
        std: tuple[float, float, float] | None = None,
        output: str | None = None,
        grid: str | None = None,
        unit: str | None = None,
        layout: str | None = None,
        colour: str | None = None,
        box: str | None = None,
        padding: float | None = None,
        convention: str | None = None,
        scheme: str | None = None,
    ) -> None:
        if not isinstance(module, nn.Module):
            raise InputError(f"a {type(module).__name__} is no torch module; give an instance of torch.nn.Module")
        self.module = _unwrapped(module)
        """The module, not a copy."""
        given = {
            "input_size": input_size,
            "mean": mean,
            "std": std,
            "output": output,
            "grid": grid,
            "unit": unit,
            "layout": layout,
            "colour": colour,
            "box": box,
            "padding": padding,
            "convention": convention,
        }
        chosen = {key: value for key, value in given.items() if value is not None}
        kind = type(self.module).__name__
        called = name or kind
        if card is None:
            missing = [key for key in ("input_size", "mean", "std", "output") if key not in chosen]
            if output == "landmarks" and unit is None:
                missing.append("unit")
            if missing:
                hint = MISSING if missing != ["unit"] else 'give unit="input-px", "crop-fraction" or "crop-centred"'
                from nmebench.models.errors import CardError

                raise CardError(f"model {called!r}: its description lacks {', '.join(missing)}; {hint}")
        table = _table(card)
        table["input"] = {**table.get("input", {}), **{_INPUT[key]: chosen[key] for key in _INPUT if key in chosen}}
        table["output"] = {**table.get("output", {}), **{_OUTPUT[key]: chosen[key] for key in _OUTPUT if key in chosen}}
        table |= {"name": name or table.get("name") or kind, "architecture": MEMORY + kind, "options": {}}
        table |= {} if scheme is None else {"scheme": scheme}
        table["weights"] = table["training"] = None
        self.card: Card = from_table(table, f"model {called!r}")
        """The description."""

    def __repr__(self) -> str:
        width, height = self.card.input.size
        return f"Model({self.card.name!r}, input {width}x{height}, {self.card.output.kind})"

    def build(self, card: Card) -> Built:
        """Return a copy of the network that is ready to run.

        Args:
            card: :attr:`card`, with the changes that a sweep makes.

        Raises:
            InputError: the module can't be copied, or contradicts the card, or the sweep sets options, which a network
                that exists already can't take.
        """
        if card.options:
            raise InputError(
                f"model {card.name!r}: is in memory and takes no options ({', '.join(card.options)}); set them where "
                "it is made"
            )
        module = _copy(self.module, card.name)
        own_code = not type(module).__module__.startswith("nmebench.models.")
        weights = _weights_sha256(module)
        network = adapted(
            module, card.output, f"model {card.name!r}", image_layout=card.input.layout, own_code=own_code
        )
        check_input_size(card, network)
        loaded = None if weights is None else LoadedCheckpoint(weights)
        return Built(network.eval(), card, None, loaded, make=_Given(module))


class _Given:
    """The place of a factory for a network that exists already."""

    has_reserved_options = False

    def __init__(self, module: nn.Module) -> None:
        self.module, self.target = module, type(module)

    def __call__(self, **_: Any) -> nn.Module:
        return self.module


def _table(card: Card | Mapping[str, Any] | str | PathLike[str] | None) -> dict[str, Any]:
    """The tables of a card as dictionaries."""
    if card is None:
        return {}
    if isinstance(card, str | PathLike):
        card = load_card(Path(card) if isinstance(card, PathLike) else card)
    if isinstance(card, Card):
        return card.model_dump(exclude_unset=True)
    if not isinstance(card, Mapping):
        raise InputError(f"card: is a {type(card).__name__}; give a path, a name, a Card or a dictionary of its tables")
    return copy.deepcopy(dict(card))


def _unwrapped(module: nn.Module) -> nn.Module:
    """The module itself, without the wrappers of ``torch.compile`` and of data parallelism."""
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif isinstance(inner := module.__dict__.get("_modules", {}).get("_orig_mod"), nn.Module):
            module = inner
        else:
            return module


def _copy(module: nn.Module, name: str) -> nn.Module:
    """Return a copy on the CPU in eval mode.

    Tensors are copied to the CPU one by one, so that no second copy is made on the device. That also copies tensors
    that are the result of an operation, such as those of ``torch.nn.utils.weight_norm``, which ``deepcopy`` refuses.

    Raises:
        InputError: the module can't be copied.
    """
    memo: dict[int, Any] = {}
    for one in module.modules():
        for value in (*one._parameters.values(), *one._buffers.values(), *vars(one).values()):
            if type(value) is nn.Parameter:
                memo[id(value)] = nn.Parameter(value.detach().to("cpu", copy=True), value.requires_grad)
            elif type(value) is Tensor and value.layout == torch.strided:
                memo[id(value)] = value.detach().to("cpu", copy=True)
    try:
        with torch.no_grad():
            return copy.deepcopy(module, memo).cpu().eval()
    except (RuntimeError, TypeError, ValueError, AttributeError, NotImplementedError) as error:
        why = (str(error).splitlines() or [""])[0][:200]
        raise InputError(
            f"model {name!r}: can't be copied ({type(error).__name__}: {why}), and nmebench measures a copy; remove "
            "the attribute, or give the card of its class or ONNX file instead of the module"
        ) from error


def _weights_sha256(module: nn.Module) -> str | None:
    """The SHA-256 of the safetensors file of the parameters and buffers; None for a network without any.

    It equals that of the file that ``safetensors.torch.save_file(module.state_dict(), FILE)`` writes.
    """
    tensors = {
        name: value.detach().to("cpu", copy=True).contiguous()
        for name, value in module.state_dict().items()
        if isinstance(value, Tensor) and value.layout == torch.strided and not value.is_quantized
    }
    return hashlib.sha256(save(tensors)).hexdigest() if tensors else None
