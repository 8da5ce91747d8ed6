"""A local HTTP(S) server whose responses are scripted, correct or faulty."""

from __future__ import annotations

import contextlib
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Step = Callable[[BaseHTTPRequestHandler, "FaultServer"], None]


@dataclass
class FaultServer:
    """A running server. Each path has a list of responses: each request uses the next one, and the last one repeats."""

    http: ThreadingHTTPServer
    scheme: str
    routes: dict[str, list[Step]] = field(default_factory=dict)
    log: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.http.server_address[1]}"

    def url(self, path: str) -> str:
        return f"{self.scheme}://{self.netloc}{path}"

    def on(self, path: str, *steps: Step) -> str:
        """Set the responses of a path (without its query) and return its address."""
        self.routes[path] = list(steps)
        return self.url(path)

    def asked(self, path: str) -> list[Mapping[str, str]]:
        """Return the headers of every request for a path."""
        return [headers for asked, headers in self.log if asked.partition("?")[0] == path]


def serve(
    data: bytes,
    *,
    etag: str | None = '"v1"',
    modified: str | None = None,
    ranges: bool = True,
    cut_at: int | None = None,
    stall_at: int | None = None,
    length: int | None = None,
    chunked: bool = False,
    mime: str = "application/octet-stream",
    headers: Mapping[str, str] | None = None,
) -> Step:
    """A response with the bytes; follows Range and If-Range if ``ranges``, and cuts or stalls at an offset if given."""

    def step(handler: BaseHTTPRequestHandler, server: FaultServer) -> None:
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        condition = handler.headers.get("If-Range")
        if ranges and asked and condition in (None, etag, modified):
            start = int(asked[1])
            if start >= len(data):
                handler.send_response(416)
                handler.send_header("Content-Range", f"bytes */{len(data)}")
                handler.send_header("Content-Length", "0")
                handler.end_headers()
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            handler.send_response(200)
        handler.send_header("Content-Type", mime)
        for key, value in {"ETag": etag, "Last-Modified": modified, **(headers or {})}.items():
            if value is not None:
                handler.send_header(key, value)
        if chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        else:
            handler.send_header("Content-Length", str(len(data) - start if length is None else length))
        handler.end_headers()
        stop = min((at for at in (cut_at, stall_at) if at is not None), default=len(data))
        payload = data[start : max(start, stop)]
        if chunked:
            payload = b"%x\r\n%s\r\n" % (len(payload), payload) + (b"" if cut_at is not None else b"0\r\n\r\n")
        handler.wfile.write(payload)
        handler.wfile.flush()
        if stall_at is not None:
            server.closing.wait(30)
        handler.close_connection = True

    return step


def status(code: int, *, body: bytes = b"", mime: str = "text/plain", **headers: str) -> Step:
    """A response with a status; ``_`` in a header's name becomes ``-``."""

    def step(handler: BaseHTTPRequestHandler, server: FaultServer) -> None:
        handler.send_response(code)
        for key, value in headers.items():
            handler.send_header(key.replace("_", "-"), value)
        handler.send_header("Content-Type", mime)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return step


def redirect(location: str, code: int = 302) -> Step:
    return status(code, Location=location)


def hang_up() -> Step:
    """Close the connection without a response."""

    def step(handler: BaseHTTPRequestHandler, server: FaultServer) -> None:
        handler.connection.close()
        handler.close_connection = True

    return step


def drive_page(action: str) -> bytes:
    """Drive's page for files that are too large to scan: a form on one line with the token in hidden fields."""
    return (
        "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
        f'<form id="download-form" action="{action}" method="get">'
        '<input type="hidden" name="id" value="FILEID"/><input type="hidden" name="export" value="download"/>'
        '<input type="hidden" name="confirm" value="t"/><input type="hidden" name="uuid" value="u-1"/>'
        "</form></body></html>"
    ).encode()


QUOTA_PAGE = (
    b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>\n"
    b'<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>\n'
    b'<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p>\n'
    b"</body></html>"
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FaultServer

    def do_GET(self) -> None:
        self.owner.log.append((self.path, dict(self.headers)))
        steps = self.owner.routes.get(self.path.partition("?")[0], [status(404)])
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        with contextlib.suppress(ConnectionError):
            step(self, self.owner)

    def log_message(self, *args: object) -> None:
        pass


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, address: object) -> None:
        pass  # clients hang up on purpose


@contextlib.contextmanager
def running(*, certificate: tuple[Path, Path] | None = None) -> Iterator[FaultServer]:
    """Run a server on a free port of 127.0.0.1; with a ``(certificate, key)`` it uses HTTPS."""
    handler = type("Handler", (_Handler,), {})
    http = _Quiet(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        http.socket = context.wrap_socket(http.socket, server_side=True)
    server = FaultServer(http, "https" if certificate else "http")
    handler.owner = server
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        http.shutdown()
        http.server_close()
        thread.join(5)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1 and its key; skip the test without the openssl command."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is missing")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
