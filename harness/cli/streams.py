"""Makes standard output and standard error safe to write to: closed, broken, or with an encoding that lacks letters."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable

__all__ = ["protect", "quieten_decoders"]


class _Stream(io.RawIOBase):
    """A file descriptor whose reader may leave, as ``head`` does: what is written after that is dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._broken = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        if not self._broken:
            try:
                return os.write(self._descriptor, view)
            except BrokenPipeError:
                self._broken = True
            except BlockingIOError:
                raise
            except OSError:  # such as a full disk: report it once, not again when the stream is closed
                self._broken = True
                raise
        return view.nbytes


def protect() -> Callable[[], None]:
    """Replace the process's standard output and standard error by streams that no reader can break.

    * A stream that was closed by the parent (``>&-``) writes to the null device. Its descriptor is taken, because the
      next file that is opened would otherwise get it, and messages would be written into that file.
    * When the reader has left (``| head -1``), the rest of the output is dropped; the command runs to its end and
      keeps its exit code.
    * A character that the encoding lacks, such as ``é`` in a path under ``LC_ALL=C``, is written as an escape.

    Streams that a caller has replaced, such as a test, are left alone.

    Returns:
        A function that restores the streams.
    """
    before = sys.stdout, sys.stderr
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            descriptor = _occupy(descriptor)
            encoding, line_buffering = "utf-8", False
        elif stream is getattr(sys, f"__{name}__") and _has_descriptor(stream, descriptor):
            stream.flush()
            encoding, line_buffering = stream.encoding, stream.line_buffering or name == "stderr"
        else:
            continue
        raw = io.BufferedWriter(_Stream(descriptor))
        setattr(sys, name, io.TextIOWrapper(raw, encoding, errors="backslashreplace", line_buffering=line_buffering))

    def restore() -> None:
        sys.stdout, sys.stderr = before

    return restore


def quieten_decoders() -> None:
    """Hide messages of OpenCV and Pillow about damaged photographs, which name no file; the error names it.

    Call it before OpenCV is imported. libjpeg and libpng write some lines of their own, which can't be switched off.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _has_descriptor(stream: io.TextIOBase, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError):
        return False


def _occupy(descriptor: int) -> int:
    """Open the null device under a descriptor if that is closed, else under another one; return the descriptor."""
    null = os.open(os.devnull, os.O_RDWR)
    try:
        os.fstat(descriptor)
    except OSError:
        os.dup2(null, descriptor)
        os.close(null)
        return descriptor
    return null
