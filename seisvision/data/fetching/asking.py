"""From a request to a final answer: turns, pauses, retries."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from seisvision.data.fetching.recipe import Requests
from seisvision.data.fetching.request_log import RequestLog
from seisvision.data.fetching.transport import Answer, Request, send
from seisvision.errors import DataError

OK, SHORT, NO_DATA, RESTRICTED, REFUSED = "ok", "short", "no_data", "restricted", "refused"
THROTTLED, SERVER_ERROR = "throttled", "server_error"
FINAL = (OK, SHORT, NO_DATA, RESTRICTED, REFUSED)
"""Outcomes that asking again would not change; the others may have passed by the next time."""
DEAD_AFTER = 10
"""Requests in a row that fail, each with all its attempts, after which a server counts as dead."""
OUTCOME_OF_STATUS = {
    204: NO_DATA,
    404: NO_DATA,
    401: RESTRICTED,
    403: RESTRICTED,
    429: THROTTLED,
    503: THROTTLED,
}


class Stopped(Exception):  # noqa: N818 - not an error, but the end of a thread whose work is no longer wanted
    """Raised in threads that wait while the whole fetch ends."""


class DamagedBody(Exception):  # noqa: N818 - a verdict on one answer, which is then asked for again
    """Raised by the check of a body that cannot be what the server meant to send."""


Check = Callable[[bytes], tuple[str, str]]
"""Looks at the body of an answer 200; returns ``ok`` or ``short`` with a reason, or raises DamagedBody."""


@dataclass(frozen=True)
class Result:
    """Final answer to a request: ``body`` is empty unless the outcome is ``ok`` or ``short``."""

    outcome: str
    reason: str
    status: int | None = None
    body: bytes = b""


class Gate:
    """Lets requests to one host pass: a few at a time, not too quickly, and none while the server asks to wait."""

    def __init__(self, max_concurrent: int, min_interval_s: float, stop: threading.Event) -> None:
        self._slots = threading.BoundedSemaphore(max_concurrent)
        self._lock = threading.Lock()
        self._min_interval_s = min_interval_s
        self._open_at = 0.0
        self._stop = stop
        self.failed_in_a_row = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the slots. Raises Stopped when the fetch ends while waiting."""
        with self._slots:
            while (wait_s := self._seconds_to_wait()) > 0:
                if self._stop.wait(wait_s):
                    raise Stopped
            if self._stop.is_set():
                raise Stopped
            yield

    def _seconds_to_wait(self) -> float:
        with self._lock:
            now = time.monotonic()
            if self._open_at <= now:
                self._open_at = now + self._min_interval_s
                return 0.0
            return self._open_at - now

    def close_for(self, seconds: float) -> None:
        """Let nothing pass for a while."""
        with self._lock:
            self._open_at = max(self._open_at, time.monotonic() + seconds)


class Asker:
    """Asks until an answer is final, within the limits of :class:`Requests`, and logs every request."""

    def __init__(self, limits: Requests, log: RequestLog, stop: threading.Event) -> None:
        self.limits = limits
        self.log = log
        self.stop = stop
        self._gates: dict[str, Gate] = {}
        self._lock = threading.Lock()

    def gate(self, host: str) -> Gate:
        """The one gate of a host."""
        with self._lock:
            if host not in self._gates:
                self._gates[host] = Gate(self.limits.max_concurrent, self.limits.min_interval_s, self.stop)
            return self._gates[host]

    def ask(self, request: Request, check: Check | None = None) -> Result:
        """Send ``request`` until the answer is final or all attempts have failed.

        A server that answers 429 or 503 with ``Retry-After`` is obeyed: nothing is asked of it meanwhile, and the
        answer does not count as a failure.

        Raises:
            DataError: the server asks to wait for too long, or nothing gets through to it any more.
            Stopped: the fetch ends.
        """
        gate = self.gate(request.host)
        failures, told_to_wait_s = 0, 0.0
        for attempt in count(1):
            answer, result = self._send(gate, request, check, attempt)
            if result.outcome in FINAL:
                gate.failed_in_a_row = 0
                return result
            pause_s = self._back_off_s(failures)
            if result.outcome == THROTTLED and answer.retry_after_s is not None:
                pause_s = max(pause_s, answer.retry_after_s)
                told_to_wait_s += pause_s
                self._check_patience(request, told_to_wait_s, answer.retry_after_s)
            else:
                failures += 1
            if failures >= self.limits.attempts:
                return self._failed(gate, request, result)
            if result.outcome == THROTTLED:
                gate.close_for(pause_s)
            elif self.stop.wait(pause_s):
                raise Stopped
        raise AssertionError("unreachable")

    def _send(self, gate: Gate, request: Request, check: Check | None, attempt: int) -> tuple[Answer, Result]:
        with gate.turn():
            started = self.log.begin(request, attempt)
            answer = send(request, self.limits.of_answer())
        outcome, reason = _judge(answer, check)
        self.log.end(started, answer, outcome, reason)
        body = answer.body if outcome in (OK, SHORT) else b""
        return answer, Result(outcome, reason, answer.status, body)

    def _back_off_s(self, failures: int) -> float:
        """Doubles with every failure; the jitter keeps requests that failed together from coming back together."""
        pause_s = min(self.limits.backoff_s * 2**failures, self.limits.max_wait_s)
        return pause_s * random.uniform(0.5, 1.5)

    def _check_patience(self, request: Request, told_to_wait_s: float, asked_s: float) -> None:
        if told_to_wait_s > self.limits.max_wait_s:
            raise DataError(
                f"{request.server} ({request.host}) asks to wait {asked_s:.0f} s, in all longer than "
                f"requests.max_wait_s={self.limits.max_wait_s:g}; what came is kept, so repeat the command later"
            )

    def _failed(self, gate: Gate, request: Request, result: Result) -> Result:
        gate.failed_in_a_row += 1
        if gate.failed_in_a_row >= DEAD_AFTER:
            raise DataError(
                f"{DEAD_AFTER} requests in a row to {request.server} ({request.host}) failed, {self.limits.attempts} "
                f"times each, the last one: {result.reason}. What came is kept, so repeat the command later"
            )
        return Result(result.outcome, f"{result.reason} ({self.limits.attempts} attempts)", result.status)


def _judge(answer: Answer, check: Check | None) -> tuple[str, str]:
    """Outcome and reason of an answer."""
    if answer.trouble == "too_large":
        return REFUSED, answer.reason
    if answer.trouble:
        return answer.trouble, answer.reason
    status = answer.status
    assert status is not None
    if status == 200:
        try:
            return check(answer.body) if check else (OK, "")
        except DamagedBody as damage:
            return "damaged", str(damage)
    reason = answer.reason or ("no data (204)" if status == 204 else f"status {status}")
    if status in OUTCOME_OF_STATUS:
        return OUTCOME_OF_STATUS[status], reason
    return (SERVER_ERROR if status >= 500 or status in (408, 425) else REFUSED), reason
