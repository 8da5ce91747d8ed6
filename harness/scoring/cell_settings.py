"""The settings of a cell that move its landmarks, besides its network, decoder, flip test and box rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nmebench import boxes
from nmebench.errors import InputError
from nmebench.runs.run_record import CellRecord, ModelRecord
from nmebench.runs.run_store import Run

__all__ = ["bad_maps", "card_settings", "cell_settings", "declared_protocol", "setting_differences"]

#: Fields of a card's ``[input]`` and ``[output]`` that have a name of their own here or belong to the cell's protocol.
_NAMED: Final = {"input": ("size", "box", "padding", "convention", "colour", "mean", "std"), "output": ("grid",)}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _settings(card: Mapping[str, Any], configuration: Mapping[str, Any], box: str, precision: str) -> dict[str, str]:
    given = _mapping(card.get("input"))
    options = {**_mapping(card.get("options")), **_mapping(configuration.get("options"))}
    found = {
        "box padding": _padding(box, configuration.get("box_padding") or _own_padding(given, box)),
        "colour": str(configuration.get("colour") or given.get("colour") or "rgb"),
        "crop convention": str(given.get("convention") or "stride"),
        "grid": str(_mapping(card.get("output")).get("grid") or "stride"),
        "architecture options": ", ".join(f"{name}={options[name]}" for name in sorted(options)) or "none",
        "precision": precision,
        "network outputs": "float16" if configuration.get("keep_heatmaps") else "float32",
    }
    for name in ("mean", "std"):
        if isinstance(given.get(name), list | tuple):
            found[name] = _text(given[name])
    for table, named in _NAMED.items():
        for field, value in _mapping(card.get(table)).items():
            if field not in named and value is not None:
                found[f"{table}.{field}"] = _text(value)
    return found


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _own_padding(given: Mapping[str, Any], box: str) -> Any:
    """The padding that a card states for its own box rule."""
    return given.get("padding") if given.get("box") == box else None


def _padding(box: str, padding: Any) -> str:
    """The padding of a box rule as text; ``none`` for a rule without padding or one that isn't installed."""
    if isinstance(padding, int | float):
        return f"{float(padding)!r}".removesuffix(".0")
    try:
        default = getattr(boxes.create(box), "padding", None)
    except InputError:
        default = None
    return "none" if default is None else f"{float(default)!r}".removesuffix(".0")


def cell_settings(run: Run, cell: CellRecord) -> dict[str, str]:
    """Return the settings with which a cell was measured, as text by name.

    For scored predictions these are the declared ones; empty where none were declared.

    Example:
        ``{"box padding": "1.25", "colour": "rgb", "crop convention": "stride", "grid": "stride",
        "architecture options": "none", "precision": "float32", "network outputs": "float32", "output.kind":
        "heatmaps"}``
    """
    model = run.model(cell.model)
    if run.record.kind != "sweep":
        return _declared_settings(declared_protocol(run) or {}, model, cell.box)
    details = _mapping(model.engine_details)
    precision = str(details.get("precision") or "float32")
    found = _settings(model.card, run.record.configuration, cell.box, "float32" if precision == "f32" else precision)
    if cell.mapping is not None:
        found["point mapping"] = f"{cell.mapping.label} (sha256 {cell.mapping.sha256[:8]})"
    return found


def declared_protocol(run: Run) -> Mapping[str, Any] | None:
    """Return the protocol that was declared for a run of scored predictions; None for others.

    Its fields are those of :class:`nmebench.scoring.declare_protocol.DeclaredProtocol`.
    """
    declared = run.record.configuration.get("declared") if run.record.kind == "score" else None
    return declared if isinstance(declared, Mapping) else None


def _declared_settings(declared: Mapping[str, Any], model: ModelRecord, box: str) -> dict[str, str]:
    """The settings that were declared: those of the card, or only the single ones."""
    found: dict[str, str] = {}
    if declared.get("like"):
        found = _settings(model.card, declared, box, "float32")
        del found["precision"], found["network outputs"]
    elif declared.get("box_padding") is not None:
        found = {"box padding": _padding(box, declared["box_padding"])}
    return {**found, "input size": _size(model.input_size)} if all(model.input_size) else found


def _size(size: Any) -> str:
    return " x ".join(map(str, size))


def card_settings(model: ModelRecord, box: str) -> dict[str, str]:
    """Return the settings that a model card stands for: its own, the box rule's default padding, and float32."""
    found = _settings(model.card, {}, box, "float32")
    size = _mapping(model.card.get("input")).get("size")
    return {**found, "input size": _size(size)} if isinstance(size, list | tuple) else found


def setting_differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the settings that differ, each with both values. A setting that one side doesn't have is left out.

    Example:
        >>> setting_differences({"colour": "rgb", "mean": "0"}, {"colour": "bgr"})
        {'colour': ('rgb', 'bgr')}
    """
    return {name: (before[name], after[name]) for name in before if name in after and before[name] != after[name]}


def bad_maps(cell: CellRecord, kind: str = "invalid") -> int:
    """Return the number of a cell's heatmaps that were ``invalid`` (NaN or infinity) or ``empty`` (no positive value).

    Their landmarks are (-1, -1) in the heatmap, so they belong to no network.

    Example:
        >>> cell = CellRecord(
        ...     id="c", model="net", decoder="dark", flip="none", box="rect", counts={"empty": 0, "invalid": 3}
        ... )
        >>> bad_maps(cell)
        3
    """
    return cell.counts.get(kind, 0)
