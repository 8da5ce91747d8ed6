"""The file of ``nmebench run --cluster``."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from nmebench.distribution.cluster_file import KINDS, load
from nmebench.errors import InputError

GOOD = 'kind = "slurm"\njobs = 8\n[options]\ncores = 8\nmemory = "16GB"\n'


def refusal(tmp_path: Path, text: str) -> str:
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"--cluster {path}: ")


def test_values_and_defaults(tmp_path: Path) -> None:
    path = tmp_path / "slurm.toml"
    path.write_text(GOOD + 'queue = "gpu"\njob_script_prologue = ["module load cuda"]\n')
    file = load(path)
    assert (file.kind, file.jobs, file.most_replacements, file.tls) == ("slurm", 8, 8, False)
    options = file.options.model_dump()
    assert (options["queue"], options["processes"], options["job_name"]) == ("gpu", 1, "nmebench")
    assert options["job_script_prologue"] == ("module load cuda",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jobs = 8\n", "the field 'kind' is missing; give one of slurm, pbs, sge, lsf, htcondor, moab, oar"),
        (GOOD.replace("slurm", "slrum"), "unknown kind 'slrum'; did you mean 'slurm'? (known: slurm, pbs, sge, lsf, "),
        (GOOD.replace("slurm", "pbs") + 'project = "x"\n', "options.project: unknown field"),
        (
            "job = 8\n" + GOOD,
            "job: unknown field; did you mean 'jobs'? (known: kind, jobs, replacements, wait, tls, options);",
        ),
        (
            GOOD + 'qeue = "gpu"\n',
            "options.qeue: unknown field; did you mean 'queue'? (known: options.cores, options.memory, ",
        ),
        (GOOD.replace("jobs = 8\n", ""), "jobs: is missing; docs/cluster.md has an example"),
        (GOOD.replace("cores = 8\n", ""), "options.cores: is missing"),
        ('kind = "slurm"\njobs = 8\n', "options.cores: is missing; options.memory: is missing; docs"),
        (GOOD.replace("jobs = 8", "jobs = 0"), "jobs: must be at least 1, not 0; docs"),
        (GOOD.replace("jobs = 8", 'jobs = "x"'), "jobs: must be a whole number, not 'x'; docs"),
        (GOOD.replace("cores = 8", "cores = 5000"), "options.cores: must be at most 4096, not 5000"),
        (
            GOOD.replace("cores = 8", "cores = 0.5").replace("jobs = 8", "jobs = -1"),
            "options.cores: must be a whole number, not 0.5; jobs: must be at least 1, not -1; docs",
        ),
        (GOOD.replace("16GB", "16 giga"), "options.memory: must be a number and a unit, such as 16GB, not '16 giga'"),
        (GOOD + 'queue = "a\\nb"\n', "options.queue: must be one line, without a line break, not 'a\\nb'"),
        (GOOD + 'job_extra_directives = ["a\\nb"]\n', "options.job_extra_directives.0: must be one line, without"),
        (GOOD + "job_extra_directives = 3\n", "options.job_extra_directives: must be a list, not 3"),
        (GOOD + "scheduler_options = {port = [1]}\n", "options.scheduler_options.port: must be a text, not [1]"),
        (
            GOOD.replace("slurm", "lsf") + 'lsf_units = "pb"\n',
            "options.lsf_units: must be 'kb', 'mb', 'gb' or 'tb', not",
        ),
        (GOOD.replace("slurm", "htcondor"), "options.disk: is missing"),
        ('kind = "slurm"\njobs = 8\noptions = 3\n', "options: must be a table, not 3"),
        (GOOD + "security = true\n", "options.security: unknown field"),
    ],
)
def test_other_files_are_refused_with_the_allowed_values(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text).startswith(message)


def test_missing_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"docs/cluster\.md has an example"):
        load(tmp_path / "none.toml")
    assert "docs/cluster.md has an example" in refusal(tmp_path, "kind = ")


@pytest.mark.parametrize("name", KINDS)
def test_every_option_is_one_of_dask_jobqueue(name: str) -> None:
    jobqueue = pytest.importorskip("dask_jobqueue")
    kind = KINDS[name]
    job = getattr(jobqueue, kind.cluster).job_cls
    known = {"scheduler_options", "shared_temp_directory", "interface", "protocol"}
    for one in job.__mro__:
        known |= set(inspect.signature(one.__init__).parameters)
    assert set(kind.options.model_fields) <= known
    assert job.submit_command.split()[0] == kind.commands[0]
    assert job.cancel_command.split()[0] == kind.commands[1]
