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
import json
import re
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
import urllib3

from nmebench.bounded_read import read_json
from nmebench.errors import InputError
from nmebench.fetch.sources import Source
from nmebench.files import write_atomically
from nmebench.printable import shown

__all__ = ["Policy", "Progress", "download"]

_RETRY_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_PORTS = {"http": 80, "https": 443}
_MAX_REDIRECTS = 6
_MAX_PAGE_BYTES = 1 << 20


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


class _RetryError(Exception):
    """An attempt failed but the next one may succeed; ``wait`` is the pause in seconds that the server asked for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class _PartRecord:
    """Identifies the version of the file that a ``.part`` file contains."""

    address: str
    """The source's address, without the tokens that redirects add."""
    validator: str | None
    """Strong ETag or Last-Modified date, for If-Range."""
    total: int | None
    """Size of the complete file in bytes."""


class _Session(requests.Session):
    """A session that requests only addresses on a source's hosts, and never http after https."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.headers.update({"User-Agent": "nmebench", "Accept-Encoding": "identity"})
        self.max_redirects = _MAX_REDIRECTS
        self.source = source
        self.address = source.address
        self.previous: str | None = None

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target is not None:
            resp.close()  # `requests` would read the redirect's body into memory, however long it is
            self.address = target
        return target

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Check and send the first request or a redirected one."""
        self.address = request.url or ""
        parts, start = urlsplit(self.address), urlsplit(self.source.address)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise requests.exceptions.InvalidSchema(self.address)
        if self.previous is not None and urlsplit(self.previous).scheme == "https" != parts.scheme:
            raise _failed(self.source, f"{_host(self.previous)} redirects from https to http; nothing was downloaded")
        port = parts.port or _PORTS[parts.scheme]
        names = {f"{parts.hostname}:{port}"} | ({parts.hostname} if port == _PORTS[parts.scheme] else set())
        own = {f"{start.hostname}:{start.port or _PORTS[start.scheme]}", f"{start.hostname}:443"}
        if names.isdisjoint({*own, *self.source.hosts}):
            allowed = ", ".join(sorted({_host(self.source.address), *self.source.hosts}))
            found = f"redirected to another host, {_host(self.address)}; allowed: {allowed}; nothing was downloaded"
            raise _failed(self.source, found)
        self.previous = self.address
        return super().send(request, **kwargs)


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
    _Download(
        source, target, policy, progress or (lambda _file, _done, _total: None), note or (lambda _line: None)
    ).run()


