"""The file of ``nmebench run --cluster``: which queueing system starts the workers, and how many jobs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from nmebench.bounded_read import read_toml
from nmebench.errors import InputError
from nmebench.field_problem import problems
from nmebench.printable import shown
from nmebench.suggest import unknown

__all__ = ["KINDS", "ClusterFile", "Kind", "Options", "load"]

_MAX_FILE: Final = 1 << 20
_MOST_JOBS: Final = 10_000

#: A line of a job script; a line break would begin another one.
_Line = Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=r"^[^\r\n]*$")]
_Size = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)? ?([kKMGT]i?)?B$")]
_Seconds = Annotated[float, Field(ge=1, le=30 * 86400)]


class Options(BaseModel):
    """The options of a job in every queueing system, which are those of dask-jobqueue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cores: int = Field(ge=1, le=4096)
    """Processor cores of a job; the processes of the job share them."""
    memory: _Size
    """Memory of a job, such as ``16GB``."""
    processes: int = Field(default=1, ge=1, le=1024)
    """Worker processes of a job."""
    interface: _Line | None = None
    """Network interface of the scheduler and the workers, such as ``ib0``."""
    protocol: _Line | None = None
    """``tcp://`` or ``tls://``."""
    death_timeout: int | None = Field(default=None, ge=1, le=86400)
    """Seconds after which a worker ends that reaches no scheduler."""
    local_directory: _Line | None = None
    """Folder of the workers' temporary files."""
    shared_temp_directory: _Line | None = None
    """Folder that all machines share, for the certificates of ``tls``."""
    log_directory: _Line | None = None
    """Folder of the jobs' output."""
    worker_extra_args: tuple[_Line, ...] = ()
    """Further arguments of ``dask worker``."""
    job_extra_directives: tuple[_Line, ...] = ()
    """Further lines of the job's header, such as ``--gres=gpu:1``."""
    job_directives_skip: tuple[_Line, ...] = ()
    """Lines of the header that contain one of these texts are left out."""
    job_script_prologue: tuple[_Line, ...] = ()
    """Shell commands before the worker, such as ``module load cuda``."""
    job_name: _Line = "nmebench"
    python: _Line | None = None
    """Python of the jobs; by default the one that runs this command."""
    shebang: _Line | None = None
    scheduler_options: Mapping[str, str | int] = Field(default_factory=dict)
    """Options of the scheduler in this process, such as ``host`` and ``port``."""


class _WithQueue(Options):
    queue: _Line | None = None
    walltime: _Line | None = None


class _Slurm(_WithQueue):
    account: _Line | None = None
    job_cpu: int | None = Field(default=None, ge=1, le=4096)
    job_mem: _Line | None = None


class _Pbs(_WithQueue):
    account: _Line | None = None
    resource_spec: _Line | None = None


class _Sge(_WithQueue):
    project: _Line | None = None
    resource_spec: _Line | None = None


class _Lsf(_WithQueue):
    project: _Line | None = None
    ncpus: int | None = Field(default=None, ge=1, le=4096)
    mem: int | None = Field(default=None, ge=1)
    lsf_units: Literal["kb", "mb", "gb", "tb"] | None = None
    use_stdin: bool | None = None


class _Oar(_WithQueue):
    project: _Line | None = None
    resource_spec: _Line | None = None
    memory_per_core_property_name: _Line | None = None


class _HtCondor(Options):
    disk: _Size
    submit_command_extra: tuple[_Line, ...] = ()
    cancel_command_extra: tuple[_Line, ...] = ()


class Kind(BaseModel):
    """A queueing system."""

    model_config = ConfigDict(frozen=True)

    options: type[Options]
    cluster: str
    """The class of dask-jobqueue."""
    commands: tuple[str, ...]
    """The commands that submit and cancel a job."""


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "slurm": Kind(options=_Slurm, cluster="SLURMCluster", commands=("sbatch", "scancel")),
        "pbs": Kind(options=_Pbs, cluster="PBSCluster", commands=("qsub", "qdel")),
        "sge": Kind(options=_Sge, cluster="SGECluster", commands=("qsub", "qdel")),
        "lsf": Kind(options=_Lsf, cluster="LSFCluster", commands=("bsub", "bkill")),
        "htcondor": Kind(options=_HtCondor, cluster="HTCondorCluster", commands=("condor_submit", "condor_rm")),
        "moab": Kind(options=_Pbs, cluster="MoabCluster", commands=("msub", "canceljob")),
        "oar": Kind(options=_Oar, cluster="OARCluster", commands=("oarsub", "oardel")),
    }
)
"""The queueing systems by the names that ``kind`` takes."""


class ClusterFile(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    """A name of :data:`KINDS`."""
    jobs: int = Field(ge=1, le=_MOST_JOBS)
    """Jobs that run at the same time."""
    replacements: int | None = Field(default=None, ge=0, le=_MOST_JOBS)
    """Jobs that are submitted in the place of those that ended; None for as many as ``jobs``."""
    wait: _Seconds = 86400.0
    """Seconds without any worker after which the sweep ends."""
    tls: bool = False
    """Encrypt and authenticate all connections by a temporary certificate."""
    options: Options

    @property
    def most_replacements(self) -> int:
        """The number of jobs that are submitted in the place of others."""
        return self.jobs if self.replacements is None else self.replacements


def load(path: Path) -> ClusterFile:
    """Read a cluster file (TOML; docs/cluster.md has an example).

    Raises:
        InputError: the file is missing, too large or not TOML, or has an unknown or wrong field; the message names it
            and the allowed values.
    """
    try:
        raw = read_toml(path, limit=_MAX_FILE, kind="cluster file")
    except InputError as error:
        raise InputError(f"--cluster: {error}; docs/cluster.md has an example") from error
    where = f"--cluster {shown(path)}"
    kind = raw.get("kind")
    if kind is None:
        raise InputError(f"{where}: the field 'kind' is missing; give one of {', '.join(KINDS)}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"{where}: {unknown('kind', shown(str(kind)[:80]), KINDS)}")
    table = KINDS[kind].options
    found: list[Mapping[str, Any]] = []
    options: Any = raw.get("options", {})
    try:
        options = table.model_validate(options)
    except ValidationError as error:
        found += [{**one, "loc": ("options", *one["loc"][:2])} for one in error.errors(include_url=False)]
    try:
        file = ClusterFile.model_validate({**raw, "options": options})
    except ValidationError as error:
        found += [one for one in error.errors(include_url=False) if one["loc"][:1] != ("options",)]
    if found:
        raise InputError(f"{where}: {_problems(found, table)}; docs/cluster.md has an example")
    return file


def _problems(found: list[Mapping[str, Any]], table: type[Options]) -> str:
    """The wrong fields, and the known ones where a field is unknown."""
    known = ""
    for where, model in (("", ClusterFile), ("options.", table)):
        if any(one["type"] == "extra_forbidden" and (one["loc"][0] == "options") == bool(where) for one in found):
            known += f" (known: {', '.join(where + name for name in model.model_fields)})"
    return problems(found, fields=[*ClusterFile.model_fields, *table.model_fields]) + known
