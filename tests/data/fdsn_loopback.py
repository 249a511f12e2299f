"""An FDSN data centre on the loopback: the real dataselect server behind a proxy that can misbehave and takes notes."""

from __future__ import annotations

import io
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from obspy import Catalog, Stream, UTCDateTime
from obspy.core.event import Event, Magnitude, Origin, ResourceIdentifier
from obspy.core.inventory import Channel, Inventory, Network, Site, Station
from obspy.core.inventory.response import InstrumentSensitivity, Response
from recorded_trees import origin, trace

GAIN = 1000.0
BEGUN = UTCDateTime(2015, 1, 1)


def catalogue(n_events: int) -> Catalog:
    """Events ev0, ev1, ... an hour and a tenth of a degree apart, as :mod:`recorded_trees` records them."""
    return Catalog(
        [
            Event(
                resource_id=ResourceIdentifier(f"smi:loopback/query?eventid=ev{i}"),
                event_type="earthquake" if i % 2 == 0 else "explosion",
                origins=[Origin(time=origin(i), latitude=46.0 + 0.1 * i, longitude=-122.0, depth=5000.0)],
                magnitudes=[Magnitude(mag=1.0 + 0.1 * i)],
            )
            for i in range(n_events)
        ]
    )


def inventory(stations: dict[str, tuple[str, ...]]) -> Inventory:
    """Stations in a row east of the first event, each with the channels named."""
    return Inventory(
        [
            Network(
                "XX",
                [
                    Station(
                        name,
                        46.0,
                        -121.9 + 0.1 * i,
                        100.0,
                        site=Site("loopback"),
                        creation_date=BEGUN,
                        start_date=BEGUN,
                        channels=[_channel(code, -121.9 + 0.1 * i) for code in codes],
                    )
                    for i, (name, codes) in enumerate(stations.items())
                ],
            )
        ],
        source="loopback",
    )


def _channel(code: str, longitude: float) -> Channel:
    azimuth, dip = {"Z": (0.0, -90.0), "N": (0.0, 0.0), "E": (90.0, 0.0)}[code[-1]]
    sensitivity = InstrumentSensitivity(GAIN, 1.0, "M/S", "COUNTS")
    return Channel(
        code, "", 46.0, longitude, 100.0, 0.0, azimuth=azimuth, dip=dip, sample_rate=50.0, start_date=BEGUN,
        response=Response(instrument_sensitivity=sensitivity),
    )  # fmt: skip


def record(n_events: int, stations: dict[str, tuple[str, ...]], length_s: float = 240.0) -> list[Any]:
    """Every channel of every station at every event, from 40 s before the origin."""
    return [
        trace(event, name, code, onset_s=5.0 + i, length_s=length_s)
        for event in range(n_events)
        for i, (name, codes) in enumerate(stations.items())
        for code in codes
    ]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class DataselectServer:
    """portable-fdsnws-dataselect serving traces, one file per station, from ``folder``."""

    def __init__(self, folder: Path, traces: list[Any]) -> None:
        binaries = Path(sys.executable).parent
        found = [shutil.which(name, path=str(binaries)) for name in ("portable-fdsnws-dataselect", "mseedindex")]
        if None in found:
            pytest.skip("portable-fdsnws-dataselect and mseedindex are not installed; pip install 'seisvision[fdsn]'")
        server, index = [str(path) for path in found]
        (folder / "archive").mkdir(parents=True)
        for name in sorted({item.stats.station for item in traces}):
            own = Stream([item for item in traces if item.stats.station == name])
            own.write(str(folder / "archive" / f"{name}.mseed"), format="MSEED", reclen=512)
        files = sorted(str(path) for path in (folder / "archive").iterdir())
        subprocess.run([index, "-sqlite", str(folder / "ts.sqlite"), *files], check=True, capture_output=True)
        with sqlite3.connect(folder / "ts.sqlite") as base:
            # The server takes the flag latest=>1 of mseedindex as an offset in bytes, and would cut what follows.
            flag = "replace(timeindex, 'latest=>1', 'latest=>' || (byteoffset + bytes))"
            base.execute(f"update tsindex set timeindex = {flag}")
        self.port = free_port()
        (folder / "server.ini").write_text(
            f"[index_db]\npath={folder / 'ts.sqlite'}\ntable=tsindex\nsummary_table=tsindex_summary\n"
            f"[server]\ninterface=127.0.0.1\nport={self.port}\n"
        )
        subprocess.run([server, "-i", str(folder / "server.ini")], check=True, capture_output=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([server, str(folder / "server.ini")], **quiet)
        self.url = f"http://127.0.0.1:{self.port}"
        self._wait()

    def _wait(self) -> None:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{self.url}/fdsnws/dataselect/1/version", timeout=5).read()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the dataselect server did not start")

    def close(self) -> None:
        """End the server."""
        self.process.terminate()
        self.process.wait(10)


@dataclass
class Seen:
    """One request as the proxy saw it: ``lines`` are the selections asked for, ``delivered`` a whole answer."""

    service: str
    method: str
    lines: tuple[str, ...]
    status: int = 0
    delivered: bool = False
    n_bytes: int = 0


Fault = Callable[["Seen", int], Any]
"""From a request and the number of earlier ones for the same selection to a misbehaviour, or None.

A number is a status; (status, {header: value}) a status with headers; ``hang`` stays silent; ``cut`` breaks off in a
record, ``cut_announced`` after a promise of more bytes, ``cut_at_record`` between records, ``keep 3`` after three of
them; ``garbage`` is no miniSEED.
"""


