"""Downloading one file over HTTP(S): bounded, resumable, patient, and never led astray.

`pooch.retrieve` places and reuses files; its `HTTPDownloader` starts anew after every fault and follows any redirect,
which an archive of WFLW's size on Drive doesn't bear. `ResumingDownloader` replaces its transport: what came stays in
``NAME.part`` with the validator that it came with (``NAME.part.json``), and the next attempt, or the next command, asks
for the rest (RFC 9110 sections 13.1.5 and 14: Range, If-Range).
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urljoin, urlsplit

import pooch
import requests
import urllib3

from nmebench.errors import InputError
from nmebench.fetch.drive import confirmed
from nmebench.fetch.partial_file import PartFile, PartRecord
from nmebench.fetch.sources import Source
from nmebench.printable import shown

__all__ = ["Policy", "Progress", "ResumingDownloader"]

_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_PAGE_BYTES = 1 << 20
_HTML = re.compile(rb"\s*<(!doctype html|html|head|\?xml)", re.IGNORECASE)


class Progress(Protocol):
    """Called while a file comes in, with the bytes so far and in all; ``total`` is 0 while unknown."""

    def __call__(self, file: str, done: int, total: int, /) -> None:
        """Report the bytes of ``file`` so far."""


@dataclass(frozen=True)
class Policy:
    """How patient a download is."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    """Longest silence."""
    attempts: int = 5
    """Attempts in a row that bring nothing new."""
    most_attempts: int = 100
    """Attempts in all, those that bring something included."""
    longest_wait: float = 60.0
    """Longest pause in seconds, also where a server asks for more."""
    redirects: int = 6
    chunk: int = 1 << 16
    sleep: Callable[[float], None] = time.sleep


class _AgainError(Exception):
    """An attempt failed in a way that another may mend; carries the pause that the server asked for."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class _Session(requests.Session):
    """Leaves redirects to `_open`; requests would read a redirect's whole body into memory to look ahead."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        del resp
        return None


class ResumingDownloader(pooch.HTTPDownloader):  # type: ignore[misc]
    """A `pooch` downloader for one source.

    Args:
        source: bounds, allowed hosts and, for Drive, the form to confirm.
        part: where the partial file is kept between attempts and commands.
        check: called with the complete partial file before it is handed over; raises InputError to refuse it, upon
            which it is deleted.
        policy: time limits and attempts.
        progress: called with bytes.
        note: called with a line when an attempt failed and another follows.
    """

    def __init__(
        self,
        source: Source,
        part: Path,
        *,
        check: Callable[[Path], object],
        policy: Policy,
        progress: Progress | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self.source = source
        self.part = PartFile(part)
        self.check = check
        self.policy = policy
        self.progress: Progress = progress or (lambda _file, _done, _total: None)
        self.note = note or (lambda _line: None)

    def __call__(self, url: str, output_file: str, pooch: Any = None, check_only: bool = False) -> None:
        """Download ``url`` to ``output_file``.

        Raises:
            InputError: one line for everything that can go wrong; what came so far is kept where it can be used.
        """
        del pooch, check_only
        self._patiently(url)
        try:
            self.check(self.part.path)
        except InputError:
            self.part.discard()
            raise
        self.part.hand_over(Path(output_file))

    def _patiently(self, url: str) -> None:
        fruitless = attempts = 0
        with _Session() as session:
            session.headers.update({"User-Agent": "nmebench", "Accept-Encoding": "identity"})
            while attempts < self.policy.most_attempts:
                attempts += 1
                before = self.part.size
                try:
                    self._attempt(session, url)
                    return
                except _AgainError as error:
                    fruitless = 1 if self.part.size > before else fruitless + 1
                    why, asked = str(error), error.wait
                if asked is not None and asked > self.policy.longest_wait:
                    raise InputError(
                        f"{self.source.file}: {why} and asks to wait {asked:.0f} s; give the same command again later"
                        f"{self._kept()}"
                    )
                if fruitless >= self.policy.attempts:
                    break
                wait = asked if asked is not None else min(2.0 ** (fruitless - 1), self.policy.longest_wait)
                self.note(f"{self.source.file}: {why}; again in {wait:g} s")
                self.policy.sleep(wait)
        raise InputError(
            f"{self.source.file}: {why} ({attempts} attempts); check the connection and give the same command "
            f"again{self._kept()}"
        )

    def _kept(self) -> str:
        size = self.part.size
        return f" (the first {size} bytes are kept and it goes on from there)" if size else ""

    # One attempt ------------------------------------------------------------------------------------------------

    def _attempt(self, session: requests.Session, url: str) -> None:
        known = self.part.known(url)
        offset = self.part.size if known else 0
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and known and known.validator:
            headers["If-Range"] = known.validator
        with contextlib.ExitStack() as stack:
            file = self._past_the_form(session, url, stack) if self.source.drive else url
            response = self._open(session, file, headers, stack)[0]
            self._judge(response, offset)
            if self._is_page(response):
                raise self._got_a_page()
            total: int | None
            if response.status_code == 206:
                total = self._continued(response, offset, known)
            elif response.status_code == 416:
                if self._unsatisfied(response) == offset:
                    return  # the part is the whole file
                self.part.discard()
                raise _AgainError("the server has another length than before")
            else:
                offset, total = 0, self._length(response)
            self._bounded(total, offset)
            with self._storing():
                self.part.remember(PartRecord(url, self._validator(response), total))
            self._receive(response, offset, total)

    def _past_the_form(self, session: requests.Session, url: str, stack: contextlib.ExitStack) -> str:
        """Where Drive keeps the file: behind a form for large ones. Asked without Range, which is the file's alone."""
        response, here = self._open(session, url, {}, stack)
        if not (response.ok and self._is_page(response)):
            response.close()
            return here
        target = confirmed(self._page(response), self.source)
        response.close()
        self._allowed(target, here)
        return target

    def _open(
        self,
        session: requests.Session,
        url: str,
        headers: dict[str, str],
        stack: contextlib.ExitStack,
    ) -> tuple[requests.Response, str]:
        """Ask, following redirects that stay on the source's hosts and keep encryption."""
        here: str = url
        came_from: str | None = None
        for _ in range(self.policy.redirects + 1):
            self._allowed(here, came_from)
            try:
                response = session.get(
                    here,
                    headers=headers,
                    stream=True,
                    allow_redirects=False,
                    timeout=(self.policy.connect_seconds, self.policy.read_seconds),
                )
            except requests.exceptions.SSLError as error:
                raise InputError(
                    f"{self.source.file}: the certificate of {_host(here)} can't be trusted; nothing was downloaded; "
                    "set REQUESTS_CA_BUNDLE if your network has its own authority"
                ) from error
            except requests.exceptions.Timeout as error:
                raise _AgainError(f"{_host(here)} didn't answer within {self.policy.read_seconds:g} s") from error
            except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
                raise _AgainError(f"no connection to {_host(here)}") from error
            except (requests.exceptions.RequestException, UnicodeError, ValueError) as error:
                raise InputError(
                    f"{self.source.file}: {shown(here)[:120]} is no address to download from ({type(error).__name__})"
                ) from error
            stack.callback(response.close)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or location is None:
                return response, here
            response.close()
            target = location.encode("latin-1", "replace").decode("utf-8", "replace")
            try:
                here, came_from = urljoin(here, target), here
            except ValueError:  # `_allowed` refuses it, with its own words
                here, came_from = target, here
        raise InputError(
            f"{self.source.file}: {_host(url)} redirects more than {self.policy.redirects} times; {self._by_hand()}"
        )

    def _allowed(self, here: str, came_from: str | None) -> None:
        try:
            split = urlsplit(here)
            host, scheme = split.hostname or "", split.scheme.lower()
            port = split.port or _PORTS.get(scheme)
        except ValueError:
            host, scheme, port = "", "", None
        if scheme not in _PORTS or not host:
            raise InputError(
                f"{self.source.file}: {'redirected to ' if came_from else ''}{shown(here)[:120]!r}, allowed: http and "
                f"https addresses; nothing was downloaded; {self._by_hand()}"
            )
        start = urlsplit(self.source.address)
        if "https" in (start.scheme, urlsplit(came_from or "").scheme) and scheme != "https":
            raise InputError(
                f"{self.source.file}: {_host(came_from or here)} redirects from https to http; nothing was downloaded; "
                f"{self._by_hand()}"
            )
        allowed = {(start.hostname, start.port or _PORTS.get(start.scheme)), (start.hostname, 443)}
        if (
            (host, port) not in allowed
            and f"{host}:{port}" not in self.source.hosts
            and not (host in self.source.hosts and port == _PORTS[scheme])
        ):
            raise InputError(
                f"{self.source.file}: redirected to another host, {shown(_host(here))[:80]}; allowed: "
                f"{', '.join(sorted({_host(self.source.address), *self.source.hosts}))}; nothing was downloaded; "
                f"{self._by_hand()}"
            )

    def _by_hand(self) -> str:
        return (
            f"download it in a browser from {self.source.page or self.source.address} and `nmebench data add "
            f"{self.source.file}`"
        )

    # What an answer says ----------------------------------------------------------------------------------------

    def _judge(self, response: requests.Response, offset: int) -> None:
        status = response.status_code
        if status in (200, 206) or (status == 416 and offset):
            encoding = response.headers.get("Content-Encoding", "identity").lower()
            # Some servers call a .tar.gz "gzip-encoded"; its bytes are taken as they are.
            if encoding not in ("", "identity") and not self.source.file.endswith(("gz", "tgz")):
                raise InputError(
                    f"{self.source.file}: sent with the encoding {shown(encoding)[:40]!r}, allowed: identity; "
                    f"{self._by_hand()}"
                )
            return
        said = f"{_host(response.url)} answered {status} {shown(response.reason or '')[:60]}".rstrip()
        if status in _AGAIN:
            raise _AgainError(said, _retry_after(response))
        raise InputError(f"{self.source.file}: {said}; the file has moved or isn't public any more; {self._by_hand()}")

    def _is_page(self, response: requests.Response) -> bool:
        return response.headers.get("Content-Type", "").split(";")[0].strip().lower() in (
            "text/html",
            "application/xhtml+xml",
        )

    def _page(self, response: requests.Response) -> str:
        with _broken_lines():
            data = response.raw.read(_PAGE_BYTES, decode_content=True)
        return bytes(data).decode("utf-8", "replace")

    def _got_a_page(self) -> InputError:
        return InputError(
            f"{self.source.file}: the server sent a web page instead of the file (a login, or a quota used up); "
            f"nothing was kept; {self._by_hand()}"
        )

    def _length(self, response: requests.Response) -> int | None:
        value = response.headers.get("Content-Length", "")
        return int(value) if value.isdigit() else None

    def _validator(self, response: requests.Response) -> str | None:
        tag = response.headers.get("ETag", "")
        # If-Range needs a strong validator (RFC 9110, 13.1.5).
        return tag if tag.startswith('"') else response.headers.get("Last-Modified")

    def _continued(self, response: requests.Response, offset: int, known: PartRecord | None) -> int:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
        total = int(match[3]) if match else None
        if match is None or int(match[1]) != offset or total is None or (known and known.total not in (None, total)):
            self.part.discard()
            raise _AgainError("the server went on from another place than asked")
        return total

    def _unsatisfied(self, response: requests.Response) -> int | None:
        match = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
        return int(match[1]) if match else None

    def _bounded(self, total: int | None, offset: int) -> None:
        if total is None:
            return
        if self.source.bytes is not None and total != self.source.bytes:
            self.part.discard()
            raise InputError(
                f"{self.source.file}: {total} bytes at its source, expected {self.source.bytes}; it is another file; "
                f"{self._by_hand()}"
            )
        if total > self.source.max_bytes:
            self.part.discard()
            raise self._too_long(total)
        free = shutil.disk_usage(self.part.path.parent).free
        if total - offset > free:
            raise InputError(
                f"{self.source.file}: needs {total - offset} bytes, but {shown(self.part.path.parent)} has {free} "
                f"free; make room, or choose another cache with NMEBENCH_CACHE{self._kept()}"
            )

    def _too_long(self, size: int) -> InputError:
        return InputError(
            f"{self.source.file}: {size} bytes or more, allowed: {self.source.max_bytes}; nothing was kept; it is "
            f"another file than expected; {self._by_hand()}"
        )

    # The partial file -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{shown(self.part.path)}: {error.strerror}; make room or choose another cache with NMEBENCH_CACHE, "
                f"then give the same command again{self._kept()}"
            ) from error

    @contextlib.contextmanager
    def _closing(self, file: IO[bytes]) -> Iterator[None]:
        """Close, which writes what is buffered and so meets a full disk once more."""
        try:
            yield
        finally:
            with self._storing():
                file.close()

    def _receive(self, response: requests.Response, offset: int, total: int | None) -> None:
        done = offset
        with self._storing():
            file = self.part.path.open("r+b" if offset else "wb")
        with self._closing(file):
            file.seek(offset)
            file.truncate()
            chunks = response.raw.stream(self.policy.chunk, decode_content=False)
            while True:
                with _broken_lines():
                    chunk = next(chunks, b"")
                if not chunk:
                    break
                if done == 0 and _HTML.match(chunk[:512]):
                    self.part.discard()
                    raise self._got_a_page()
                if done + len(chunk) > self.source.max_bytes:
                    self.part.discard()
                    raise self._too_long(done + len(chunk))
                with self._storing():
                    file.write(chunk)
                    file.flush()
                done += len(chunk)
                self.progress(self.source.file, done, total or 0)
        if total is not None and done != total:
            raise _AgainError(f"{done} of {total} bytes came")


@contextlib.contextmanager
def _broken_lines() -> Iterator[None]:
    """Faults while bytes come in: all of them may be mended by another attempt."""
    try:
        yield
    except (urllib3.exceptions.ReadTimeoutError, TimeoutError) as error:
        raise _AgainError("the connection went silent") from error
    except (urllib3.exceptions.HTTPError, requests.exceptions.RequestException, ConnectionError) as error:
        raise _AgainError("the connection was cut") from error


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or shown(url)[:80]


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: seconds or a date), or None."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value[:9])
    when, sent = _date(value), _date(response.headers.get("Date", ""))
    if when is None:
        return None
    # Against the server's own clock where it tells it: this machine's may be wrong.
    return max(0.0, (when - (sent or datetime.datetime.now(datetime.UTC))).total_seconds())


def _date(value: str) -> datetime.datetime | None:
    try:
        when = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
