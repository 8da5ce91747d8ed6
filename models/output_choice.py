"""The choice of the raw outputs that a card's ``[output]`` table describes, by name, position, stack or shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from nmebench.models.card_output import Output
from nmebench.models.errors import ModelError

__all__ = ["OutputChoice", "fits", "listed"]

_NAMES = {"heatmaps": ("heatmaps",), "landmarks": ("landmarks",), "simcc": ("simcc_x", "simcc_y")}


class OutputChoice:
    """Chooses raw outputs.

    Example:
        >>> import torch
        >>> stacks = [torch.zeros(1, 98, 64, 64), torch.ones(1, 98, 64, 64)]
        >>> OutputChoice(Output(stack=-1), "my-net").choose(stacks)[0].mean().item()
        1.0
    """

    def __init__(self, output: Output, owner: str) -> None:
        """Keep the settings.

        Args:
            output: the card's ``[output]`` table.
            owner: the network, for messages.
        """
        self.output = output
        self.owner = owner

    @property
    def names(self) -> tuple[str, ...]:
        """The project's names of the outputs that the settings describe."""
        return (*_NAMES[self.output.kind], *(("offsets",) if self.output.offsets else ()))

    @property
    def counts(self) -> tuple[int, ...]:
        """Numbers of raw outputs that the settings can read."""
        if self.output.kind == "simcc":
            return (2,)
        return (2, 3) if self.output.offsets == "separate" else (1,)

    def choose(self, raw: Any) -> list[Any]:
        """Return the raw outputs that the settings describe, in the order of the card's ``names``.

        Args:
            raw: a tensor, a tuple or list of tensors, or a mapping from names to tensors.

        Raises:
            ModelError: an output is missing, or several could be meant.
        """
        if self.output.names:
            return [self._on_stack(self._at(raw, name)) for name in self.output.names]
        if isinstance(raw, Tensor) and 1 in self.counts:
            return [self._on_stack(raw)]
        if isinstance(raw, Tensor):
            entries = {"": raw}
        elif isinstance(raw, Mapping):
            names = self.names
            if set(names) <= set(raw):
                return [raw[name] for name in (*names, *(("offsets",) if self._gives_offsets(raw) else ()))]
            entries = {str(name): value for name, value in raw.items()}
        elif isinstance(raw, Sequence) and not isinstance(raw, str):
            entries = {str(number): value for number, value in enumerate(raw)}
        else:
            raise ModelError(
                f"{self.owner} returns a {type(raw).__name__}, not a tensor, a list or a mapping of tensors"
            )
        fitting = [
            name for name, value in entries.items() if isinstance(value, Tensor) and fits(self.output, value.shape)
        ]
        stack = self.output.stack
        if stack is not None and len(fitting) > 1:
            return [entries[self._of_stack(fitting, stack)]]
        if len(fitting) not in self.counts:
            raise ModelError(self._not_chosen(entries, fitting))
        # Two distributions with names of their own don't show which one is x.
        if self.output.kind == "simcc" and isinstance(raw, Mapping):
            raise ModelError(
                f"{self.owner} gives {listed(entries)}: names in [output] must say which output is x and which is y"
            )
        return [self._on_stack(entries[name]) for name in fitting]

    def _gives_offsets(self, raw: Mapping[str, Any]) -> bool:
        """Return True if the outputs have offsets under the project's name, which the card needn't describe."""
        return self.output.kind == "heatmaps" and self.output.offsets is None and "offsets" in raw

    def _not_chosen(self, entries: Mapping[str, Any], fitting: Sequence[str]) -> str:
        """The message when the settings don't decide which outputs to read."""
        wanted = " or ".join(map(str, self.counts))
        kind = self.output.kind + (" and offsets" if self.output.offsets == "separate" else "")
        if list(entries) == [""]:
            return f"{self.owner} gives {listed(entries)}, not {kind} {self.expected}"
        text = f"{self.owner} gives {listed(entries)}; {kind} are read from {wanted}"
        if len(fitting) > wanted.count("or") + 1 and self.output.kind != "simcc" and self.output.offsets is None:
            return f"{text}: set names, or stack (-1 is the last one), in [output]"
        return f"{text}: set names in [output], or correct kind"

    @property
    def expected(self) -> str:
        """The shapes that the settings read, for messages."""
        if self.output.kind == "landmarks":
            return "[N, K, 2], [N, 2, K] or [N, 2 K]"
        return "[N, K, h, w]" if self.output.kind == "heatmaps" else "[N, K, bins] of x and of y"

    def _at(self, raw: Any, name: str) -> Any:
        """The raw output of a name: a key, a position, or a path of both."""
        if isinstance(raw, Mapping) and name in raw:
            return raw[name]
        if isinstance(raw, Tensor):
            raise ModelError(f"{self.owner} gives one output without a name: leave names out of [output]")
        found = raw
        for part in name.split("."):
            found = self._entry(found, part, name)
        return found

    def _entry(self, value: Any, part: str, name: str) -> Any:
        if isinstance(value, Mapping) and part in value:
            return value[part]
        if isinstance(value, Sequence) and part.lstrip("-").isdigit() and -len(value) <= int(part) < len(value):
            return value[int(part)]
        raise ModelError(f"{self.owner} has no output {name!r} (names in [output]); it gives {listed(value)}")

    def _of_stack(self, names: Sequence[str], stack: int) -> str:
        if not -len(names) <= stack < len(names):
            raise ModelError(f"{self.owner} gives {len(names)} stacks: [output] stack = {stack} is none of them")
        return names[stack]

    def _on_stack(self, value: Any) -> Any:
        """The chosen stack of an output ``[N, stacks, ...]`` or of a list; the output itself without ``stack``."""
        stack = self.output.stack
        if stack is None:
            return value
        if isinstance(value, Sequence) and value:
            return value[int(self._of_stack([str(i) for i in range(len(value))], stack))]
        rank = {"heatmaps": (5, 6), "landmarks": (3, 4, 5)}[self.output.kind]
        if not isinstance(value, Tensor) or value.ndim not in rank:
            raise ModelError(
                f"{self.owner} gives {listed({'': value})}, which has no stacks: leave stack out of [output]"
            )
        stacks = int(value.shape[1])
        return value[:, int(self._of_stack([str(i) for i in range(stacks)], stack))]


