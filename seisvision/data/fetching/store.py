"""The download folder: every answer is kept under the request it answers, so that nothing is asked for twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from seisvision.data.fetching.asking import FINAL, OK, SHORT, Asker, Check, Result
from seisvision.data.fetching.transport import Request
from seisvision.errors import DataError
from seisvision.files import locked, parse_json, whole_file
from seisvision.leftovers import clear_below


@dataclass(frozen=True)
class Verdict:
    """Why there is no answer to a request; ``status`` is that of HTTP, where there was one."""

    outcome: str
    reason: str
    status: int | None = None

    @property
    def final(self) -> bool:
        """Whether asking again would not help."""
        return self.outcome in FINAL


class Store:
    """Files of one download folder; every one appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other fetches out; the system frees the lock even when this process is killed.

        Raises:
            DataError: another fetch works here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            try:
                held.enter_context(locked(self.folder / ".lock", wait=False))
            except BlockingIOError as error:
                raise DataError(f"another fetch is at work in {self.folder}; wait for it or end it") from error
            clear_below(self.folder)
            yield

    def path(self, kind: str, name: str, key: str, suffix: str) -> Path:
        """Where the answer to a request goes; ``key`` is all that the answer depends on."""
        digest = hashlib.sha256(key.encode()).hexdigest()[:10]
        return self.folder / kind / f"{name}.{digest}.{suffix}"

    def save(self, path: Path, body: bytes) -> None:
        """Keep an answer.

        Raises:
            DataError: the disk is full or cannot be written to.
        """
        try:
            with whole_file(path) as partial:
                partial.write_bytes(body)
        except OSError as error:
            raise DataError(
                f"{path} cannot be written: {error.strerror}; mend that and repeat the command, what came is kept"
            ) from error

    def save_verdict(self, path: Path, verdict: Verdict) -> None:
        """Keep why the answer that would be at ``path`` could not be had."""
        self.save(_verdict_path(path), json.dumps(asdict(verdict)).encode())

    def verdict(self, path: Path) -> Verdict | None:
        """Read what :meth:`save_verdict` kept."""
        marker = _verdict_path(path)
        return Verdict(**parse_json(marker.read_bytes())) if marker.is_file() else None

    def ask_once(self, asker: Asker, request: Request, path: Path, check: Check | None = None) -> Verdict | None:
        """Ask for the file ``path`` unless it is there or known not to exist; None says that it is there now."""
        if path.is_file():
            return None
        verdict = self.verdict(path)
        if verdict is not None and verdict.final:
            return verdict
        return self.keep(path, asker.ask(request, check))

    def keep(self, path: Path, result: Result) -> Verdict | None:
        """Keep a final answer, or why there is none."""
        if result.outcome in (OK, SHORT):
            self.save(path, result.body)
            return None
        verdict = Verdict(result.outcome, result.reason, result.status)
        self.save_verdict(path, verdict)
        return verdict


def _verdict_path(path: Path) -> Path:
    return path.with_suffix(".json")
