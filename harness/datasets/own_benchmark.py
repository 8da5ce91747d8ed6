"""A data set of the user's own: ``benchmark:FILE.toml[::PATH]``, defined by a TOML file beside its annotations.

The TOML file has the fields of :class:`~nmebench.datasets.benchmark.Benchmark`; its landmark scheme is a name, another
TOML file or a table.
"""

from __future__ import annotations

from pathlib import Path

from nmebench.bounded_read import read_toml
from nmebench.datasets import benchmark as benchmarks
from nmebench.datasets import benchmark_files
from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.source import DatasetSource, required_place
from nmebench.errors import InputError
from nmebench.geometry import own_scheme
from nmebench.geometry import scheme as schemes
from nmebench.printable import shown

__all__ = ["OWN_BENCHMARK", "load", "read_definition"]

_MAX_BYTES = 1 << 20


def load(place: str | None, *, spec: str, format: str | None = None, split: str = "test") -> Dataset:  # noqa: A002
    """Load the faces of a benchmark that a TOML file defines.

    Args:
        place: ``FILE.toml`` or ``FILE.toml::PATH``, where PATH is the folder of the data or one annotation file; by
            default the folder of the TOML file.
        spec: as the user gave it, kept in the result.
        format: one of the benchmark's formats; None to detect it.
        split: ``test`` or ``train``.

    Raises:
        InputError: a file is missing or wrong, or the name of the benchmark or of its scheme belongs to nmebench.
    """
    definition, data = read_definition(place, spec)
    return benchmark_files.load(definition, data, spec=spec, format=format, split=split)


def read_definition(place: str | None, spec: str) -> tuple[Benchmark, str]:
    """Return the benchmark that a TOML file defines, and where its data is.

    Args:
        place: ``FILE.toml`` or ``FILE.toml::PATH``, as for :func:`load`.
        spec: as the user gave it, for messages.

    Raises:
        InputError: the file is missing or wrong, or the name of the benchmark or of its scheme belongs to nmebench.
    """
    text, _, data = required_place(place, spec).partition("::")
    file = Path(text).expanduser()
    where = shown(file)
    if file.is_dir():
        raise InputError(f"benchmark {where} is a folder: write benchmark:FILE.toml with the definition in it")
    found = benchmarks.validate(read_toml(file, limit=_MAX_BYTES, kind="benchmark"), where)
    benchmarks.check_own_name(found.name, where)
    if isinstance(found.scheme, str) and found.scheme.endswith(own_scheme.SUFFIX):
        read = own_scheme.read_own(file.parent / Path(found.scheme).expanduser())
        found = found.model_copy(update={"scheme": own_scheme.table(read)})
    scheme = found.landmark_scheme
    if not isinstance(found.scheme, str) and scheme.name in schemes.names():
        raise InputError(
            f"{where}: the scheme's name {scheme.name!r} belongs to another scheme; choose another name, or write "
            f'scheme = "{scheme.name}"'
        )
    return found, data or str(file.parent)


OWN_BENCHMARK = DatasetSource(
    summary="benchmark:FILE.toml[::PATH], a data set of your own (docs/datasets.md)", load=load
)
