"""Faces that a user's own Python function returns: ``python:reader.py:load[::PATH]``.

The function may have the parameters ``path`` (the PATH of the spec as an absolute ``Path``; None without one) and
``split`` (``"test"`` or ``"train"``). It returns a list of faces, or a dictionary with ``faces`` and other fields of
:data:`FIELDS`. A face is a dictionary with the fields of nmebench's own json
(:mod:`nmebench.datasets.readers.faces_json`); its landmarks may be an array ``[K, 2]``, with NaN for a landmark that is
not labelled. docs/datasets.md has an example.

Every face is checked. The function's source code, its imports included, is part of the data set's hashes.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from nmebench.datasets import benchmark as benchmarks
from nmebench.datasets.assemble import FoundFaces, assemble, named_subsets
from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.plausibility import SUSPECT
from nmebench.datasets.readers import faces_json
from nmebench.datasets.readers.rows import AnnotationRow, gather
from nmebench.datasets.source import DatasetSource, required_place
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.geometry import own_scheme
from nmebench.geometry import scheme as schemes
from nmebench.geometry.scheme import Scheme, build
from nmebench.own_code import PREFIX, OwnCode, own_errors
from nmebench.plugin_source import plugin_sources
from nmebench.printable import shown
from nmebench.suggest import did_you_mean

__all__ = ["FIELDS", "FORMAT", "PYTHON_FACES", "load"]

#: Fields that mean the same as in a benchmark's TOML file.
_PASSED: Final = ("unlabelled", "normaliser", "thresholds", "counts")

FIELDS: Final = ("faces", "scheme", "images", "name", "title", "origin", *_PASSED)
"""Fields of the dictionary that the function may return; all but ``faces`` and ``scheme`` are optional."""

FORMAT: Final = "python"
MAX_FACES: Final = 1_000_000

_FORM = 'write "python:reader.py:load" or "python:reader.py:load::PATH"'
_PARAMETERS = ("path", "split")


def load(
    place: str | None,
    *,
    spec: str,
    format: str | None = None,  # noqa: A002
    split: str = "test",
    scheme: Scheme | None = None,
) -> Dataset:
    """Load the faces that a function of the user's returns.

    Args:
        place: ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``, optionally with ``::PATH``.
        spec: as the user gave it, kept in the result.
        format: must be None.
        split: ``test`` or ``train``.
        scheme: the landmark scheme; None for the one that the function returns.

    Raises:
        InputError: the code is missing or fails, with the line; or what it returns can't be used, with the face.
    """
    if format is not None:
        raise InputError("python has no formats: leave out the format")
    text, _, path = required_place(place, spec).partition("::")
    who = f"{PREFIX}{text}"
    with redirect_stdout(sys.stderr):  # what the code prints is no part of the command's output
        code = OwnCode(who, Path().absolute(), form=_FORM)
        returned, faces, notes = _call(code, _arguments(code, path, split), who)
    folder = Path(str(code.module.__file__)).absolute().parent
    definition = _definition(returned, scheme, folder, who, text)
    images = _images(returned, folder, who)
    points = definition.landmark_scheme.points
    unlabelled = definition.unlabelled == "exclude"
    rows = [_row(face, position, who, points, unlabelled=unlabelled) for position, face in enumerate(faces, start=1)]
    annotated = gather(rows, who, points)
    subsets = {split: np.ones(len(rows), np.bool_)} | named_subsets(annotated, split, who)
    found = FoundFaces(annotated, FORMAT, [_hash(code)], subsets, images, who, notes)
    return assemble(definition, found, root=folder, spec=spec, split=split)


def _arguments(code: OwnCode, path: str, split: str) -> dict[str, Any]:
    """Return the arguments that the function takes."""
    try:
        parameters = inspect.signature(code.target).parameters.values()
    except (TypeError, ValueError) as error:
        raise InputError(f"{code.name}: Python doesn't know its parameters; write a function") from error
    names = {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = {one.name for one in parameters if one.default is one.empty and one.kind not in several}
    if other := sorted(needed - (names & set(_PARAMETERS))):
        raise InputError(f"{code.name}: its parameter {other[0]!r} is not given; it may have 'path' and 'split'")
    if path and "path" not in names:
        raise InputError(f"{code.name}: has no parameter 'path', but the data set names ::{shown(path)}")
    if split != "test" and "split" not in names:
        raise InputError(f"{code.name}: has no parameter 'split', so it has the test split only, not {split!r}")
    given = {"path": Path(path).expanduser().absolute() if path else None, "split": split}
    return {name: value for name, value in given.items() if name in names}


def _call(code: OwnCode, arguments: dict[str, Any], who: str) -> tuple[dict[str, Any], list[Any], list[str]]:
    """Call the function; return its fields without the faces, its faces, and notes."""
    texts = {name: "None" if value is None else repr(str(value)) for name, value in arguments.items()}
    function = getattr(code.target, "__name__", who.rpartition(":")[2])
    step = f"{function}({', '.join(f'{name}={value}' for name, value in texts.items())})"
    if texts.get("path") == "None":
        step += " (the data set names no ::PATH)"
    with own_errors(who, step), code.active():
        result = code.target(**arguments)
        fields = dict(result) if isinstance(result, Mapping) else {"faces": result}
        for field in fields:
            if field not in FIELDS:
                hint = did_you_mean(str(field), FIELDS)
                allowed = ", ".join(FIELDS)
                raise InputError(f"{who}: unknown field {shown(str(field))[:40]!r}{hint}; allowed: {allowed}")
        given = fields.pop("faces", None)
        if not isinstance(given, Iterable) or isinstance(given, (str, bytes, Mapping)):
            raise InputError(f"{who}: returns {type(given).__name__} for the faces, expected a list of dictionaries")
        notes = _shared_notes(given, who)
        faces: list[Any] = []
        for face in given:
            # A generator may fill the same dictionary or array again for its next face.
            faces.append({field: _plain(value) for field, value in face.items()} if isinstance(face, Mapping) else face)
            if len(faces) > MAX_FACES:
                raise InputError(f"{who}: returns more than {MAX_FACES:,} faces")
    return fields, faces, notes


def _shared_notes(faces: Iterable[Any], who: str) -> list[str]:
    """Return a note on faces that share one array, which a loop may have filled again and again."""
    seen: set[int] = set()
    shared = 0
    for face in faces if isinstance(faces, Sequence) else ():
        landmarks = face.get("landmarks") if isinstance(face, Mapping) else None
        if landmarks is not None:
            shared += id(landmarks) in seen
            seen.add(id(landmarks))
    if not shared:
        return []
    return [
        f"{SUSPECT}{who}: the landmarks of {shared} faces are the same object as those of an earlier one: if a loop "
        "fills it again for each face, copy it"
    ]


def _definition(returned: Mapping[str, Any], scheme: Scheme | None, folder: Path, who: str, text: str) -> Benchmark:
    """Return the definition of the data set, with the scheme that the command line or the function names."""
    own = returned.get("scheme")
    if scheme is None:
        if own is None:
            raise InputError(f"{who}: the landmark scheme is missing: return 'scheme', or give --scheme")
        scheme = _scheme(own, folder, who)
    elif own is not None and _scheme(own, folder, who).name != scheme.name:
        raise InputError(f"{who}: returns another scheme than {scheme.name}; leave out --scheme")
    stem = Path(text.rpartition(":")[0]).stem.rpartition(".")[2]
    default = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40] or "faces"
    name = returned.get("name", default)
    table = {
        "name": name,
        "title": returned.get("title", name),
        "scheme": scheme.name if scheme.name in schemes.names() else own_scheme.table(scheme),
        "files": {"test": {}},
        **{field: _plain(returned[field]) for field in _PASSED if field in returned},
        **({"origins": {FORMAT: _plain(returned["origin"])}} if returned.get("origin") is not None else {}),
    }
    definition = benchmarks.validate(table, who)
    benchmarks.check_own_name(definition.name, who)
    return definition


def _scheme(given: Any, folder: Path, who: str) -> Scheme:
    """Return a scheme that a function returns: a name, a file beside the code, a table, or the object."""
    if isinstance(given, Scheme):
        return given
    if isinstance(given, Mapping):
        return build(given, f"{who}: scheme")
    if isinstance(given, (str, Path)):
        text = str(given)
        return own_scheme.find(str(folder / text) if text.endswith(own_scheme.SUFFIX) else text)
    raise InputError(f"{who}: 'scheme' is {type(given).__name__}, expected a name, a TOML file or a table")


def _images(returned: Mapping[str, Any], folder: Path, who: str) -> Path | None:
    given = returned.get("images")
    if given is None:
        return None
    if not isinstance(given, (str, Path)):
        raise InputError(f"{who}: 'images' is {type(given).__name__}, expected the folder of the photographs")
    place = folder / Path(given).expanduser()
    if not place.is_dir():
        raise InputError(f"{who}: 'images' names {shown(place)}, which is no folder")
    return place


def _row(face: Any, position: int, who: str, points: int, *, unlabelled: bool) -> AnnotationRow:
    """Check one face."""
    where = f"{who}: face {position}"
    if isinstance(face, Mapping):
        face = {str(field): value for field, value in face.items()}
        landmarks = face.get("landmarks")
        if isinstance(landmarks, list):
            face["landmarks"] = [None if _is_missing(pair) else pair for pair in landmarks]
    return faces_json.row(face, position, where, points, unlabelled=unlabelled)


def _is_missing(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, float) and one != one for one in pair)


def _plain(value: Any) -> Any:
    """Return arrays, numbers of NumPy, tuples and paths as JSON has them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _hash(code: OwnCode) -> FileHash:
    """Return one hash over the source code and the versions of the packages that it imports."""
    # A functools.partial or a decorated function may belong to another module than the one that holds its name.
    wrapped = inspect.unwrap(getattr(code.target, "func", code.target))
    named = SimpleNamespace(__module__=code.module.__name__, __globals__=vars(code.module))
    sources = plugin_sources([named, *([wrapped] if inspect.isfunction(wrapped) else [])])
    identity = json.dumps([source.identity for source in sources], sort_keys=True)
    files = {path for source in sources for path in source.files.values()}
    return FileHash(
        name=", ".join(source.name for source in sources) or code.name,
        sha256=hashlib.sha256(identity.encode()).hexdigest(),
        bytes=sum(path.stat().st_size for path in files if path.is_file()),
    )


PYTHON_FACES = DatasetSource(
    summary="python:reader.py:load[::PATH], faces that a function of yours returns (docs/datasets.md)",
    load=load,
    with_scheme=load,
)
