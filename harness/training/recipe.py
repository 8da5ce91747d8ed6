"""The recipe of a training run: a TOML file, checked and frozen."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nmebench.bounded_read import read_toml
from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.protocol import Grid
from nmebench.suggest import unknown

__all__ = [
    "Augmentation",
    "Encoding",
    "Optimiser",
    "Recipe",
    "TrainingFaces",
    "TrainingStage",
    "find",
    "load",
    "shipped",
]

SHIPPED = Path(__file__).parent / "recipes"
_LARGEST = 1 << 20
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainingFaces(_Table):
    """The faces of a run: ``source`` is ``synthface`` (drawn from ``seed``) or a dataset such as ``wflw:PATH``."""

    source: str
    split: Literal["train", "test"] = "train"
    faces: Annotated[int, Field(gt=0)]
    skip: Annotated[int, Field(ge=0)] = 0
    """Number of faces to skip; splits a list that has no validation split."""
    seed: Annotated[int, Field(ge=0)] | None = None
    box: str = "landmarks"

    @model_validator(mode="after")
    def _seed_belongs_to_synthface(self) -> TrainingFaces:
        if (self.source == "synthface") != (self.seed is not None):
            raise ValueError("`seed` is given for source = 'synthface', and for nothing else")
        return self


class TrainingStage(_Table):
    """Some epochs at one input size. The networks are fully convolutional, so the first epochs can use a small size."""

    epochs: Annotated[int, Field(gt=0)]
    size: Annotated[int, Field(ge=32, multiple_of=32)] = 256
    batch: Annotated[int, Field(gt=0)] = 64
    lr: Positive = 2e-3
    faces: Annotated[int, Field(gt=0)] | None = None
    """Use only this many faces of the training set, so that a run can start while the others are drawn."""
    restart: bool = False
    """Restart the cosine schedule at this stage (a warm restart: Loshchilov and Hutter, SGDR, 2017)."""


class Augmentation(_Table):
    """Augmentation of a training face, one independent draw per (seed, epoch, face).

    The defaults are mmpose 0.x's for WFLW (``TopDownRandomFlip``, ``TopDownGetRandomScaleRotation``): rotation
    normal with a standard deviation of 30 degrees, clipped at twice that, for 60 % of the faces; box scale normal
    around 1 with a standard deviation of 0.25, clipped at one. mmpose has no shift and no colour augmentation.
    """

    flip: Share = 0.5
    rotation: Annotated[float, Field(ge=0, le=90)] = 30.0
    rotation_probability: Share = 0.6
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.25
    shift: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Standard deviation of the box's shift as a fraction of its side, clipped at twice that."""
    colour: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Half-width of the uniform gain of each channel around 1, and of the offset in units of 255 / 2."""


class Optimiser(_Table):
    """Adam, a linear warm-up and a step or cosine schedule over all stages."""

    betas: tuple[Share, Share] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    warmup_steps: Annotated[int, Field(ge=0)] = 500
    warmup_ratio: Share = 1e-3
    schedule: Literal["step", "cosine"] = "step"
    milestones: tuple[int, ...] = ()
    """``step``: the epochs (counted over all stages) before which the rate falls by ``gamma``."""
    gamma: Positive = 0.1
    hold: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """``cosine``: the fraction of all steps at the full rate, before the decay starts."""
    final: Share = 0.01
    """``cosine``: the factor of the last step."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the exponential moving average of the weights, which is exported; 0 exports the weights themselves."""


class Encoding(_Table):
    """The encoding of a landmark that the network is trained on; by default one Gaussian map on the stride grid.

    ``gaussian``: a heatmap; ``offset``: UDP's combined target, a disc and two offset maps; ``simcc``: a distribution
    for each axis.
    """

    kind: Literal["gaussian", "offset", "simcc"] = "gaussian"
    grid: Grid = "stride"
    """The map between heatmap px and input px (``nmebench.geometry``)."""
    radius: Positive = 3.5
    """``offset``: of the disc, and the unit of the offsets in the loss; heatmap px."""
    bins: Annotated[int, Field(gt=1)] = 512
    """``simcc``: of each axis, over the input at every input size (512 for 256 px: mmpose's 2 bins per px)."""

    @model_validator(mode="after")
    def _parts_belong_to_the_kind(self) -> Encoding:
        if self.kind == "simcc" and self.grid != "stride":
            raise ValueError(f"grid = '{self.grid}' is for heatmaps, and kind = 'simcc' has none: leave it out")
        for field, kind in (("radius", "offset"), ("bins", "simcc")):
            if self.kind != kind and field in self.model_fields_set:
                raise ValueError(f"{field} is for kind = '{kind}', not for kind = '{self.kind}': leave it out")
        return self


