"""The page of a review, served to this machine alone.

Who may ask: requests to the loopback, whose ``Host`` is the address that was printed (a name that a stranger's server
gives this machine is another), whose path begins with the token of that address, and, where something is written, whose
``Origin`` is the page itself. A page from elsewhere can therefore neither read nor write, nor can another user of the
machine who does not know the address.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from seisvision.errors import SeisvisionError
from seisvision.reviewing.page import POLICY, live_page
from seisvision.reviewing.session import Session

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
LARGEST_REQUEST = 20_000
"""Bytes of a decision."""
PATIENCE_S = 20
"""A connection that says nothing for so long is closed."""


class ReviewServer(ThreadingHTTPServer):
    """Serves one session on a port of the loopback.

    Args:
        session: what is reviewed.
        port: 0 takes one that is free.

    Attributes:
        address: with the token; whoever knows it may decide.
    """

    daemon_threads = True

    def __init__(self, session: Session, port: int = 0) -> None:
        self.session = session
        self.token = secrets.token_urlsafe(24)
        super().__init__((LOOPBACK, port), _Handler)
        self.hosts = {f"{name}:{self.server_address[1]}" for name in (LOOPBACK, "localhost")}
        self.address = f"http://{LOOPBACK}:{self.server_address[1]}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes its connection is no error; others are told without a traceback on the terminal."""
        log.debug("A request of the review ended early", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version = "seisvision"
    sys_version = ""
    timeout = PATIENCE_S
    # An answer leaves in one piece; in two, the second would wait for the browser to have acknowledged the first.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """The page, where the review stands, or a label."""
        path = self._allowed()
        if path is None:
            return
        if path == "":
            self._send(HTTPStatus.OK, live_page().encode(), "text/html; charset=utf-8")
        elif path == "state":
            self._answer(self.server.session.state)
        elif path.startswith("item/") and path[5:].isdecimal() and len(path) < 20:
            self._answer(lambda: self.server.session.item(int(path[5:])))
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """A decision, or an undo."""
        path = self._allowed()
        if path is None:
            return
        origin = self.headers.get("Origin", "")
        # A browser names the page that asks; a program that names none is no page of ours.
        if origin not in {f"http://{host}" for host in self.server.hosts}:
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        told = self._body()
        if told is None:
            self._refuse(HTTPStatus.BAD_REQUEST)
        elif path == "undo":
            self._answer(self.server.session.undo)
        elif path == "decide":
            words = {key: str(told.get(key, "")) for key in ("verdict", "new", "reason")}
            number = told.get("number")
            if not isinstance(number, int) or isinstance(number, bool):
                self._refuse(HTTPStatus.BAD_REQUEST)
            else:
                self._answer(lambda: self.server.session.decide(number, **words))
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _allowed(self) -> str | None:
        """The path behind the token; None where the request was refused."""
        if self.headers.get("Host", "") not in self.server.hosts:
            self._refuse(HTTPStatus.FORBIDDEN)
            return None
        token, _, path = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self.server.token.encode()):
            self._refuse(HTTPStatus.NOT_FOUND)
            return None
        return path

    def _body(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or not 0 < int(length) <= LARGEST_REQUEST:
            self.close_connection = True
            return None
        if self.headers.get_content_type() != "application/json":
            self.rfile.read(int(length))
            return None
        try:
            told = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            return None
        return told if isinstance(told, dict) else None

    def _answer(self, ask: Any) -> None:
        """What the session says, or in one sentence why it does not."""
        try:
            status, content = HTTPStatus.OK, ask()
        except SeisvisionError as error:
            status, content = HTTPStatus.CONFLICT, {"error": str(error)}
        except OSError as error:
            log.error("A decision was not written: %s", error)
            status, content = HTTPStatus.INSUFFICIENT_STORAGE, {"error": f"Not written: {error.strerror or error}"}
        self._send(status, json.dumps(content, allow_nan=False).encode(), "application/json")

    def _refuse(self, status: HTTPStatus) -> None:
        # What came with a request that is refused was not read, and would be taken for the next one.
        self.close_connection = True
        self._send(status, b"", "text/plain")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", POLICY),
            ("Referrer-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            *((("Connection", "close"),) if self.close_connection else ()),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the address holds the token."""
