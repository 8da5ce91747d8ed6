"""What a sweep is asked to do, from the command line or a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nmebench.errors import InputError
from nmebench.protocol import Flip

__all__ = ["ModelRequest", "SweepConfiguration", "load"]

#: A sweep file of more bytes than this is not one.
_MAX_FILE = 1 << 20


class ModelRequest(BaseModel):
    """A card (a path, a shipped card's name or a registered model's name) and, if not the card's own, its weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    card: str
    weights: str | None = None


def _request(value: Any) -> Any:
    return {"card": value} if isinstance(value, str) else value


class SweepConfiguration(BaseModel):
    """A sweep. An empty tuple means: as each card says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str
    """``wflw:PATH``, ``synthface``, ``wflw-geometry:PATH``, ..."""
    format: str | None = None
    """Annotation format, detected from the files when not given."""
    models: tuple[Annotated[ModelRequest, BeforeValidator(_request)], ...] = Field(min_length=1)
    decoders: tuple[str, ...] = ()
    """Decoder specs such as ``dark:kernel=17``; ``all`` stands for every registered decoder that a network can feed."""
    flip: tuple[Flip, ...] = ()
    boxes: tuple[str, ...] = ()
    box_padding: float | None = Field(default=None, gt=0, le=10)
    """Factor on the box instead of the rule's own."""
    colour: Literal["rgb", "bgr"] | None = None
    """Channel order instead of the card's: for finding out why a number deviates."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options for every model's architecture, over the card's own."""
    normaliser: str | None = None
    limit: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1, le=4096)
    """Faces a batch; without it as many as keep a batch's crops and maps within 96 MiB (512 on a GPU)."""
    engine: str = "auto"
    threads: int | None = Field(default=None, ge=1, le=1024)
    keep_crops: bool = False
    """Keep the crops in the cache folder for the next sweep of the same faces and boxes."""
    keep_heatmaps: bool = False
    """Keep the network's outputs in the cache folder, as float16, for later decoder sweeps without the network.

    Everything is then decoded from the float16 values, also the first time, so that both times give the same bytes.
    """
    cache_budget_gib: float = Field(default=20.0, gt=0)
    """What either may take at most."""
    pictures: bool = True
    """Keep a thumbnail of every crop for the report's gallery."""
    seed: int = Field(default=0, ge=0)
    title: str = Field(default="", max_length=200)


def load(path: Path) -> SweepConfiguration:
    """Read a sweep file.

    Raises:
        InputError: the file is missing, too large, no TOML, or has an unknown or wrong field.
    """
    try:
        if path.stat().st_size > _MAX_FILE:
            raise InputError(f"{path}: {path.stat().st_size} bytes, a sweep file has at most {_MAX_FILE}; is it one?")
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: can't be read ({error.strerror}); give a sweep file or --data and --model"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML ({error}); see docs/running.md for a sweep file") from error
    return validate(raw, where=str(path))


def validate(raw: dict[str, Any], *, where: str) -> SweepConfiguration:
    """A checked configuration; the first wrong field is named in one line."""
    try:
        return SweepConfiguration.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "(the whole)"
        allowed = ", ".join(SweepConfiguration.model_fields)
        if first["type"] == "extra_forbidden":
            raise InputError(f"{where}: unknown field {field!r}, allowed: {allowed}") from error
        raise InputError(f"{where}: field {field!r} is {first.get('input')!r}: {first['msg']}") from error
