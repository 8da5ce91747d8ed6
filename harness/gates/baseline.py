"""The baseline of a gate: a small JSON file with each cell's protocol and per-face NME, and a hash of the faces."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from nmebench import metrics
from nmebench.errors import InputError
from nmebench.field_problem import read_model
from nmebench.files import write_atomically
from nmebench.gates.limits import Limit
from nmebench.metric_names import NME, Metric, MetricName, gather_rates, metric_names, spread_rates
from nmebench.printable import counted, shown
from nmebench.protocol import Flip
from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_commit import Commit, run_commit
from nmebench.runs.run_record import CellRecord, Provenance
from nmebench.runs.run_store import Run
from nmebench.scoring import cell_settings, subset_masks

__all__ = ["QUANTUM", "RATE_DECIMALS", "Baseline", "BaselineCell", "cell_protocol", "faces_sha256", "make_baseline"]

#: Step to which the NME of each face is rounded, percent points. It is a hundredth of the smallest useful margin:
#: the mean over faces is off by at most 0.00005, and 40 cells of 500 faces take 60 KB.
QUANTUM = 1e-4

RATE_DECIMALS: Final = {"fr": 6, "auc": 8}
"""Decimals of a stored FR (percent) and AUC (fraction)."""

#: A larger NME of a diverged face, percent, is stored as this: the steps of all faces fit into 64 bits, and their sum
#: keeps its decimals.
_LARGEST_NME = 1e9

_LARGEST_FILE = 64 * 2**20
_MOST_FACES = 10_000_000
_LARGEST_QUANTUM = 1e-3
_HOW_TO_MAKE = "make a baseline from a good run with `nmebench gate RUN --baseline FILE --update`"

#: A new baseline would hold the numbers of the run that the gate should judge.
_RESTORE = "restore it from version control"


class _Record(BaseModel):
    # A number that JSON lacks must be an error, not null.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, ser_json_inf_nan="constants")


class BaselineCell(_Record):
    """A cell as measured when the baseline was made."""

    model: str
    decoder: str
    flip: Flip
    box: str
    convention: str
    input_size: tuple[int, int]
    settings: dict[str, str] | None = None
    """The other settings that move a landmark, see :func:`nmebench.scoring.cell_settings`; None in older baselines."""
    weights_sha256: str | None = None
    """For information only: new weights may be the change that the gate checks."""
    nme: dict[str, float]
    """Mean NME in percent by subset. For information only: the gate compares faces."""
    rates: dict[MetricName, dict[str, float]]
    """FR (percent) and AUC (fraction) by metric and subset, at the run's thresholds; in the file, a field each."""
    per_face: str
    """NME of every face in steps of ``quantum``: little-endian int64, compressed by zlib, as base64."""

    _gather = model_validator(mode="before")(gather_rates)

    @model_serializer(mode="wrap")
    def _spread(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return spread_rates(dump(self))


class Baseline(_Record):
    """The content of a baseline file."""

    schema_version: Literal[1] = 1
    kind: Literal["nmebench baseline"] = "nmebench baseline"
    dataset: str
    scheme: str
    normaliser: str
    faces: int = Field(ge=1, le=_MOST_FACES)
    faces_sha256: str
    """Hash of image names and ground truth, see :func:`faces_sha256`."""
    quantum: float = Field(default=QUANTUM, gt=0, le=_LARGEST_QUANTUM)
    limits: tuple[str, ...] = ()
    """Absolute limits that are checked in addition to regressions, such as ``nme@pose<=7.0``."""
    made_by: dict[str, str] = Field(default_factory=dict)
    """For information only: nmebench's version, the commit that was measured, and ``dirty`` (``yes`` or ``no``)."""
    provenance: Provenance | None = None
    """For information only: code, packages, plug-ins and working directory of the run; None in older baselines."""
    cells: dict[str, BaselineCell]

    def __repr__(self) -> str:
        """Return one line: the data set, the faces and the number of cells."""
        return f"<Baseline of {self.dataset}: {counted(self.faces, 'face')}, {counted(len(self.cells), 'cell')}>"

    @property
    def commit(self) -> Commit | None:
        """The commit that was measured; None where it isn't known."""
        sha = self.made_by.get("commit")
        return Commit(sha, {"yes": True, "no": False}.get(self.made_by.get("dirty", ""))) if sha else None

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read a baseline file.

        Raises:
            InputError: it is missing, damaged, too large, not a regular file or of another version.
        """
        if not _exists(path):
            raise InputError(f"baseline {shown(path)} is missing; {_HOW_TO_MAKE}")
        if path.is_dir():
            raise InputError(f"baseline {shown(path)}: is a folder, a baseline is a file; {_HOW_TO_MAKE}")
        return read_model(path, cls, limit=_LARGEST_FILE, kind="baseline", way_out=_RESTORE)

    def write(self, path: Path) -> None:
        """Write the file atomically.

        Raises:
            OSError: the folder can't be written.
        """
        text = json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False)
        write_atomically(path, text + "\n")

    def face_nme(self, cell: str) -> NDArray[np.float64]:
        """Return the NME of every face of a cell, percent ``[faces]``, rounded to ``quantum``.

        Raises:
            InputError: the stored numbers are damaged.
        """
        try:
            packed = base64.b64decode(self.cells[cell].per_face, validate=True)
            # At most one byte more than expected: a larger content is detected without unpacking it.
            unpacked = zlib.decompressobj().decompress(packed, 8 * self.faces + 1)
            if len(unpacked) != 8 * self.faces:
                raise ValueError("wrong number of faces")
        except (ValueError, binascii.Error, zlib.error) as error:
            raise InputError(f"baseline: cell {cell}: the stored faces are damaged ({error}); {_RESTORE}") from error
        return np.frombuffer(unpacked, "<i8").astype(np.float64) * self.quantum


def _pack(nme: ArrayLike) -> str:
    """Encode the NME of every face as the text of ``BaselineCell.per_face``."""
    steps = np.rint(np.asarray(nme, np.float64) / QUANTUM).astype("<i8")
    return base64.b64encode(zlib.compress(steps.tobytes(), 9)).decode("ascii")


_UNLABELLED: Final = -1e9
"""The coordinate that stands for a landmark without ground truth in :func:`faces_sha256`, px."""


def faces_sha256(faces: FaceTable) -> str:
    """Return the SHA-256 of the faces: image names, ground truth and normaliser, rounded to 0.001 px.

    The rounding makes the hash independent of the last bits, which differ between processors.
    """
    digest = hashlib.sha256()
    for image in faces.image:
        digest.update(image.encode("utf-8", "surrogateescape") + b"\0")
    for array in (faces.landmarks, faces.normaliser):
        known = np.where(np.isnan(array), _UNLABELLED, np.asarray(array, np.float64))
        steps = np.rint(known * 1000) + 0.0  # turns -0 into 0
        digest.update(np.ascontiguousarray(steps.astype("<i8")).tobytes())
    return digest.hexdigest()


def cell_protocol(run: Run, cell: CellRecord) -> dict[str, object]:
    """Return the settings that must not change for a cell to be comparable; the weights are not among them."""
    return {
        "model": cell.model,
        "decoder": cell.decoder,
        "flip": cell.flip,
        "box": cell.box,
        "convention": cell.convention,
        "input_size": run.model(cell.model).input_size,
    }


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, a loop of links, or a NUL in the name
        return False


def _made_by(run: Run) -> dict[str, str]:
    made = {"nmebench": run.record.provenance.nmebench}
    commit = run_commit(run.record.provenance)
    if commit is not None:
        made["commit"] = commit.sha
        if commit.dirty is not None:
            made["dirty"] = "yes" if commit.dirty else "no"
    return made


def make_baseline(run: Run, *, limits: Sequence[Limit | str] = ()) -> Baseline:
    """Make a baseline from a scored run.

    Args:
        run: the run with which later runs are compared.
        limits: absolute limits to store in the baseline.

    Raises:
        InputError: the run isn't scored or has no cell, or a limit can't be parsed or names no cell or subset of it.
    """
    record = run.record
    if not record.cells:
        raise InputError(f"{run.path}: the run has no cell, so it can't become a baseline; run a sweep first")
    masks = {name: mask for name, mask in subset_masks(run).items() if mask.any()}
    wanted = [limit if isinstance(limit, Limit) else Limit.parse(limit) for limit in limits]
    for limit in wanted:
        limit.check((cell.id for cell in record.cells), masks)
    cells = {}
    for cell in record.cells:
        nme = np.minimum(run.per_face[cell.id], _LARGEST_NME)
        cells[cell.id] = BaselineCell.model_validate(
            {
                **cell_protocol(run, cell),
                "settings": cell_settings(run, cell),
                "weights_sha256": run.model(cell.model).weights_sha256,
                "nme": {name: round(float(nme[mask].mean()), 6) for name, mask in masks.items()},
                "rates": {
                    rate: {
                        name: round(metrics.measure(nme[mask], rate), RATE_DECIMALS[Metric.parse(rate).kind])
                        for name, mask in masks.items()
                    }
                    for rate in metric_names(record.thresholds)
                    if rate != NME
                },
                "per_face": _pack(nme),
            }
        )
    return Baseline(
        dataset=record.dataset.name,
        scheme=record.dataset.scheme,
        normaliser=record.normaliser,
        faces=len(run.faces),
        faces_sha256=faces_sha256(run.faces),
        limits=tuple(map(str, wanted)),
        made_by=_made_by(run),
        provenance=record.provenance.model_copy(update={"command": [], "host": {}}),
        cells=cells,
    )
