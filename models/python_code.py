"""Networks from a user's own Python code: ``python:net.py:MyNet`` or ``python:my_package.net:MyNet``.

The code runs as any imported module does, so a card that names code is as safe as running that code. Whatever it
raises, an attempt to end the process included, becomes one :class:`~nmebench.models.errors.ModelError` that names the
network, the step, the exception and the line.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import nn

from nmebench.code_folder import SHARED, CodeFolder, code_folder
from nmebench.models.errors import ModelError
from nmebench.suggest import did_you_mean

__all__ = ["PREFIX", "PythonCode", "own_errors"]

PREFIX = "python:"

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")

_FORM = 'write "python:net.py:MyNet" (a file relative to the card) or "python:my_package.net:MyNet"'

MAX_TEXT = 300
"""Characters of a user's exception that a message repeats."""


class PythonCode:
    """The class or function that an architecture ``python:...`` names; calling it makes the network.

    A file is found relative to the card, and its imports in the file's folder, in the folder above its package and in
    the card's folder. A dotted name is found in the card's folder, in the working directory, or among the installed
    packages, in this order.
    """

    def __init__(self, architecture: str, folder: Path | None = None) -> None:
        """Find the code and import it.

        Args:
            architecture: ``python:FILE.py:NAME`` or ``python:MODULE:NAME``.
            folder: the card's folder; None for the working directory.

        Raises:
            ModelError: the name has another form, the code is missing, or it can't be imported.
        """
        self.architecture = architecture
        self.folder: CodeFolder | None = None
        """Where the code was found; None for an installed package."""
        text, separator, attribute = architecture.removeprefix(PREFIX).rpartition(":")
        if not separator or not text or not attribute.isidentifier():
            raise ModelError(f"architecture {architecture!r} is incomplete: {_FORM}")
        base = (folder or Path()).absolute()
        with own_errors(architecture, "import"):
            module = self._from_file(base / text, base) if text.endswith(".py") else self._from_name(text, base)
        value = getattr(module, attribute, None)
        if not callable(value):
            names = sorted(name for name, one in vars(module).items() if callable(one) and not name.startswith("_"))
            what = "isn't a class or function" if hasattr(module, attribute) else "doesn't exist"
            listed = f"; {text} has {', '.join(names[:8])}" if names else ""
            raise ModelError(f"{architecture}: {attribute} {what}{did_you_mean(attribute, names)}{listed}")
        self.target: Callable[..., Any] = value
        self.__doc__ = inspect.getdoc(value)
        self.__module__ = str(getattr(value, "__module__", module.__name__))

    @cached_property
    def __signature__(self) -> inspect.Signature:
        """The parameters of the class or function; any option is allowed if Python can't tell them."""
        try:
            return inspect.signature(self.target)
        except (TypeError, ValueError):
            anything = inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)
            return inspect.Signature([anything])

    def __call__(self, **options: Any) -> nn.Module:
        """Make the network on the CPU, from the same random numbers each time.

        Raises:
            ModelError: the code fails, or gives something else than an ``nn.Module``.
        """
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        inside = self.folder.active() if self.folder is not None else nullcontext()
        step = f"{getattr(self.target, '__name__', 'the call')}({given})"
        with own_errors(self.architecture, step), inside, torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = self.target(**options)
        if not isinstance(module, nn.Module):
            raise ModelError(f"{self.architecture} gives a {type(module).__name__}, not a torch.nn.Module")
        if self.folder is not None:
            self.folder.run_inside(module)
        return module.to("cpu")

    def _from_file(self, file: Path, base: Path) -> Any:
        if not file.is_file():
            raise ModelError(f"{self.architecture}: there is no file {file}; {_FORM}")
        file = file.resolve()
        root, name = file.parent, file.stem
        while (root / "__init__.py").is_file():  # the file belongs to a package: import it as a part of that
            root, name = root.parent, f"{root.name}.{name}"
        if name in SHARED or not _DOTTED.fullmatch(name):
            name = "network_" + re.sub(r"\W", "_", name)
        self.folder = code_folder([root, file.parent, base])
        return self.folder.load(file, name)

    def _from_name(self, name: str, base: Path) -> Any:
        if not _DOTTED.fullmatch(name):
            raise ModelError(f"architecture {self.architecture!r}: {name!r} is no module and no .py file; {_FORM}")
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
            raise ModelError(
                f"{self.architecture}: there is no module {top!r} in {base} and none is installed; {_FORM}"
            )
        return import_module(name)


@contextmanager
def own_errors(network: str, step: str) -> Iterator[None]:
    """Turn whatever a user's code raises inside the block into a one-line error.

    Args:
        network: name of the network for the message.
        step: what the code was doing: ``import``, a call, ``forward``.

    Raises:
        ModelError: the block raised an exception or SystemExit; a ModelError or MemoryError passes unchanged.
    """
    try:
        yield
    except (ModelError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{network}: {step} failed: {described(error)}") from error


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
    own = [frame for frame in frames if not _is_library(frame.filename)] or list(frames)
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else None


def _own_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the leading calls of this package and of Python's import system."""
    while trace is not None and trace.tb_next is not None and _is_library(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


_PACKAGES = tuple(str(Path(str(find_spec(name).origin)).parent) for name in ("nmebench", "torch"))  # type: ignore[union-attr]
_MODELS = str(Path(__file__).parent)


def _is_library(filename: str) -> bool:
    inside = ("site-packages", "dist-packages")
    return (
        filename.startswith(("<frozen", "<string", *_PACKAGES, _MODELS))
        or any(part in inside for part in Path(filename).parts)
        or f"{Path(inspect.__file__).parent}/" in filename
    )