@dataclass
class DataCentre:
    """Station and event services of its own, and a dataselect service that forwards to a real server."""

    dataselect: DataselectServer
    inventory: Inventory
    events: Catalog
    fault: Fault = lambda seen, before: None
    delay_s: float = 0.0
    hang_s: float = 1.5
    seen: list[Seen] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        centre = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *words: Any) -> None:
                pass

            def do_GET(self) -> None:
                centre.answer(self, None)

            def do_POST(self) -> None:
                centre.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Clients that were killed hang up; that is what is tested."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """End the proxy."""
        self.server.shutdown()
        self.server.server_close()

    def requests(self, service: str = "dataselect") -> list[Seen]:
        """What was asked of one service."""
        return [seen for seen in self.seen if seen.service == service]

    def deliveries(self) -> dict[str, int]:
        """How often each selection was delivered whole."""
        counts: dict[str, int] = {}
        for seen in self.requests():
            for line in seen.lines if seen.delivered else ():
                counts[line] = counts.get(line, 0) + 1
        return counts

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes | None) -> None:
        """Serve one request."""
        parts = urlsplit(handler.path)
        service = parts.path.split("/")[2]
        query = {key: value[0] for key, value in parse_qs(parts.query).items()}
        method = "GET" if body is None else "POST"
        lines = _selections(query) if body is None else tuple(body.decode().splitlines())
        seen = Seen(service, method, lines)
        with self._lock:
            before = sum(1 for other in self.seen if (other.service, other.lines) == (service, lines))
            self.seen.append(seen)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            time.sleep(self.delay_s)
            fault = self.fault(seen, before)
            if fault is None or (isinstance(fault, str) and fault.startswith(("cut", "keep"))):
                self._serve(handler, seen, query, body, fault)
            else:
                self._misbehave(handler, seen, fault)
        finally:
            with self._lock:
                self._at_once -= 1

    def _misbehave(self, handler: BaseHTTPRequestHandler, seen: Seen, fault: Any) -> None:
        if fault == "hang":
            time.sleep(self.hang_s)
            return
        if fault == "garbage":
            _send(handler, seen, 200, b"<html>Sorry, maintenance</html>")
            return
        status, headers = fault if isinstance(fault, tuple) else (fault, {})
        text = b"" if status == 204 else f"Error {status}: Stub\n\nThe stub says {status}\n".encode()
        _send(handler, seen, status, text, headers)

    def _serve(
        self, handler: BaseHTTPRequestHandler, seen: Seen, query: dict[str, str], body: bytes | None, fault: Any
    ) -> None:
        if seen.service == "dataselect":
            url = self.dataselect.url + handler.path
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as response:
                status, content = response.status, response.read()
        else:
            found = self._stations(query) if seen.service == "station" else self._events(query)
            status, content = (200, found) if found else (204, b"")
        # Records of 512 bytes.
        kept = {"cut": 512 * (len(content) // 1024) + 100, "cut_at_record": 512 * (len(content) // 1024)}
        if fault == "cut_announced":
            _send(handler, seen, status, content[: len(content) // 2], {"Content-Length": str(len(content))})
        elif fault is not None:
            length = kept[fault] if fault in kept else 512 * int(fault.split()[1])
            _send(handler, seen, status, content[:length])
        else:
            # As data centres do, no length is announced: the end of the connection is the end of the body.
            seen.delivered = _send(handler, seen, status, content)

    def _stations(self, query: dict[str, str]) -> bytes:
        chosen = Inventory([], source="loopback")
        options = {key: float(query[key]) for key in query if key.startswith(("min", "max")) or key.endswith("itude")}
        times = {key: UTCDateTime(query[key]) for key in ("starttime", "endtime") if key in query}
        for channel in query.get("channel", "*").split(","):
            for station in query.get("station", "*").split(","):
                network = query.get("network", "*")
                chosen += self.inventory.select(network=network, station=station, channel=channel, **options, **times)
        if not len(chosen):
            return b""
        text = io.BytesIO()
        chosen.write(text, "STATIONXML")
        return text.getvalue()

    def _events(self, query: dict[str, str]) -> bytes:
        rules = {"starttime": "time >=", "endtime": "time <=", "minmagnitude": "magnitude >="}
        found = self.events.filter(*(f"{rule} {query[key]}" for key, rule in rules.items() if key in query))
        if not len(found):
            return b""
        text = io.BytesIO()
        found.write(text, "QUAKEML")
        return text.getvalue()


def _selections(query: dict[str, str]) -> tuple[str, ...]:
    """Selections of a GET request, written like the lines of a POST request."""
    if "channel" not in query:
        return tuple(f"{key}={value}" for key, value in sorted(query.items()))
    codes = [query.get(key, "") for key in ("network", "station", "location")]
    times = [query.get(key, "") for key in ("starttime", "endtime")]
    return tuple(" ".join([*codes, channel, *times]) for channel in query["channel"].split(","))


def _send(
    handler: BaseHTTPRequestHandler, seen: Seen, status: int, content: bytes, headers: dict[str, str] | None = None
) -> bool:
    seen.status, seen.n_bytes = status, len(content)
    handler.send_response(status)
    for key, value in (headers or {}).items():
        handler.send_header(key, value)
    handler.end_headers()
    try:
        handler.wfile.write(content)
        handler.wfile.flush()
    except OSError:
        return False
    return status == 200
