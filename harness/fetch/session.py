"""Requests to the hosts of a source, and what their failures mean: an error for the user, or another attempt."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3

from nmebench.errors import InputError
from nmebench.fetch.sources import Source
from nmebench.printable import shown

__all__ = ["RetryError", "Session", "is_page", "stream_errors"]

_RETRY_STATUS: Final = frozenset({408, 429, 500, 502, 503, 504})
_PORTS: Final = {"http": 80, "https": 443}
_MAX_REDIRECTS: Final = 6


class RetryError(Exception):
    """An attempt failed but the next one may succeed; ``wait`` is the pause in seconds that the server asked for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Session(requests.Session):
    """A session that requests only addresses on a source's hosts, and never http after https."""

    def __init__(self, source: Source, *, connect_seconds: float, read_seconds: float) -> None:
        """Prepare a session; nothing is requested.

        Args:
            source: the address, and the hosts that redirects may lead to.
            connect_seconds: longest time until a connection is open.
            read_seconds: longest time without a byte.
        """
        super().__init__()
        self.headers.update({"User-Agent": "nmebench", "Accept-Encoding": "identity"})
        self.max_redirects = _MAX_REDIRECTS
        self.source = source
        self.timeout = (connect_seconds, read_seconds)
        self.address = source.address
        """The address of the last request or redirect."""
        self.previous: str | None = None
        """The last address that was requested."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return the address that a response redirects to; None if it doesn't redirect."""
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
            raise self.source.failed(f"{_host(self.previous)} redirects from https to http; nothing was downloaded")
        port = parts.port or _PORTS[parts.scheme]
        names = {f"{parts.hostname}:{port}"} | ({parts.hostname} if port == _PORTS[parts.scheme] else set())
        own = {f"{start.hostname}:{start.port or _PORTS[start.scheme]}", f"{start.hostname}:443"}
        if names.isdisjoint({*own, *self.source.hosts}):
            allowed = ", ".join(sorted({_host(self.source.address), *self.source.hosts}))
            found = f"redirected to another host, {_host(self.address)}; allowed: {allowed}; nothing was downloaded"
            raise self.source.failed(found)
        self.previous = self.address
        return super().send(request, **kwargs)

    def open(self, address: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Return the response to a request, after redirects, with its body unread.

        Args:
            address: the address to request.
            headers: more headers, such as Range; without them, status 416 is a failure too.

        Raises:
            RetryError: no connection, no answer, or a status that may pass.
            InputError: any other failure.
        """
        try:
            response = self.get(address, headers=headers, stream=True, timeout=self.timeout)
        except InputError:
            raise
        except requests.exceptions.SSLError as error:
            raise InputError(
                f"{self.source.file}: the certificate of {_host(self.address)} can't be verified; nothing was "
                "downloaded; if your network has its own authority, set REQUESTS_CA_BUNDLE to its certificate"
            ) from error
        except requests.exceptions.Timeout as error:
            raise RetryError(f"{_host(self.address)} didn't answer within {self.timeout[1]:g} s") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise RetryError(f"no connection to {_host(self.address)}") from error
        except requests.exceptions.TooManyRedirects as error:
            raise self.source.failed(f"{_host(address)} redirects more than {_MAX_REDIRECTS} times") from error
        except (requests.exceptions.RequestException, ValueError) as error:
            found = f"{'redirected to ' if self.previous else ''}{shown(self.address)[:120]!r}"
            raise self.source.failed(f"{found}, allowed: http and https addresses; nothing was downloaded") from error
        status = response.status_code
        if status in (200, 206) or (status == 416 and headers):
            return response
        response.close()
        answer = f"{_host(response.url)} answered {status} {shown(response.reason or '')[:60]}".rstrip()
        if status in _RETRY_STATUS:
            raise RetryError(answer, _retry_after(response))
        raise self.source.failed(f"{answer}; the file was moved or is no longer public")


@contextlib.contextmanager
def stream_errors() -> Iterator[None]:
    """Raise RetryError for every connection error while a response's body is read."""
    try:
        yield
    except urllib3.exceptions.ReadTimeoutError as error:
        raise RetryError("the connection stalled") from error
    except urllib3.exceptions.HTTPError as error:
        raise RetryError("the connection was cut") from error


def is_page(response: requests.Response) -> bool:
    """Return whether a response is a web page."""
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
