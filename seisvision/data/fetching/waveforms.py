"""Asks for the recordings of a plan and checks what comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from seisvision.data.fetching.asking import NO_DATA, OK, SHORT, Asker, DamagedBody, Result
from seisvision.data.fetching.inventory import iso
from seisvision.data.fetching.parallel import run_jobs
from seisvision.data.fetching.plan import Item
from seisvision.data.fetching.store import Store, Verdict
from seisvision.data.fetching.transport import Request
from seisvision.data.importing.tables.times import NS

SLACK_SAMPLES = 2
"""A recording need not have a sample exactly at either end of the span."""


@dataclass
class Piece:
    """Records of one item in an answer: their bytes, and seconds within the span by channel."""

    records: bytearray = field(default_factory=bytearray)
    covered_s: dict[str, float] = field(default_factory=dict)

    def lacks(self, item: Item) -> str:
        """What is missing of the item, for people; empty when it is complete."""
        parts = []
        for channel, rate_hz in zip(item.channels, item.rates_hz, strict=True):
            covered_s = self.covered_s.get(channel, 0.0)
            slack_s = SLACK_SAMPLES / rate_hz if rate_hz > 0 else 1.0
            if covered_s < item.length_s - slack_s - 1e-3:
                parts.append(f"{channel} {covered_s:.1f} of {item.length_s:.1f} s")
        return ", ".join(parts)


def split_body(body: bytes, items: Iterable[Item]) -> dict[Path, Piece]:
    """Give every record of a miniSEED body to the item that it belongs to; records of none are dropped.

    Raises:
        DamagedBody: empty, no miniSEED, or it ends within a record.
    """
    import pymseed

    if not body:
        raise DamagedBody("an empty body with status 200")
    pieces = {item.path: Piece() for item in items}
    owner = {(item.network, item.station, item.location, channel): item for item in items for channel in item.channels}
    try:
        at = 0
        for record in pymseed.MS3Record.from_buffer(body, unpack_data=True):
            codes = pymseed.sourceid2nslc(record.sourceid)
            item = owner.get(codes)
            if item is not None and record.samprate > 0:
                piece, end_ns = pieces[item.path], record.starttime + round(record.samplecnt / record.samprate * NS)
                inside_ns = min(end_ns, item.end_ns) - max(record.starttime, item.begin_ns)
                piece.records += body[at : at + record.reclen]
                piece.covered_s[codes[3]] = piece.covered_s.get(codes[3], 0.0) + max(0, inside_ns) / NS
            at += record.reclen
    except pymseed.MiniSEEDError as error:
        said = str(error).splitlines()[0]
        raise DamagedBody(f"no whole miniSEED: {said} (byte {at} of {len(body)})") from error
    return pieces


class Downloader:
    """Asks for items, several stations of an event at once, and keeps what comes.

    An answer may break off between two records without any sign. So what is incomplete in an answer to several
    stations is asked for alone, and an incomplete recording is believed when two answers agree on it.
    """

    def __init__(self, store: Store, asker: Asker) -> None:
        self.store = store
        self.asker = asker

    def missing(self, items: Iterable[Item]) -> list[Item]:
        """Items that no final answer is known of."""
        missing = []
        for item in items:
            verdict = self.store.verdict(item.path)
            if not item.path.is_file() and not (verdict is not None and verdict.final):
                missing.append(item)
        return missing

    def fetch(self, items: Iterable[Item], advance: Callable[[int], None]) -> None:
        """Ask for all items that are missing."""
        batches: dict[tuple[str, int, str], list[Item]] = {}
        for item in self.missing(items):
            batches.setdefault((item.server.name, item.group, item.event_id), []).append(item)
        size = self.asker.limits.stations_per_request
        jobs: dict[str, list[Callable[[], int]]] = {}
        for (server, _, _), own in batches.items():
            parts = (own[i : i + size] for i in range(0, len(own), size))
            jobs.setdefault(server, []).extend(partial(self._fetch_batch, part) for part in parts)
        run_jobs(jobs, self.asker.limits.max_concurrent, self.asker.stop, advance)

    def _fetch_batch(self, items: list[Item]) -> int:
        if len(items) == 1:
            self._fetch_alone(items[0], None)
            return 1
        result = self.asker.ask(bulk_request(items), partial(_check, items))
        if result.outcome == NO_DATA:
            for item in items:
                self.store.keep(item.path, result)
            return len(items)
        pieces = split_body(result.body, items) if result.outcome in (OK, SHORT) else {}
        doubtful = []
        # All that is complete first, so that it is safe whatever happens to the rest.
        for item in items:
            piece = pieces.get(item.path)
            if piece is not None and not piece.lacks(item):
                self.store.save(item.path, bytes(piece.records))
            else:
                doubtful.append((item, piece))
        for item, piece in doubtful:
            self._fetch_alone(item, piece)
        return len(items)

    def _fetch_alone(self, item: Item, seen: Piece | None) -> None:
        """Ask for one item until it is complete, or as incomplete as it was before."""
        pieces = [] if seen is None else [seen]
        results: list[Result] = []
        for _ in range(max(2, self.asker.limits.attempts)):
            result = self.asker.ask(single_request(item), partial(_check, [item]))
            if result.outcome != SHORT:
                break
            piece = split_body(result.body, [item])[item.path]
            if any(piece.covered_s == other.covered_s for other in pieces):
                break
            pieces.append(piece)
            results.append(result)
        else:
            # Answers that never agree: the one with most in it.
            result = max(results, key=lambda each: len(each.body))
        self._keep_alone(item, result)

    def _keep_alone(self, item: Item, result: Result) -> None:
        if result.outcome in (OK, SHORT):
            piece = split_body(result.body, [item])[item.path]
            if not any(piece.covered_s.values()):
                verdict = Verdict(NO_DATA, "the answer holds nothing of these channels in the span", result.status)
                self.store.save_verdict(item.path, verdict)
                return
            result = Result(result.outcome, result.reason, result.status, bytes(piece.records))
        self.store.keep(item.path, result)


def _check(items: list[Item], body: bytes) -> tuple[str, str]:
    pieces = split_body(body, items)
    lacking = [(item, lacks) for item in items if (lacks := pieces[item.path].lacks(item))]
    if not lacking:
        return OK, ""
    return SHORT, "; ".join(f"{item.network}.{item.station} {lacks}" for item, lacks in lacking)


def single_request(item: Item) -> Request:
    """GET request for one item."""
    asked = {
        "network": item.network,
        "station": item.station,
        "location": item.location or "--",
        "channel": ",".join(item.channels),
        "starttime": iso(item.begin_ns),
        "endtime": iso(item.end_ns),
    }
    url = f"{item.server.url('dataselect')}?{urlencode(asked, safe=',:')}"
    return Request(item.server.name, "dataselect", url)


def bulk_request(items: list[Item]) -> Request:
    """POST request for several items of one server."""
    lines = [
        f"{item.network} {item.station} {item.location or '--'} {channel} {iso(item.begin_ns)} {iso(item.end_ns)}"
        for item in items
        for channel in item.channels
    ]
    return Request(items[0].server.name, "dataselect", items[0].server.url("dataselect"), "\n".join(lines) + "\n")
