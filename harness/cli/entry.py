"""From the shell to a command and back: exit codes, signals, one-line errors."""

from __future__ import annotations

import errno
import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from nmebench.cli import (
    bench,
    check,
    compare,
    contract,
    data,
    gate,
    listing,
    report,
    reproduce,
    run,
    score,
    train,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="nmebench",
    help="Benchmark and reproducibility harness for face alignment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.command)
app.command("score")(score.command)
app.command("report")(report.command)
app.command("check")(check.command)
app.command("reproduce")(reproduce.command)
app.command("compare")(compare.command)
app.command("train")(train.command)
app.command("gate")(gate.command)
app.command("bench")(bench.command)
app.command("contract")(contract.command)
app.add_typer(listing.app, name="list")
app.add_typer(data.app, name="data")


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"nmebench {version('nmebench')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Benchmark and reproducibility harness for face alignment."""


#: The base of all errors about the words of a call. Typer carries its own copy of click or uses the installed one,
#: by version; its public error tells which.
_CallError: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


#: What is wrong with a place to write to, rather than with the program.
_PLACE = frozenset({errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT, errno.EFBIG})


class _Stopped(BaseException):
    """SIGINT or SIGTERM, as an exception, so that locks and temporary files are let go on the way out.

    Not KeyboardInterrupt: typer would turn that into an exit without a word.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, _frame: FrameType | None) -> None:
    raise _Stopped(number)


#: What is said of a signal that ends the process.
_STOPPED = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


def _say(line: str) -> None:
    """One line to standard error; control characters of a hostile name don't reach the terminal."""
    text = " ".join(line.split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    sys.stderr.write(shown.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 done; 1 a check or gate failed; 2 something given can't be used; 3 nothing was comparable; 130 and 143 after
        SIGINT and SIGTERM.
    """
    before = {number: signal.signal(number, _stop) for number in _STOPPED}
    try:
        return _answer(arguments)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answer(arguments: list[str] | None) -> int:
    """Run a command and turn what ends it into an exit code."""
    try:
        result = app(args=arguments, standalone_mode=False)
    except typer.Exit as leave:
        return int(leave.exit_code)
    except _CallError as error:
        _say(f"nmebench: error: {error.format_message()} (see `nmebench --help`)")  # type: ignore[attr-defined]
        return 2
    except _Stopped as stopped:
        _say(f"nmebench: {_STOPPED[signal.Signals(stopped.number)]}; the same command goes on from here")
        return 128 + stopped.number
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except MemoryError:
        _say("nmebench: error: out of memory; give a smaller --batch-size")
        return 2
    except RuntimeError as error:
        if "allocate memory" not in str(error) and "out of memory" not in str(error):  # torch's, on CPU and GPU
            raise
        _say("nmebench: error: out of memory; give a smaller --batch-size")
        return 2
    except OSError as error:
        if error.errno not in _PLACE:
            raise
        where, what = error.filename or "output", os.strerror(error.errno or 0)
        _say(f"nmebench: error: {where}: {what}; make room or give another folder")
        return 2
    except ValueError as error:
        from nmebench.decoders.errors import DecoderError
        from nmebench.errors import InputError
        from nmebench.models.errors import ModelError

        if not isinstance(error, InputError | DecoderError | ModelError):
            raise
        _say(f"nmebench: error: {error}")
        return 2
    return int(result or 0)
