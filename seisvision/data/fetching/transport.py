"""One HTTP request to a data centre and its answer."""

from __future__ import annotations

import email.utils
import http.client
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import seisvision

AGENT = f"seisvision/{seisvision.__version__}"
LONGEST_REASON = 300


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
        trouble: ``timeout``, ``connection`` or ``truncated`` where the connection failed, else empty.
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


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects within the host only: nothing is asked of a server that the recipe does not name."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).hostname != urlsplit(req.full_url).hostname:
            said = f"redirects to {urlsplit(newurl).hostname}, which the recipe does not name"
            raise urllib.error.HTTPError(req.full_url, code, said, headers, None)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def send(request: Request, timeout_s: float) -> Answer:
    """Ask once. Failures are answers too; nothing is raised. ``timeout_s`` is how long the server may be silent."""
    begun = time.monotonic()
    data = None if request.body is None else request.body.encode()
    asked = urllib.request.Request(request.url, data, {"User-Agent": AGENT})

    def answer(status: int | None, body: bytes = b"", n_bytes: int | None = None, **more: Any) -> Answer:
        received = len(body) if n_bytes is None else n_bytes
        return Answer(status, body, received, round(time.monotonic() - begun, 3), **more)

    try:
        with urllib.request.build_opener(_SameHost).open(asked, timeout=timeout_s) as response:
            # Read as a whole, so that a body shorter than announced raises IncompleteRead.
            return answer(response.status, response.read())
    except urllib.error.HTTPError as error:
        text = _read_all(error)
        said = _said(text) or f"{error.code} {error.reason}"
        wait_s = retry_after_s(error.headers.get("Retry-After")) if error.headers else None
        return answer(error.code, n_bytes=len(text), reason=said, retry_after_s=wait_s)
    except http.client.IncompleteRead as error:
        missing = "" if error.expected is None else f", {error.expected} more were announced"
        said = f"broke off after {len(error.partial)} bytes{missing}"
        return answer(200, n_bytes=len(error.partial), trouble="truncated", reason=said)
    except (OSError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, TimeoutError):
            return answer(None, trouble="timeout", reason=f"silent for {timeout_s:g} s")
        said = " ".join(str(cause).split()) or type(cause).__name__
        return answer(None, trouble="connection", reason=f"no connection: {said}"[:LONGEST_REASON])


def _read_all(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read()
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
