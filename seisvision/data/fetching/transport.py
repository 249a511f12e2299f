"""One HTTP request to a data centre and its answer."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import seisvision

AGENT = f"seisvision/{seisvision.__version__}"
LONGEST_REASON = 300
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Request:
    """A question to one service.

    Args:
        server: name of the data centre.
        service: dataselect, station or event.
        url: address with its query.
        body: lines of a POST request; None asks with GET.
    """

    server: str
    service: str
    url: str
    body: str | None = None

    @property
    def host(self) -> str:
        """Host and port, which the limits of politeness hold for."""
        return urlsplit(self.url).netloc

    def __str__(self) -> str:
        return self.url if self.body is None else f"POST {self.url} {'; '.join(self.body.splitlines())}"


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: HTTP status; None where there was none.
        body: content of an answer 200.
        n_bytes: bytes received, also of an answer that broke off.
        seconds: from asking to the last byte.
        trouble: ``timeout``, ``connection`` or ``truncated`` where the connection failed, ``too_large`` where the
            answer does not end, else empty.
        reason: what the server or the connection said.
        retry_after_s: how long the server asks to wait.
    """

    status: int | None
    body: bytes
    n_bytes: int
    seconds: float
    trouble: str = ""
    reason: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Limits:
    """What an answer may take.

    Args:
        silent_s: how long the server may be silent.
        total_s: how long the whole answer may take, from asking to the last byte.
        max_bytes: how long it may be.
    """

    silent_s: float
    total_s: float = 1800.0
    max_bytes: int = 1 << 28


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects within the host only: nothing is asked of a server that the recipe does not name."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        said = ""
        if after.hostname != before.hostname:
            said = f"redirects to {after.hostname}, which the recipe does not name"
        elif after.scheme not in (before.scheme, "https") or after.username is not None:
            said = "redirects to an address that is less safe than the one asked"
        if said:
            raise urllib.error.HTTPError(req.full_url, code, said, headers, None)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Deadline:
    """Ends the connections of one request when its time is over, however slowly bytes come."""

    def __init__(self, total_s: float) -> None:
        self.is_over = False
        self._sockets: list[Any] = []
        self._timer = threading.Timer(total_s, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Deadline:
        """Begin to count."""
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop counting."""
        self._timer.cancel()

    def _end(self) -> None:
        self.is_over = True
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def opener(self) -> urllib.request.OpenerDirector:
        """What opens addresses with connections that end in time."""
        deadline = self

        def watched(kind: Any) -> Any:
            class Watched(kind):
                def connect(self) -> None:
                    super().connect()
                    deadline._sockets.append(self.sock)
                    if deadline.is_over:
                        deadline._end()

            return Watched

        class Http(urllib.request.HTTPHandler):
            def http_open(self, req: Any) -> Any:
                return self.do_open(watched(http.client.HTTPConnection), req)

        class Https(urllib.request.HTTPSHandler):
            def https_open(self, req: Any) -> Any:
                return self.do_open(watched(http.client.HTTPSConnection), req)

        return urllib.request.build_opener(_SameHost, Http, Https)


class _TooLargeError(Exception):
    """An answer is longer than allowed."""


def send(request: Request, limits: Limits) -> Answer:
    """Ask once. Failures are answers too; nothing is raised."""
    begun = time.monotonic()
    data = None if request.body is None else request.body.encode()
    asked = urllib.request.Request(request.url, data, {"User-Agent": AGENT})

    def answer(status: int | None, body: bytes = b"", n_bytes: int | None = None, **more: Any) -> Answer:
        received = len(body) if n_bytes is None else n_bytes
        return Answer(status, body, received, round(time.monotonic() - begun, 3), **more)

    with _Deadline(limits.total_s) as deadline:
        late = f"not finished after {limits.total_s:g} s in all (requests.total_s)"
        try:
            with deadline.opener().open(asked, timeout=limits.silent_s) as response:
                body = _body(response, limits.max_bytes)
                if deadline.is_over:
                    return answer(None, n_bytes=len(body), trouble="timeout", reason=late)
                return answer(response.status, body)
        except urllib.error.HTTPError as error:
            text = _read_all(error)
            said = _said(text) or f"{error.code} {error.reason}"
            wait_s = retry_after_s(error.headers.get("Retry-After")) if error.headers else None
            return answer(error.code, n_bytes=len(text), reason=said, retry_after_s=wait_s)
        except _TooLargeError as error:
            return answer(200, n_bytes=limits.max_bytes, trouble="too_large", reason=str(error))
        except http.client.IncompleteRead as error:
            if deadline.is_over:
                return answer(None, n_bytes=len(error.partial), trouble="timeout", reason=late)
            missing = "" if error.expected is None else f", {error.expected} more were announced"
            said = f"broke off after {len(error.partial)} bytes{missing}"
            return answer(200, n_bytes=len(error.partial), trouble="truncated", reason=said)
        except (OSError, http.client.HTTPException, ValueError) as error:
            cause = getattr(error, "reason", error)
            if deadline.is_over:
                return answer(None, trouble="timeout", reason=late)
            if isinstance(cause, TimeoutError):
                return answer(None, trouble="timeout", reason=f"silent for {limits.silent_s:g} s")
            said = " ".join(str(cause).split()) or type(cause).__name__
            return answer(None, trouble="connection", reason=f"no connection: {said}"[:LONGEST_REASON])


def _body(response: Any, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        http.client.IncompleteRead: it is shorter than announced.
        _TooLargeError: it is longer than allowed, or said to be.
    """
    announced = response.length
    said = f"longer than {max_bytes >> 20} MiB (requests.max_answer_mb); ask for less at a time, or raise it"
    if announced is not None and announced > max_bytes:
        raise _TooLargeError(f"the answer is {said}")
    body = bytearray()
    try:
        while block := response.read(BLOCK_BYTES):
            body += block
            if len(body) > max_bytes:
                raise _TooLargeError(f"the answer does not end, it is {said}")
    except http.client.IncompleteRead as error:
        raise http.client.IncompleteRead(bytes(body) + error.partial, error.expected) from error
    if announced is not None and len(body) < announced:
        raise http.client.IncompleteRead(bytes(body), announced - len(body))
    return bytes(body)


def _read_all(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(BLOCK_BYTES)
    except (OSError, http.client.HTTPException, AttributeError, ValueError):
        return b""


def _said(text: bytes) -> str:
    """First two lines of an error page, which in the FDSN form are the status and the reason."""
    plain = re.sub(r"<[^>]*>", " ", text.decode("utf-8", "replace"))
    lines = [" ".join(line.split()) for line in plain.splitlines() if line.strip()]
    return ": ".join(line.rstrip(":") for line in lines[:2])[:LONGEST_REASON]


def retry_after_s(header: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header, given as a number or as a date (RFC 9110, section 10.2.3)."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