class Loss(_Table):
    """Mean squared error of heatmaps whose peaks are 1, times ``1 + foreground * target`` at each pixel.

    ``foreground = 0`` is the plain loss of mmpose and HRNet. A heatmap's peak covers 0.6 % of its pixels, and a short
    run from random weights first learns to predict zero everywhere; the foreground weight prevents that.
    ``encoding.kind = "offset"`` weights its three maps alike; ``"simcc"`` has a Kullback-Leibler loss and no weight.
    """

    sigma: Positive = 2.0
    """Of the Gaussian: heatmap px, bins for ``simcc``; an ``offset`` encoding has none."""
    foreground: Annotated[float, Field(ge=0)] = 0.0


class Recipe(_Table):
    """A complete training run. :func:`load` reads one; its canonical text is part of the checkpoint."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    model: str
    scheme: str = "wflw98"
    options: dict[str, Any] = {}
    initial: str | None = None
    """Weights to start from (a path, relative to the recipe); without it the network starts from random weights."""
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    """``bf16``: forward and backward under autocast; weights, loss and the optimiser stay float32."""
    threads: Annotated[int, Field(gt=0)] | None = None
    workers: Annotated[int, Field(ge=0)] = 1
    """Processes that make batches; the result does not depend on their number."""
    checkpoint_steps: Annotated[int, Field(gt=0)] = 200
    validate_epochs: Annotated[int, Field(gt=0)] = 1
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[Positive, Positive, Positive] = (58.395, 57.12, 57.375)
    train: TrainingFaces
    validation: TrainingFaces | None = None
    stages: Annotated[tuple[TrainingStage, ...], Field(min_length=1)]
    augmentation: Augmentation = Augmentation()
    optimiser: Optimiser = Optimiser()
    encoding: Encoding = Encoding()
    loss: Loss = Loss()
    licence: str = "Apache-2.0"
    note: str = ""

    @model_validator(mode="after")
    def _parts_agree(self) -> Recipe:
        for number, stage in enumerate(self.stages, start=1):
            faces = stage.faces or self.train.faces
            if faces > self.train.faces:
                raise ValueError(f"stage {number} wants {faces} faces of the {self.train.faces} in [train]")
            if stage.batch > faces:
                raise ValueError(f"stage {number} wants batches of {stage.batch} out of {faces} faces")
        if self.encoding.kind == "simcc" and self.loss.foreground:
            raise ValueError("loss.foreground is for heatmaps, and encoding.kind = 'simcc' has none: leave it out")
        val = self.validation
        if val is not None and val.split == "test":
            raise ValueError("[validation] may not be the test split: watching it is selecting on it")
        if val is not None and (val.source, val.split, val.seed) == (
            self.train.source,
            self.train.split,
            self.train.seed,
        ):
            first, last = self.train.skip, self.train.skip + self.train.faces
            if val.skip < last and first < val.skip + val.faces:
                raise ValueError("[validation] and [train] share faces: give another `seed`, or a `skip`")
        return self


def shipped() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def find(name_or_path: str | Path) -> Path:
    """Find the file of a recipe, given by path or by the name of a shipped recipe.

    Raises:
        InputError: no file and no shipped recipe has this name.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    inside = SHIPPED / f"{path}.toml"
    if path.suffix == "" and path.parent == Path() and inside.is_file():
        return inside
    raise InputError(unknown("recipe", str(name_or_path), shipped()) + "; give a shipped recipe's name or a file")


def load(name_or_path: str | Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        InputError: the recipe can't be read or a field is wrong; names the file and the field.
    """
    path = find(name_or_path)
    try:
        return Recipe.model_validate(read_toml(path, limit=_LARGEST, kind="recipe"))
    except ValidationError as error:
        raise InputError(f"{path}: {problems(error, nameless='recipe', fields=_fields())}") from error


def expand(text: str) -> str:
    """Expand environment variables in a path such as ``wflw:$NMEBENCH_WFLW``.

    Raises:
        InputError: a variable is not set.
    """
    full = os.path.expandvars(text)
    if (left := re.search(r"\$\{?(\w+)", full)) is not None:
        raise InputError(f"'{text}' needs the environment variable {left[1]}: set it to the folder that holds the data")
    return full


def _fields() -> list[str]:
    tables: tuple[type[BaseModel], ...] = (
        Recipe,
        TrainingFaces,
        TrainingStage,
        Augmentation,
        Optimiser,
        Encoding,
        Loss,
    )
    return [name for table in tables for name in table.model_fields]
