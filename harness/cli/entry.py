"""Runs a command and handles its exit code, signals and errors."""

from __future__ import annotations

import errno
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Annotated, Any

import typer

from nmebench.cli import (
    bench,
    card,
    check,
    compare,
    completion,
    contract,
    data,
    gate,
    history,
    listing,
    merge,
    report,
    reproduce,
    run,
    score,
    tables,
    train,
    verbosity,
)
from nmebench.cli.completion import VARIABLE
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["app", "main"]

app = typer.Typer(
    name="nmebench",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _help(text: str | None) -> str:
    """Return a help text whose examples keep their line breaks."""
    return inspect.cleandoc(text or "").replace("\n\nExamples:\n", "\n\n\b\nExamples:\n")


_COMMANDS: Mapping[str, Callable[..., int]] = {
    "run": run.command,
    "merge": merge.command,
    "score": score.command,
    "report": report.command,
    "check": check.command,
    "reproduce": reproduce.command,
    "compare": compare.command,
    "train": train.command,
    "gate": gate.command,
    "bench": bench.command,
    "contract": contract.command,
    "tables": tables.command,
}
for _name, _function in _COMMANDS.items():
    app.command(_name, help=_help(_function.__doc__))(_function)
_GROUPS: Mapping[str, typer.Typer] = {"list": listing.app, "data": data.app, "card": card.app, "history": history.app}
for _name, _group in _GROUPS.items():
    for _command in _group.registered_commands:
        _command.help = _help(_command.callback.__doc__ if _command.callback else None)
    app.add_typer(_group, name=_name, help=_help(_group.info.help))


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"nmebench {version('nmebench')}")
        raise typer.Exit


_ABOUT = """Benchmark and reproducibility harness for face alignment.

Examples:
  nmebench run --data wflw:PATH --model mmpose-hrnetv2-w18-dark -o RUN
  nmebench check RUN
  nmebench report RUN
  nmebench list decoders
"""


@app.callback(help=_help(_ABOUT))
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Show the traceback of an error, such as one in a network's own code; anywhere in the line."
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress; anywhere in the line.")] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v", "--verbose", help="Show sources and every column, however wide a table is; anywhere in the line."
        ),
    ] = False,
) -> None:
    """Benchmark and reproducibility harness for face alignment."""


#: Base class of all errors in the command-line arguments. Depending on its version, typer contains its own copy of
#: click or uses the installed one, so the class is found through typer's public error.
_UsageError: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


#: Errors of the file system to which the output is written. Any other OSError that names no file is a fault of the
#: program.
_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT, errno.EFBIG})


class _Stopped(BaseException):
    """SIGINT or SIGTERM as an exception, so that locks are released and temporary files removed.

    It isn't a KeyboardInterrupt, because typer exits without a message on that.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _raise_stopped(number: int, _frame: FrameType | None) -> None:
    raise _Stopped(number)


#: The message for each signal that ends the process.
_STOPPED = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


#: How a command uses less memory; the others have no option for it.
_LESS_MEMORY = {
    "run": "use a smaller batch (--batch-size)",
    "bench": "use a smaller batch (--batch-size)",
    "train": "use a smaller `batch` in the recipe",
    "card": "use fewer faces (--limit)",
}
_MORE_MEMORY = "close other programs or raise the limit of this process (ulimit -v, or the container's)"


def _out_of_memory(arguments: list[str]) -> str:
    """Return the message after an allocation failed, with the option that the command has for it."""
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    return f"nmebench: error: out of memory; {_LESS_MEMORY.get(command, _MORE_MEMORY)}"


def _print_error(line: str) -> None:
    """Print one line to standard error, with control characters escaped."""
    sys.stderr.write(shown(" ".join(line.split())) + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 success; 1 a check or gate failed; 2 the input can't be used; 3 nothing was comparable; 130
        after SIGINT and 143 after SIGTERM. A fault of the program gives 70 and a traceback.
    """
    if VARIABLE in os.environ:
        return _complete()
    before = {number: signal.signal(number, _raise_stopped) for number in _STOPPED}
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = verbosity.without_options([argument for argument in given if argument != "--debug"])
    groups = [group.name for group in app.registered_groups]
    if not given or (len(given) == 1 and given[0] in groups):
        given.append("--help")
    try:
        return _run_command(given, debug=debug)
    finally:
        verbosity.without_options([])
        for number, handler in before.items():
            signal.signal(number, handler)


def _complete() -> int:
    """Print the words that complete the line which the shell passes in the environment."""
    command = typer.main.get_command(app)
    completion.add_values(command)
    try:
        command.main(args=[], prog_name="nmebench", complete_var=VARIABLE, standalone_mode=False)
    except SystemExit as ended:
        sys.stdout.flush()
        return int(ended.code or 0)
    return 0


def _call(arguments: list[str]) -> Any:
    """Run a command. An error that a signal caused, such as a broken import, is replaced by :class:`_Stopped`."""
    try:
        return app(args=arguments, prog_name="nmebench", standalone_mode=False)
    except Exception as error:
        context = error.__context__
        while context is not None and not isinstance(context, _Stopped):
            context = context.__context__
        if context is None:
            raise
        raise context from None


def _run_command(arguments: list[str], *, debug: bool) -> int:
    """Run a command and convert its result or exception to an exit code; ``debug`` shows the traceback of an error."""
    try:
        result = _call(arguments)
        sys.stdout.flush()
    except typer.Exit as leave:
        return int(leave.exit_code)
    except _UsageError as error:
        command = getattr(getattr(error, "ctx", None), "command_path", "nmebench")
        _print_error(f"nmebench: error: {error.format_message()} (see `{command} --help`)")  # type: ignore[attr-defined]
        return 2
    except _Stopped as stopped:
        _print_error(f"nmebench: {_STOPPED[signal.Signals(stopped.number)]}; run the same command again to resume")
        return 128 + stopped.number
    except MemoryError:
        _print_error(_out_of_memory(arguments))
        return 2
    except RuntimeError as error:
        if "allocate memory" not in str(error) and "out of memory" not in str(error):  # torch's, on CPU and GPU
            raise
        _print_error(_out_of_memory(arguments))
        return 2
    except OSError as error:
        if error.errno not in _WRITE_ERRORS and error.filename is None:
            raise
        path, reason = os.fsdecode(error.filename or "output"), os.strerror(error.errno or 0)
        way_out = "free some space or choose another folder" if error.errno in _WRITE_ERRORS else "check the path"
        _print_error(f"nmebench: error: {path}: {reason}; {way_out}")
        return 2
    except InputError as error:
        if debug:
            traceback.print_exception(error.__cause__ or error)
        _print_error(f"nmebench: error: {error}")
        return 2
    return int(result or 0)
