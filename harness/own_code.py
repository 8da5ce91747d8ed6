"""Classes and functions of a user's own Python code, named as ``python:FILE.py:NAME`` or ``python:MODULE:NAME``.

The code runs as any imported module does. Whatever it raises, an attempt to end the process included, becomes one line
that names the code, the step, the exception and the line.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from nmebench.code_folder import SHARED, CodeFolder, code_folder
from nmebench.errors import InputError
from nmebench.suggest import did_you_mean

__all__ = ["PREFIX", "OwnCode", "described", "is_library", "own_errors", "plugin_errors"]

PREFIX = "python:"

MAX_TEXT = 300
"""Characters of a user's exception that a message repeats."""

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class OwnCode:
    """A class or function that a text ``python:...`` names.

    A file is found relative to ``base``, and its imports in the file's folder, in the folder above its package and in
    ``base``. A dotted name is found in ``base``, in the working directory, or among the installed packages, in this
    order.

    Attributes:
        name: the text.
        target: the class or function.
        folder: where the code was found; None for an installed package.
    """

    def __init__(self, name: str, base: Path, *, form: str, error: type[InputError] = InputError) -> None:
        """Find the code and import it.

        Args:
            name: ``python:FILE.py:NAME`` or ``python:MODULE:NAME``.
            base: an absolute path.
            form: how to write such a name, for messages.
            error: the class of the errors to raise.

        Raises:
            InputError: (or the class given as ``error``) the name has another form, the code is missing, or it can't
                be imported.
        """
        self.name = name
        self.folder: CodeFolder | None = None
        self._form = form
        self._error = error
        text, separator, attribute = name.removeprefix(PREFIX).rpartition(":")
        if not separator or not text or not attribute.isidentifier():
            raise error(f"{name!r} is incomplete: {form}")
        with own_errors(name, "import", error):
            module = self._from_file(base / text, base) if text.endswith(".py") else self._from_name(text, base)
        value = getattr(module, attribute, None)
        if not callable(value):
            names = sorted(one for one, thing in vars(module).items() if callable(thing) and not one.startswith("_"))
            what = "isn't a class or function" if hasattr(module, attribute) else "doesn't exist"
            listed = f"; {text} has {', '.join(names[:8])}" if names else ""
            raise error(f"{name}: {attribute} {what}{listed}{did_you_mean(attribute, names)}")
        self.target: Callable[..., Any] = value
        self.module: Any = module

    def active(self) -> AbstractContextManager[None]:
        """Return a context in which the modules of the code's folder can be imported."""
        return nullcontext() if self.folder is None else self.folder.active()

    def _from_file(self, file: Path, base: Path) -> Any:
        if not file.is_file():
            raise self._error(f"{self.name}: there is no file {file}; {self._form}")
        file = file.resolve()
        root, name = file.parent, file.stem
        while (root / "__init__.py").is_file():  # the file belongs to a package: import it as a part of that
            root, name = root.parent, f"{root.name}.{name}"
        if name in SHARED or not _DOTTED.fullmatch(name):
            name = "own_" + re.sub(r"\W", "_", name)
        self.folder = code_folder([root, file.parent, base])
        return self.folder.load(file, name)

    def _from_name(self, name: str, base: Path) -> Any:
        if not _DOTTED.fullmatch(name):
            raise self._error(f"{self.name!r}: {name!r} is no module and no .py file; {self._form}")
        top = name.partition(".")[0]
        for root in dict.fromkeys([base, Path.cwd()]):
            folder = code_folder([root])
            place = folder.offers(top)
            if place is not None:
                self.folder = folder
                with folder.active():
                    folder.mains.add(place.name)
                    return import_module(name)
        if find_spec(top) is None:
            raise self._error(f"{self.name}: there is no module {top!r} in {base} and none is installed; {self._form}")
        return import_module(name)


@contextmanager
def own_errors(who: str, step: str, error: type[InputError] = InputError) -> Iterator[None]:
    """Turn whatever a user's code raises inside the block into a one-line error.

    Args:
        who: name of the code for the message.
        step: what the code was doing: ``import``, a call, ``forward``.
        error: the class of the error to raise.

    Raises:
        InputError: (or the class given as ``error``) the block raised an exception or SystemExit. An error of that
            class and a MemoryError pass unchanged.
    """
    try:
        yield
    except (error, MemoryError):
        raise
    except (Exception, SystemExit, GeneratorExit) as caught:
        raise error(f"{who}: {step} failed: {described(caught)}") from caught


def plugin_errors(
    who: str, step: str, kind: type, error: type[InputError] = InputError
) -> AbstractContextManager[None]:
    """Return :func:`own_errors` for a class of another distribution, and a context that does nothing for our own.

    A fault of nmebench keeps its traceback.

    Args:
        who: name of the code for the message.
        step: what the code was doing.
        kind: the class whose code runs in the context.
        error: the class of the error to raise.
    """
    ours = kind.__module__.partition(".")[0] == __name__.partition(".")[0]
    return nullcontext() if ours else own_errors(who, step, error)


def described(error: BaseException) -> str:
    """Return class, first line and place of an exception: ``ValueError: bad width (net.py:12)``."""
    text = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    if isinstance(error, SystemExit):
        text = f"the code ends the process ({error.code!r})"
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 3] + "..."
    place = _place(error)
    return f"{type(error).__name__}: {text or 'no message'}{f' ({place})' if place else ''}"


def _place(error: BaseException) -> str | None:
    """File and line of the innermost call in code that isn't a library's, else of the innermost call."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = traceback.extract_tb(_own_part(error.__traceback__))
    own = [frame for frame in frames if not is_library(frame.filename)] or list(frames)
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else None


def _own_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the leading calls of this package and of Python's import system."""
    while trace is not None and trace.tb_next is not None and is_library(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


@cache
def _packages() -> tuple[str, ...]:
    """The folders of this project and of torch."""
    found = [find_spec(name) for name in ("nmebench", "nmebench.models", "nmebench.decoders", "torch")]
    return tuple(str(Path(str(spec.origin)).parent) for spec in found if spec is not None)


def is_library(filename: str) -> bool:
    """Return True for a source file of this project, torch, Python or an installed package."""
    inside = ("site-packages", "dist-packages")
    return (
        filename.startswith(("<frozen", "<string", *_packages()))
        or any(part in inside for part in Path(filename).parts)
        or f"{Path(inspect.__file__).parent}/" in filename
    )
