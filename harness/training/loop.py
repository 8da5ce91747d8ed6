"""The training loop: from a recipe to weights, a log and a card. A killed run resumes and ends with the same bits."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nmebench import models
from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.files import write_atomically
from nmebench.geometry import scheme
from nmebench.locks import locked
from nmebench.models import checkpoint
from nmebench.printable import shown
from nmebench.suggest import unknown
from nmebench.training import (
    encodings,
    export,
    face_cache,
    plan,
    recipe,
    state,
    validate,
)
from nmebench.training.loader import Batch, batches, order, plain
from nmebench.training.log import Listener, Log
from nmebench.training.recipe import Recipe

__all__ = ["train"]

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
_LOCK = ".lock"
LOG_STEPS = 20
SHORTEST_PAUSE = 20.0
"""Minimum number of seconds between two checkpoints, whatever number of steps the recipe sets."""


def train(
    path: str | Path, out: Path, *, resume: bool = False, device: str | None = None, listener: Listener | None = None
) -> Path:
    """Train a network by a recipe.

    Args:
        path: a recipe's file, or a shipped recipe's name.
        out: the folder for ``NAME.safetensors`` (float16), ``NAME.toml`` (its model card), ``log.jsonl``, the
            recipe and ``checkpoint.pt``. It must be new, or contain the interrupted run when ``resume`` is set.
        resume: continue from the last checkpoint. The weights are bit for bit those of an uninterrupted run on the
            same machine with the same number of threads.
        device: ``cpu`` or ``cuda``; by default a GPU where there is one.
        listener: called with each line of the log; the lines ``prepare`` (with ``what``) precede it and aren't stored.

    Returns:
        the path of the card.

    Raises:
        InputError: the recipe is wrong, the folder holds another run, the faces are missing, or the loss is not finite.
    """
    file = recipe.find(path)
    made = recipe.load(file)
    place = _device(device)
    _prepare_folder(out, made, resume=resume)
    lock = locked(
        out / _LOCK,
        busy=f"{shown(out)}: another nmebench is training into it; wait for it or give another folder with -o",
        way_out="give a folder on another file system with -o",
    )
    with lock, _numerics(made):
        try:
            return _run(made, file, out, place, command=f"nmebench train {path}", listener=listener)
        except InputError:
            _forget_refused(out)
            raise


@dataclass
class _Parts:
    module: nn.Module
    average: state.Average
    optimiser: torch.optim.Optimizer
    encoder: encodings.Encoder
    mean: Tensor
    std: Tensor


def _run(made: Recipe, file: Path, out: Path, device: torch.device, *, command: str, listener: Listener | None) -> Path:
    kind = scheme.load(made.scheme)
    steps = plan.steps(made)
    announce = listener or (lambda _entry: None)
    announce({"event": "prepare", "what": f"building {made.model}"})
    parts = _build(made, file, device, points=kind.points)
    log = Log(out / LOG, listener)
    done = 0
    if (out / CHECKPOINT).is_file():
        done = state.load(
            out / CHECKPOINT,
            recipe=_identity(made),
            module=parts.module,
            average=parts.average,
            optimiser=parts.optimiser,
            device=device,
        )
    log.cut(done)
    log.write("start", done, of=len(steps), device=str(device), threads=torch.get_num_threads(), pid=os.getpid())

    announce({"event": "prepare", "what": f"opening {made.train.faces} faces of {made.train.source}"})
    training = face_cache.open_pictures(made.train)
    validation = None if made.validation is None else face_cache.open_pictures(made.validation)
    # The validation faces are drawn first: they are few, and the end of the first epoch needs them.
    with face_cache.drawing(*([validation] if validation else []), training) as wait:
        held = _Held(validation, kind)
        if validation is not None:
            announce({"event": "prepare", "what": f"preparing {len(validation)} validation faces"})
            wait(validation, np.arange(len(validation)))
        views = batches(
            training,
            steps[done:],
            augmentation=made.augmentation,
            seed=made.seed,
            flip=kind.flip,
            workers=made.workers,
        )
        saved = time.monotonic()
        pace = _Pace()
        for step in steps[done:]:
            chosen = order(made.seed, step.epoch, step.faces)[step.first : step.first + step.batch]
            wait(training, chosen)
            batch = next(views)
            loss = _step(made, parts, step, batch, device)
            pace.add(step.batch, loss)
            number = step.number + 1
            last = number == len(steps)
            if number % LOG_STEPS == 0 or step.last_of_epoch or last:
                value, seconds, speed = pace.take()
                if not np.isfinite(value):
                    raise InputError(
                        f"the loss is {value} at step {number} (lr {step.lr:.2g}): lower `lr` or lengthen"
                        " `warmup_steps`; the last checkpoint is kept"
                    )
                log.write(
                    "step",
                    number,
                    epoch=step.epoch,
                    lr=float(f"{step.lr:.4g}"),
                    loss=float(f"{value:.5g}"),
                    seconds=round(seconds, 2),
                    faces_per_second=round(speed, 1),
                )
            if step.last_of_epoch and ((step.epoch + 1) % made.validate_epochs == 0 or last):
                nme = held.nme(parts, size=step.size)
                if nme is not None:
                    log.write("validation", number, epoch=step.epoch, size=step.size, nme=nme)
            due = number % made.checkpoint_steps == 0 and time.monotonic() - saved > SHORTEST_PAUSE
            if due or last:
                _save(out, made, parts, number)
                saved = time.monotonic()
        weights = export.weights(parts.average.values, out / f"{made.name}.safetensors", made)
        checkpoint.load(parts.module, weights)
        parts.average.update(parts.module, whole=True)
        log.write("end", len(steps), nme=held.nme(parts, size=made.stages[-1].size))
    return export.card(made, out, weights=weights, log=log.path, command=command)


def _step(made: Recipe, parts: _Parts, step: plan.Step, batch: Batch, device: torch.device) -> Tensor:
    for group in parts.optimiser.param_groups:
        group["lr"] = step.lr
    parts.module.train()
    # Dropout and stochastic depth, where a backbone has them, are functions of the seed and the step too.
    torch.manual_seed(_seed(made.seed, step.number))
    images = validate.normalised(batch.images.to(device, non_blocking=True), parts.mean, parts.std)
    with validate.autocast(made.precision, device):
        outputs = parts.module(images)
    parts.encoder.check(outputs, made.model)
    loss = parts.encoder.loss(outputs, batch.landmarks, size=step.size)
    parts.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    parts.optimiser.step()
    parts.average.update(parts.module)
    return loss.detach()


@dataclass
class _Held:
    """The validation faces, cropped for the current input size."""

    pictures: face_cache.Pictures | None
    kind: scheme.Scheme
    crops: Batch | None = None

    def nme(self, parts: _Parts, *, size: int) -> float | None:
        """Return the NME in percent of the averaged weights, which the run exports; None without faces."""
        if self.pictures is None:
            return None
        if self.crops is None or self.crops.images.shape[-1] != size:
            self.crops = plain(self.pictures, size=size, flip=self.kind.flip)
        own = {name: value.clone() for name, value in parts.module.state_dict().items()}
        parts.module.load_state_dict(parts.average.values)
        nme = validate.nme(
            parts.module,
            self.crops,
            scheme=self.kind,
            mean=parts.mean,
            std=parts.std,
            decoder=parts.encoder.decoder(size),
            grid=parts.encoder.output().grid or "stride",
        )
        parts.module.load_state_dict(own)
        return nme


def _build(made: Recipe, file: Path, device: torch.device, *, points: int) -> _Parts:
    torch.manual_seed(_seed(made.seed, -1))
    module: nn.Module = models.create(
        made.model,
        weights=None if made.initial is None else file.parent / recipe.expand(made.initial),
        points=points,
        **made.options,
    )
    if getattr(module, "reads", "images") != "images":
        raise InputError(f"{made.model} does not read images: there is nothing to train")
    module = module.to(device).to(memory_format=torch.channels_last)
    o = made.optimiser
    optimiser = torch.optim.Adam(module.parameters(), lr=1.0, betas=o.betas, weight_decay=o.weight_decay, fused=True)
    return _Parts(
        module=module,
        average=state.Average(module, decay=o.average),
        optimiser=optimiser,
        encoder=encodings.create(made),
        mean=torch.tensor(made.mean, device=device).view(1, 3, 1, 1),
        std=torch.tensor(made.std, device=device).view(1, 3, 1, 1),
    )


def _save(out: Path, made: Recipe, parts: _Parts, step: int) -> None:
    state.save(
        out / CHECKPOINT,
        recipe=_identity(made),
        step=step,
        module=parts.module,
        average=parts.average,
        optimiser=parts.optimiser,
    )


@dataclass
class _Pace:
    """Sums the loss over some steps without waiting for the device at each step."""

    faces: int = 0
    steps: int = 0
    loss: Tensor | float = 0.0
    since: float = field(default_factory=time.monotonic)

    def add(self, faces: int, loss: Tensor) -> None:
        """Add one step."""
        self.faces += faces
        self.steps += 1
        self.loss = self.loss + loss

    def take(self) -> tuple[float, float, float]:
        """Return mean loss, seconds and faces per second since the last call, and reset."""
        value = float(self.loss) / max(1, self.steps)
        now = time.monotonic()
        seconds = now - self.since
        speed = self.faces / max(1e-9, seconds)
        self.faces, self.steps, self.loss, self.since = 0, 0, 0.0, now
        return value, seconds, speed


def _prepare_folder(out: Path, made: Recipe, *, resume: bool) -> None:
    """Prepare the output folder, or refuse it. A folder with other content is never written to."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: give a folder")
    record = out / "recipe.json"
    if record.is_file():
        if read_bounded(record, 1 << 24) != _identity(made).encode():
            raise InputError(f"{out} holds a run of another recipe: give another folder")
        if not resume:
            raise InputError(f"{out} contains an interrupted run: continue with --resume, or give another folder")
        return
    if out.is_dir() and any(path.name != _LOCK for path in out.iterdir()):
        raise InputError(f"{out} is not empty and holds no training run: give another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(record, _identity(made))
    except OSError as error:
        raise InputError(f"can't write into {out}: {error.strerror}") from error


def _forget_refused(out: Path) -> None:
    """Remove the files of a training that was refused before its first logged step, so that a corrected recipe fits."""
    log = out / LOG
    trained = log.is_file() and '"event": "step"' in log.read_text(encoding="utf-8")
    if not trained and not (out / CHECKPOINT).is_file():
        log.unlink(missing_ok=True)
        (out / "recipe.json").unlink(missing_ok=True)


def _identity(made: Recipe) -> str:
    """The canonical text of the recipe, without fields that can't change the weights."""
    return made.model_dump_json(indent=1, exclude={"workers", "checkpoint_steps", "note"}) + "\n"


def _seed(seed: int, step: int) -> int:
    digest = hashlib.blake2b(f"{seed} {step}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "little")


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise InputError(unknown("device", name, ("cpu", "cuda")))
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no CUDA device here: use --device cpu")
    return torch.device(name)


@contextmanager
def _numerics(made: Recipe) -> Iterator[None]:
    """Set threads, determinism, exact float32 and the global generator for the block; restore all afterwards."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    # By default torch lets cuDNN round float32 to TF32; matrix products are exact by default.
    with torch.random.fork_rng(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        try:
            if made.threads is not None:
                torch.set_num_threads(made.threads)
            # warn_only: bilinear upsampling has no deterministic backward pass on a GPU. On a CPU everything has.
            torch.use_deterministic_algorithms(True, warn_only=True)
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