def fits(output: Output, shape: Sequence[int | None]) -> bool:
    """Return whether an output of this shape can hold what a card's ``[output]`` table describes.

    Args:
        output: the table.
        shape: None for an open dimension; empty for an unknown number of dimensions, which fits.

    Example:
        >>> fits(Output(kind="landmarks"), (None, 98, 64, 64)), fits(Output(), (None, 98, 64, 64))
        (False, True)
    """
    rank, stacks = len(shape), output.stack is not None
    if not rank:
        return True
    if output.kind == "simcc":
        return rank == 3
    if output.kind == "landmarks":
        values = 1
        for side in shape[1:]:
            values *= side or 6  # an open dimension may have any size
        depth = 3 if output.layout == "xyz" else 2
        narrow = rank < 4 or any(side is None or side <= 3 for side in shape[2:])
        return 2 <= rank <= 4 + stacks and narrow and values % depth == 0
    return (rank in (4, 5) or (rank == 6 and stacks)) and 1 not in shape[-2:]


def listed(value: Any) -> str:
    """Return names and shapes of outputs, for a message."""
    if isinstance(value, Mapping):
        entries = list(value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        entries = list(enumerate(value))
    else:
        entries = [("", value)]
    texts = []
    for name, one in entries[:12]:
        shape = str(list(one.shape)) if isinstance(one, Tensor) else type(one).__name__
        texts.append(f"{name} {shape}".strip())
    more = f" and {len(entries) - 12} more" if len(entries) > 12 else ""
    return (", ".join(texts) or "nothing") + more
