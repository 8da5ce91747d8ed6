"""Download one file over HTTP(S): limited in size, resumed after interruptions, redirected only to known hosts.

`requests` opens the connections and follows redirects, `urllib3` reads Retry-After, and `gdown` reads Google Drive's
confirmation form. The rest is here because no download library does it: `pooch` starts again after every error,
`gdown.download` resumes without checking that the file is still the same, and both follow redirects to any host and
accept any size.

The received bytes stay in ``NAME.part``, and ``NAME.part.json`` records which version of the file they belong to. The
next attempt, or the next command, requests only the missing bytes (RFC 9110, section 13.1.5 If-Range, 14.2 Range).
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import requests

from nmebench.errors import InputError
from nmebench.fetch import google_drive
from nmebench.fetch.part_file import PartFile, PartRecord
from nmebench.fetch.session import RetryError, Session, is_page, stream_errors
from nmebench.fetch.sources import Source
from nmebench.printable import shown

__all__ = ["Policy", "Progress", "download"]


class Progress(Protocol):
    """A callback for progress: ``progress(file, done, total)`` in bytes; ``total`` is 0 while it is unknown."""

    def __call__(self, file: str, done: int, total: int, /) -> None:
        """Report that ``done`` of ``total`` bytes of ``file`` have arrived."""


@dataclass(frozen=True)
class Policy:
    """Timeouts and retries of a download."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    """Longest time without a byte."""
    attempts: int = 5
    """Attempts in a row that bring no new byte before the download fails."""
    max_attempts: int = 100
    """All attempts, including those that bring new bytes."""
    max_wait: float = 60.0
    """Longest pause in seconds. If a server asks for more, the download fails."""
    chunk: int = 1 << 16
    sleep: Callable[[float], None] = time.sleep


def download(
    source: Source,
    target: Path,
    *,
    policy: Policy,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> None:
    """Download a source's file to ``target``, resuming an earlier download that was interrupted.

    The content is not verified.

    Args:
        source: the address, the allowed hosts and the size limits.
        target: the file to write; its folder must exist. ``NAME.part`` and ``NAME.part.json`` beside it keep what
            has arrived.
        policy: timeouts and retries.
        progress: called after each chunk.
        note: called with one line before each retry.

    Raises:
        InputError: the download failed. ``target`` is unchanged, and received bytes are kept if they can be used.
    """
    report = progress or (lambda _file, _done, _total: None)
    _Download(source, PartFile(source, target), policy, report, note or (lambda _line: None)).run()


@dataclass(frozen=True)
class _Download:
    source: Source
    part: PartFile
    policy: Policy
    progress: Progress
    note: Callable[[str], None]

    def run(self) -> None:
        """Download the file, resuming and retrying as the policy allows.

        Raises:
            InputError: the download fails for good; the message says whether it can be resumed.
        """
        file, policy = self.source.file, self.policy
        fruitless = 0
        for attempt in range(1, policy.max_attempts + 1):
            size = self.part.size
            try:
                self._attempt()
                self.part.finish()
                return
            except RetryError as error:
                reason, asked = str(error), error.wait
            fruitless = 1 if self.part.size > size else fruitless + 1
            wait = min(2.0 ** (fruitless - 1), policy.max_wait) if asked is None else asked
            if wait > policy.max_wait:
                raise InputError(
                    f"{file}: {reason} and asks to wait {wait:.0f} s; repeat the command later{self.part.kept()}"
                )
            if fruitless >= policy.attempts or attempt == policy.max_attempts:
                break
            self.note(f"{file}: {reason}; trying again in {wait:g} s")
            policy.sleep(wait)
        raise InputError(
            f"{file}: {reason} ({attempt} attempts); check the connection and repeat the command{self.part.kept()}"
        )

    def _attempt(self) -> None:
        """Request the file, or its missing bytes, and append them to the part."""
        record = self.part.read_record()
        offset = self.part.size if record else 0
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and record and record.validator:
            headers["If-Range"] = record.validator
        policy = self.policy
        with Session(self.source, connect_seconds=policy.connect_seconds, read_seconds=policy.read_seconds) as session:
            address = google_drive.file_address(session) if self.source.drive else self.source.address
            with session.open(address, headers) as response:
                self._check_content(response)
                if response.status_code != 416:
                    self._receive(response, *self._announced(response, offset, record))
                elif response.headers.get("Content-Range") != f"bytes */{offset}":  # otherwise the part is complete
                    self.part.discard()
                    raise RetryError("the file at the server has changed its size")

    def _check_content(self, response: requests.Response) -> None:
        """Refuse a web page, and bytes that are encoded for the transfer."""
        if is_page(response):
            page = "the server sent a web page instead of the file (a login, or an exhausted quota)"
            raise self.source.failed(f"{page}; the page was not stored")
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        # Some servers call a .tar.gz "gzip-encoded"; its bytes are stored as they are.
        if encoding not in ("", "identity") and not self.source.file.endswith(("gz", "tgz")):
            raise self.source.failed(f"sent with the encoding {shown(encoding)[:40]!r}, allowed: identity")

    def _announced(self, response: requests.Response, offset: int, record: PartRecord | None) -> tuple[int, int | None]:
        """Return the position of the body's first byte in the file, and the file's size if it is announced."""
        if response.status_code != 206:
            length = response.headers.get("Content-Length", "")
            return 0, int(length) if length.isdigit() else None
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
        total = int(match[3]) if match else 0
        if match and int(match[1]) == offset and (record is None or record.total in (None, total)):
            return offset, total
        self.part.discard()
        raise RetryError("the server sent other bytes than requested")

    def _check_size(self, total: int | None, offset: int) -> None:
        """Compare the announced size with the expected size, the limit and the free space."""
        if total is None:
            return
        if self.source.bytes is not None and total != self.source.bytes:
            self.part.discard()
            found = f"the server announces {total} bytes, expected {self.source.bytes}; it is another file"
            raise self.source.failed(found)
        if total > self.source.max_bytes:
            raise self._too_large(total)
        folder = self.part.path.parent
        free = shutil.disk_usage(folder).free
        if total - offset > free:
            raise InputError(
                f"{self.source.file}: needs {total - offset} bytes, but {shown(folder)} has {free} free; "
                f"free some space, or choose another cache with NMEBENCH_CACHE{self.part.kept()}"
            )

    def _too_large(self, size: int) -> InputError:
        self.part.discard()
        found = f"{size} or more bytes, allowed: {self.source.max_bytes}; it is another file than expected"
        return self.source.failed(f"{found}; nothing was kept")

    def _receive(self, response: requests.Response, offset: int, total: int | None) -> None:
        """Record the version, append the response's body to the part and check that it is complete."""
        self._check_size(total, offset)
        tag = response.headers.get("ETag", "")
        # If-Range needs a strong validator (RFC 9110, section 13.1.5).
        validator = tag if tag.startswith('"') else response.headers.get("Last-Modified")
        self.part.write_record(validator, total)
        done = offset
        with contextlib.closing(self.part.append(self._body(response), offset)) as sizes:
            for done in sizes:
                self.progress(self.source.file, done, total or 0)
        if done > self.source.max_bytes:
            raise self._too_large(done)
        if total is not None and done != total:
            raise RetryError(f"{done} of {total} bytes arrived")

    def _body(self, response: requests.Response) -> Iterator[bytes]:
        """Yield the chunks of a response's body."""
        with stream_errors():
            yield from response.raw.stream(self.policy.chunk, decode_content=False)
