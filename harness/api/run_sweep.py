"""``nmebench.run``: measures networks and decoders, also networks in memory."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypedDict, Unpack, overload

import torch
from torch import nn

from nmebench.api.progress_bar import progress_bar
from nmebench.errors import InputError
from nmebench.models.card import Card
from nmebench.models.model_in_memory import MISSING, Model
from nmebench.runs.run_store import Run
from nmebench.runs.sweep_folder import SweepFolder
from nmebench.sweep import ModelRequest, execute, execute_several
from nmebench.sweep.configuration import validate_several

__all__ = ["run"]

AnyModel = str | PathLike[str] | Card | Model | Mapping[str, str]
"""A name or path of a card, a card, a network in memory, or a table with ``card``, ``weights`` and ``name``."""

Progress = Callable[[str, int, int], None]
"""Called with (label, finished faces, all faces)."""

_WHERE = "nmebench.run"


class RunOptions(TypedDict, total=False):
    """The options of :func:`run`, for type checkers."""

    out: str | PathLike[str] | None
    overwrite: bool
    progress: bool | Progress
    flip: str | Sequence[str] | None
    boxes: str | Sequence[str] | None
    box_padding: float | None
    format: str | None
    scheme: str | PathLike[str] | None
    normaliser: str | None
    thresholds: float | Sequence[float] | None
    limit: int | None
    colour: str | None
    options: Mapping[str, Any] | None
    batch_size: int | None
    engine: str
    threads: int | None
    keep_crops: bool
    keep_heatmaps: bool
    cache_budget_gib: float | None
    pictures: bool
    seed: int
    title: str


@overload
def run(
    data: str,
    models: AnyModel | Sequence[AnyModel],
    decoders: str | Sequence[str] = (),
    **options: Unpack[RunOptions],
) -> Run: ...


@overload
def run(
    data: list[str] | tuple[str, ...],
    models: AnyModel | Sequence[AnyModel],
    decoders: str | Sequence[str] = (),
    **options: Unpack[RunOptions],
) -> SweepFolder: ...


def run(
    data: str | Sequence[str],
    models: AnyModel | Sequence[AnyModel],
    decoders: str | Sequence[str] = (),
    *,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
    progress: bool | Progress = False,
    flip: str | Sequence[str] | None = None,
    boxes: str | Sequence[str] | None = None,
    box_padding: float | None = None,
    format: str | None = None,  # noqa: A002
    scheme: str | PathLike[str] | None = None,
    normaliser: str | None = None,
    thresholds: float | Sequence[float] | None = None,
    limit: int | None = None,
    colour: str | None = None,
    options: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    engine: str = "auto",
    threads: int | None = None,
    keep_crops: bool = False,
    keep_heatmaps: bool = False,
    cache_budget_gib: float | None = None,
    pictures: bool = True,
    seed: int = 0,
    title: str = "",
) -> Run | SweepFolder:
    """Measure networks and decoders on a data set and store the run, as ``nmebench run`` does.

    A network in memory (:class:`nmebench.Model`) gives the same landmarks as the same network in a card, bit for bit.
    Its module is not changed. An interrupted run with the same arguments resumes.

    Args:
        data: the data set: ``wflw:PATH``, ``synthface``, ... (``nmebench list datasets``). A list of data sets gives a
            sweep with a run for each.
        models: one or several networks: names or paths of model cards, :class:`~nmebench.models.card.Card` objects,
            networks in memory (:class:`nmebench.Model`), or tables such as ``{"card": "net.toml", "weights":
            "ck/epoch_*.pth"}`` as in a sweep file.
        decoders: decoder specs such as ``dark`` or ``dark:kernel=17``, or ``all``; by default those of the card.
        out: the folder of the run. None makes a temporary one (``run.path``), which is removed when the process ends.
        overwrite: replace a complete run in ``out``.
        progress: True shows a bar; a function is called with (label, finished faces, all faces) after every batch.
        flip: flip tests: ``none``, ``flip``, ``flip+shift``, ``flip+align``, ``flip-coords``; by default the card's.
        boxes: box rules instead of the card's.
        box_padding: factor on the side of the box instead of the box rule's.
        format: the annotation format; None to detect it.
        scheme: name or TOML file of the landmark scheme, for data sets without one of their own.
        normaliser: one of the scheme's normalisers; None for the one that the data set's papers use.
        thresholds: of FR and AUC, percent; by default those that the data set's papers print.
        limit: use only the first faces.
        colour: ``rgb`` or ``bgr`` instead of the card's.
        options: options of every network's architecture; they override the card's.
        batch_size: faces per batch; by default as many as fit 96 MiB, on a GPU 512.
        engine: ``auto``, ``torch``, ``openvino``, ``onnxruntime`` or ``cuda`` with its options (docs/engines.md). It
            decides the device, wherever a module in memory is.
        threads: threads of the network; by default one per physical core.
        keep_crops: keep the crops in the cache for later sweeps.
        keep_heatmaps: keep the networks' outputs (float16) in the cache for later sweeps.
        cache_budget_gib: size limit of the kept crops, and of the kept outputs.
        pictures: store thumbnails for the report.
        seed: recorded in the run; part of the cache keys.
        title: title of the report.

    Returns:
        The stored run; for a list of data sets the sweep, whose ``runs`` are the runs by name.

    Raises:
        InputError: an argument is wrong, an input can't be used, or ``out`` holds something else.

    Example:
        >>> run("synthface", models=["no-such-card"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        nmebench.models.errors.CardError: unknown card or model 'no-such-card' (known: ...)
    """
    given: dict[str, Any] = {
        "data": _data(data),
        "models": _requests(models),
        "decoders": _texts(decoders, "decoders"),
        "flip": _texts(flip, "flip"),
        "boxes": _texts(boxes, "boxes"),
        "box_padding": box_padding,
        "format": format,
        "scheme": None if scheme is None else _path(scheme, "scheme"),
        "normaliser": normaliser,
        "thresholds": [thresholds] if isinstance(thresholds, int | float) else thresholds,
        "limit": limit,
        "colour": colour,
        "options": options,
        "batch_size": batch_size,
        "engine": engine,
        "threads": threads,
        "keep_crops": keep_crops,
        "keep_heatmaps": keep_heatmaps,
        "cache_budget_gib": cache_budget_gib,
        "pictures": pictures,
        "seed": seed,
        "title": title,
    }
    configurations = validate_several({k: v for k, v in given.items() if v is not None}, where=_WHERE)
    folder = _temporary() if out is None else Path(_path(out, "out"))
    with _process_state(), progress_bar(progress) as advance:
        if isinstance(data, str):
            return execute(configurations[0], folder, command=[_WHERE], overwrite=overwrite, progress=advance)
        return execute_several(configurations, folder, command=[_WHERE], overwrite=overwrite, progress=advance)


def _requests(models: AnyModel | Sequence[AnyModel]) -> list[Any]:
    """One request per network."""
    single = isinstance(models, str | PathLike | Card | Model | Mapping | nn.Module)
    if not single and not isinstance(models, Sequence):
        raise InputError(f"models: is a {type(models).__name__}; give a card, a network or a list of them")
    several: Sequence[Any] = [models] if single else models  # type: ignore[assignment]
    if not several:
        raise InputError("models is empty; give at least one card or network")
    return [_request(one, f"models[{number}]") for number, one in enumerate(several)]


def _request(one: Any, where: str) -> Any:
    if isinstance(one, nn.Module):
        raise InputError(f"{where}: a {type(one).__name__} doesn't tell how its input and output are meant; {MISSING}")
    if isinstance(one, Card | Model):
        return ModelRequest.of(one)
    if isinstance(one, PathLike):
        return fspath(one)
    if isinstance(one, str):
        return one
    if isinstance(one, Mapping):
        return {key: fspath(value) if isinstance(value, PathLike) else value for key, value in one.items()}
    raise InputError(
        f"{where}: is a {type(one).__name__}; give the name or path of a card, a Card, or nmebench.Model(module, ...)"
    )


def _data(data: str | Sequence[str]) -> list[str]:
    """The data sets."""
    named = [data] if isinstance(data, str) else list(data) if isinstance(data, list | tuple) else []
    if not named or not all(isinstance(one, str) for one in named):
        raise InputError(f"data: {data!r:.80} is no data set; give its name such as wflw:PATH, or a list of names")
    return named


def _texts(value: str | Sequence[str] | None, what: str) -> list[str] | None:
    if value is not None and not isinstance(value, str | Sequence):
        raise InputError(f"{what}: is a {type(value).__name__}; give a text or a list of texts")
    return None if value is None else [value] if isinstance(value, str) else list(value)


def _path(value: object, what: str) -> str:
    if not isinstance(value, str | PathLike):
        raise InputError(f"{what}: is a {type(value).__name__}; give a path")
    return fspath(value)


def _temporary() -> Path:
    """A folder that is removed when the process ends."""
    folder = tempfile.mkdtemp(prefix="nmebench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / "run"


@contextmanager
def _process_state() -> Iterator[None]:
    """Run a sweep without the caller's autocast, and restore torch's threads and random numbers."""
    threads = torch.get_num_threads()
    with ExitStack() as stack:
        for device in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(device, enabled=False))
        stack.enter_context(torch.random.fork_rng(devices=[]))
        try:
            yield
        finally:
            torch.set_num_threads(threads)