class _Download:
    def __init__(
        self, source: Source, target: Path, policy: Policy, progress: Progress, note: Callable[[str], None]
    ) -> None:
        self.source = source
        self.target = target
        self.part = target.with_name(f"{target.name}.part")
        self.record = target.with_name(f"{target.name}.part.json")
        self.policy = policy
        self.progress = progress
        self.note = note

    def run(self) -> None:
        """Download the file, resuming and retrying as the policy allows.

        Raises:
            InputError: the download fails for good; the message says whether it can be resumed.
        """
        file, policy = self.source.file, self.policy
        fruitless = 0
        for attempt in range(1, policy.max_attempts + 1):
            size = self._size()
            try:
                self._attempt()
                self.part.replace(self.target)
                self.record.unlink(missing_ok=True)
                return
            except _RetryError as error:
                reason, asked = str(error), error.wait
            fruitless = 1 if self._size() > size else fruitless + 1
            wait = min(2.0 ** (fruitless - 1), policy.max_wait) if asked is None else asked
            if wait > policy.max_wait:
                raise InputError(
                    f"{file}: {reason} and asks to wait {wait:.0f} s; repeat the command later{self._kept()}"
                )
            if fruitless >= policy.attempts or attempt == policy.max_attempts:
                break
            self.note(f"{file}: {reason}; trying again in {wait:g} s")
            policy.sleep(wait)
        raise InputError(
            f"{file}: {reason} ({attempt} attempts); check the connection and repeat the command{self._kept()}"
        )

    def _attempt(self) -> None:
        """Request the file, or its missing bytes, and append them to the ``.part`` file."""
        record = self._read_record()
        offset = self._size() if record else 0
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and record and record.validator:
            headers["If-Range"] = record.validator
        with _Session(self.source) as session:
            address = self._drive_address(session) if self.source.drive else self.source.address
            with self._get(session, address, headers) as response:
                if _is_page(response):
                    page = "the server sent a web page instead of the file (a login, or an exhausted quota)"
                    raise _failed(self.source, f"{page}; the page was not stored")
                encoding = response.headers.get("Content-Encoding", "identity").lower()
                # Some servers call a .tar.gz "gzip-encoded"; its bytes are stored as they are.
                if encoding not in ("", "identity") and not self.source.file.endswith(("gz", "tgz")):
                    raise _failed(self.source, f"sent with the encoding {shown(encoding)[:40]!r}, allowed: identity")
                if response.status_code == 416:
                    if response.headers.get("Content-Range") == f"bytes */{offset}":
                        return  # the .part file is complete
                    self._discard()
                    raise _RetryError("the file at the server has changed its size")
                if response.status_code == 206:
                    total: int | None = self._resumed_total(response, offset, record)
                else:
                    length = response.headers.get("Content-Length", "")
                    offset, total = 0, int(length) if length.isdigit() else None
                self._check_size(total, offset)
                self._receive(response, offset, total)

    # Requests -------------------------------------------------------------------------------------------------------

    def _get(self, session: _Session, address: str, headers: dict[str, str] | None = None) -> requests.Response:
        """Return the response to a request, after redirects.

        Raises:
            _RetryError: no connection, no answer, or a status that may pass.
            InputError: any other failure.
        """
        policy = self.policy
        timeout = (policy.connect_seconds, policy.read_seconds)
        try:
            response = session.get(address, headers=headers, stream=True, timeout=timeout)
        except InputError:
            raise
        except requests.exceptions.SSLError as error:
            raise InputError(
                f"{self.source.file}: the certificate of {_host(session.address)} can't be verified; nothing was "
                "downloaded; if your network has its own authority, set REQUESTS_CA_BUNDLE to its certificate"
            ) from error
        except requests.exceptions.Timeout as error:
            raise _RetryError(f"{_host(session.address)} didn't answer within {policy.read_seconds:g} s") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise _RetryError(f"no connection to {_host(session.address)}") from error
        except requests.exceptions.TooManyRedirects as error:
            raise _failed(self.source, f"{_host(address)} redirects more than {_MAX_REDIRECTS} times") from error
        except (requests.exceptions.RequestException, ValueError) as error:
            found = f"{'redirected to ' if session.previous else ''}{shown(session.address)[:120]!r}"
            raise _failed(self.source, f"{found}, allowed: http and https addresses; nothing was downloaded") from error
        status = response.status_code
        if status in (200, 206) or (status == 416 and headers):
            return response
        response.close()
        answer = f"{_host(response.url)} answered {status} {shown(response.reason or '')[:60]}".rstrip()
        if status in _RETRY_STATUS:
            raise _RetryError(answer, _retry_after(response))
        raise _failed(self.source, f"{answer}; the file was moved or is no longer public")

    def _drive_address(self, session: _Session) -> str:
        """Return the address of a file on Google Drive, which answers with a form first if the file is large.

        The form is requested without Range, because Range would apply to the form.
        """
        from gdown.download import get_url_from_gdrive_confirmation
        from gdown.exceptions import FileURLRetrievalError

        with self._get(session, self.source.address) as response:
            if not _is_page(response):
                return response.url
            with _stream_errors():
                page = response.raw.read(_MAX_PAGE_BYTES, decode_content=True).decode("utf-8", "replace")
        try:
            return str(get_url_from_gdrive_confirmation(page))
        except (FileURLRetrievalError, KeyError, AssertionError) as error:
            reason = " ".join(str(error).split())[:160]
            if not isinstance(error, FileURLRetrievalError) or reason.startswith("Cannot retrieve"):
                reason = "it links to no file"
            raise InputError(
                f"{self.source.file}: Google Drive sent a page instead of the file ({reason}); try again in a day, or "
                f"{self.source.manual_way}"
            ) from error

    def _resumed_total(self, response: requests.Response, offset: int, record: _PartRecord | None) -> int:
        """Return the complete size from a partial response; discard the part if it doesn't continue the file."""
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
        total = int(match[3]) if match else 0
        if match and int(match[1]) == offset and (record is None or record.total in (None, total)):
            return total
        self._discard()
        raise _RetryError("the server sent other bytes than requested")

    def _check_size(self, total: int | None, offset: int) -> None:
        """Compare the announced size with the expected size, the limit and the free space."""
        if total is None:
            return
        if self.source.bytes is not None and total != self.source.bytes:
            self._discard()
            found = f"the server announces {total} bytes, expected {self.source.bytes}; it is another file"
            raise _failed(self.source, found)
        if total > self.source.max_bytes:
            raise self._too_large(total)
        free = shutil.disk_usage(self.part.parent).free
        if total - offset > free:
            raise InputError(
                f"{self.source.file}: needs {total - offset} bytes, but {shown(self.part.parent)} has {free} free; "
                f"free some space, or choose another cache with NMEBENCH_CACHE{self._kept()}"
            )

    def _too_large(self, size: int) -> InputError:
        self._discard()
        found = f"{size} or more bytes, allowed: {self.source.max_bytes}; it is another file than expected"
        return _failed(self.source, f"{found}; nothing was kept")

    # The .part file and its record ----------------------------------------------------------------------------------

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _kept(self) -> str:
        size = self._size()
        return f" (the first {size} bytes are kept and the download resumes there)" if size else ""

    def _discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def _read_record(self) -> _PartRecord | None:
        """Return the record if the ``.part`` file can be resumed; otherwise None, and the download starts again."""
        try:
            stored = read_json(self.record, limit=_MAX_PAGE_BYTES)
            record = _PartRecord(**stored)
        except (InputError, TypeError):
            return None
        if not isinstance(stored["validator"], str | None) or not isinstance(stored["total"], int | None):
            return None
        # Without a validator, the size shows at least that the file wasn't replaced by one of another size.
        known = record.validator is not None or record.total is not None
        return record if known and record.address == self.source.address else None

    def _receive(self, response: requests.Response, offset: int, total: int | None) -> None:
        """Record the version, append the response's body to the ``.part`` file and check that it is complete."""
        tag = response.headers.get("ETag", "")
        # If-Range needs a strong validator (RFC 9110, section 13.1.5).
        validator = tag if tag.startswith('"') else response.headers.get("Last-Modified")
        with self._disk_errors():
            write_atomically(self.record, json.dumps(asdict(_PartRecord(self.source.address, validator, total))) + "\n")
        done = offset
        with contextlib.closing(self._append(response, offset)) as sizes:
            for done in sizes:
                self.progress(self.source.file, done, total or 0)
        if done > self.source.max_bytes:
            raise self._too_large(done)
        if total is not None and done != total:
            raise _RetryError(f"{done} of {total} bytes arrived")

    def _append(self, response: requests.Response, offset: int) -> Generator[int, None, None]:
        """Write the body's chunks and yield the size after each; stop after the first chunk beyond the limit."""
        with _stream_errors(), self._disk_errors(), self.part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.truncate()
            for chunk in response.raw.stream(self.policy.chunk, decode_content=False):
                file.write(chunk)
                file.flush()
                offset += len(chunk)
                yield offset
                if offset > self.source.max_bytes:
                    return

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{shown(self.part)}: {error.strerror}; free some space or choose another cache with NMEBENCH_CACHE, "
                f"then repeat the command{self._kept()}"
            ) from error


def _failed(source: Source, found: str) -> InputError:
    return InputError(f"{source.file}: {found}; {source.manual_way}")


@contextlib.contextmanager
def _stream_errors() -> Iterator[None]:
    """Raise _RetryError for every connection error while a body is read."""
    try:
        yield
    except urllib3.exceptions.ReadTimeoutError as error:
        raise _RetryError("the connection stalled") from error
    except urllib3.exceptions.HTTPError as error:
        raise _RetryError("the connection was cut") from error


def _is_page(response: requests.Response) -> bool:
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")


def _host(url: str) -> str:
    """The host and port of a URL for a message, without user name and password."""
    return shown(urlsplit(url).netloc.rpartition("@")[2])[:80]


def _retry_after(response: requests.Response) -> float | None:
    """The pause in seconds that the server asks for (RFC 9110, section 10.2.3), or None."""
    try:
        return min(urllib3.Retry().parse_retry_after(response.headers["Retry-After"]), 1e9)
    except (KeyError, urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None
