"""Stations from a file or from station services."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from seisvision.data.fetching.asking import Asker
from seisvision.data.fetching.events import GroupEvents, xml_check
from seisvision.data.fetching.parallel import run_jobs
from seisvision.data.fetching.recipe import FetchRecipe
from seisvision.data.fetching.servers import Server
from seisvision.data.fetching.spans import Spans
from seisvision.data.fetching.store import Store, Verdict
from seisvision.data.fetching.transport import Request
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.times import format_ns
from seisvision.earth.constants import KM_PER_DEG
from seisvision.errors import DataError

STATIONS_PER_RESPONSE_REQUEST = 20
CHECK = xml_check("FDSNStationXML")


@dataclass(frozen=True)
class Query:
    """A question to the station service of ``server`` whose answer belongs at ``path``."""

    server: Server
    request: Request
    path: Path


class StationBook:
    """What the station services (or the file) say, one answer per event or one for all."""

    def __init__(self, recipe: FetchRecipe, store: Store, asker: Asker) -> None:
        self.recipe, self.store, self.asker = recipe, store, asker
        self.spans = Spans(recipe.span)
        self._shared: dict[Path, Any] = {}

    def ask(self, groups: list[GroupEvents], progress: Any) -> None:
        """Ask for all stations of all events that were not asked for before."""
        if self.recipe.stations.file is not None:
            return
        queries: dict[Path, Query] = {}
        for event in _timed(groups):
            with suppress(Refusal):  # told when the stations of the event are chosen
                queries |= {query.path: query for query in self.queries(event, groups)}
        self._ask_all(queries.values(), progress)

    def _ask_all(self, queries: Iterable[Query], progress: Any) -> None:
        jobs: dict[str, list[Any]] = {}
        for query in queries:
            job = partial(self.store.ask_once, self.asker, query.request, query.path, CHECK)
            jobs.setdefault(query.server.name, []).append(job)
        with progress("asking for stations", sum(len(own) for own in jobs.values())) as advance:
            run_jobs(jobs, self.recipe.requests.max_concurrent, self.asker.stop, lambda _: advance(1))

    def queries(self, event: dict[str, Any], groups: list[GroupEvents]) -> list[Query]:
        """The questions whose answers list the stations of an event, one per server.

        Raises:
            Refusal: the event has no time or no place.
        """
        stations = self.recipe.stations
        if stations.radius_km is None:
            assert stations.box_deg is not None
            keys = ("minlatitude", "maxlatitude", "minlongitude", "maxlongitude")
            where = dict(zip(keys, stations.box_deg, strict=True))
            begin_ns, end_ns = self._whole_span(groups)
        else:
            where, (begin_ns, end_ns) = self._circle(event), self.spans.widest(event, stations.radius_km[1])
        return [self._query(server, where, begin_ns, end_ns) for server in self.recipe.servers]

    def _circle(self, event: dict[str, Any]) -> dict[str, float]:
        latitude, longitude = event["source_latitude_deg"], event["source_longitude_deg"]
        if not abs(latitude + longitude) < float("inf"):
            raise Refusal("event", "no_place", "has no coordinates to look for stations around")
        assert self.recipe.stations.radius_km is not None
        least, greatest = (distance / KM_PER_DEG for distance in self.recipe.stations.radius_km)
        # Services measure on a sphere; the exact distances are compared afterwards.
        radii = {"minradius": round(least * 0.99, 4), "maxradius": round(min(greatest * 1.01, 180.0), 4)}
        return {"latitude": latitude, "longitude": (longitude + 180) % 360 - 180} | radii

    def _whole_span(self, groups: list[GroupEvents]) -> tuple[int, int]:
        spans = [self.spans.widest(event, 180 * KM_PER_DEG) for event in _timed(groups)]
        return min(begin for begin, _ in spans), max(end for _, end in spans)

    def _query(self, server: Server, where: dict[str, float], begin_ns: int, end_ns: int) -> Query:
        stations = self.recipe.stations
        asked = {
            "network": ",".join(stations.networks),
            "station": ",".join(stations.codes),
            "channel": ",".join(f"{code}?" for code in stations.channels),
            "starttime": iso(begin_ns),
            "endtime": iso(end_ns),
        }
        return self._station_request(server, asked | where, "channel", "stations")

    def _station_request(self, server: Server, asked: dict[str, Any], level: str, name: str) -> Query:
        url = f"{server.url('station')}?{urlencode(asked | {'level': level, 'format': 'xml'}, safe=',:*?')}"
        request = Request(server.name, "station", url)
        return Query(server, request, self.store.path("stations", name, str(request), "xml"))

    def inventories(self, event: dict[str, Any], groups: list[GroupEvents]) -> Iterator[tuple[Server, Any]]:
        """What each server knows of the stations of an event.

        Raises:
            Refusal: no server gave a list of stations.
        """
        if self.recipe.stations.file is not None:
            yield self.recipe.servers[0], self._read(Path(self.recipe.stations.file), shared=True)
            return
        verdicts: list[Verdict] = []
        for query in self.queries(event, groups):
            verdict = self.store.verdict(query.path)
            if query.path.is_file():
                yield query.server, self._read(query.path, shared=self.recipe.stations.radius_km is None)
            elif verdict is not None:
                verdicts.append(verdict)
        if len(verdicts) == len(self.recipe.servers):
            outcomes = sorted({verdict.outcome for verdict in verdicts})
            cause = "no_station" if outcomes == ["no_data"] else "stations_" + "_".join(outcomes)
            raise Refusal("event", cause, "no list of stations: " + "; ".join(verdict.reason for verdict in verdicts))

    def _read(self, path: Path, shared: bool) -> Any:
        if path not in self._shared:
            inventory = read_inventory(path)
            if not shared:
                return inventory
            self._shared[path] = inventory
        return self._shared[path]

    def responses(self, chosen: Chosen, progress: Any) -> Path:
        """Ask for the responses of the chosen channels and write them, merged, to one StationXML file.

        Raises:
            DataError: a server does not give them.
        """
        queries = list(self._response_queries(chosen))
        self._ask_all(queries, progress)
        merged = Chosen()
        for query in queries:
            if not query.path.is_file():
                verdict = self.store.verdict(query.path)
                reason = verdict.reason if verdict is not None else "not asked"
                raise DataError(f"responses could not be had from {query.server.name}: {reason}; {query.request}")
            for network in read_inventory(query.path):
                for station in network:
                    wanted = [item for item in station if chosen.has(network, station, item)]
                    merged.add(query.server, network, station, wanted)
        return merged.write(self.store)

    def _response_queries(self, chosen: Chosen) -> Iterator[Query]:
        by_network: dict[tuple[Server, str], dict[str, set[str]]] = {}
        for (server, network, station), codes in sorted(chosen.codes.items(), key=lambda item: str(item[0])):
            by_network.setdefault((server, network), {}).setdefault(station, set()).update(code for _, code in codes)
        for (server, network), stations in by_network.items():
            names = sorted(stations)
            for i in range(0, len(names), STATIONS_PER_RESPONSE_REQUEST):
                part = names[i : i + STATIONS_PER_RESPONSE_REQUEST]
                channels = sorted(set().union(*(stations[name] for name in part)))
                asked = {"network": network, "station": ",".join(part), "channel": ",".join(channels)}
                yield self._station_request(server, asked, "response", "responses")


@dataclass
class Chosen:
    """Channels that were chosen for some event, by server, network and station, with what is known of them."""

    codes: dict[tuple[Server, str, str], set[tuple[str, str]]] = field(default_factory=dict)
    networks: dict[str, Any] = field(default_factory=dict)
    stations: dict[tuple[str, str, str], Any] = field(default_factory=dict)
    channels: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, server: Server, network: Any, station: Any, channels: list[Any]) -> None:
        """Add channels of one epoch of a station, each once."""
        if not channels:
            return
        own = self.codes.setdefault((server, network.code, station.code), set())
        own.update((channel.location_code or "", channel.code) for channel in channels)
        if network.code not in self.networks:
            self.networks[network.code] = _empty(network, "stations")
        key = (network.code, station.code, str(station.start_date))
        if key not in self.stations:
            self.stations[key] = _empty(station, "channels")
            self.networks[network.code].stations.append(self.stations[key])
        for channel in channels:
            name = (*key, channel.location_code or "", channel.code, str(channel.start_date))
            if name not in self.channels:
                self.channels.add(name)
                self.stations[key].channels.append(channel)

    def has(self, network: Any, station: Any, channel: Any) -> bool:
        """Whether a channel was chosen, at whatever time and server."""
        code = (channel.location_code or "", channel.code)
        return any(
            code in codes for (_, net, sta), codes in self.codes.items() if (net, sta) == (network.code, station.code)
        )

    def write(self, store: Store) -> Path:
        """Write everything as ``stations.xml`` of the download folder."""
        from obspy.core.inventory import Inventory

        path, text = store.folder / "stations.xml", io.BytesIO()
        Inventory(list(self.networks.values()), source="seisvision").write(text, "STATIONXML")
        store.save(path, text.getvalue())
        return path


def _empty(item: Any, children: str) -> Any:
    shell = copy.copy(item)
    setattr(shell, children, [])
    return shell


def _timed(groups: list[GroupEvents]) -> Iterator[dict[str, Any]]:
    """Events with an origin time."""
    for group in groups:
        yield from (event for event in group.events.values() if event.get("source_origin_time"))


def read_inventory(path: Path) -> Any:
    """Read a station file.

    Raises:
        DataError: it is none.
    """
    import obspy

    try:
        return obspy.read_inventory(io.BytesIO(path.read_bytes()))
    except Exception as error:  # obspy raises whatever the parser of each format raises
        raise DataError(f"{path} is no station file obspy can read: {str(error).splitlines()[0]}") from error


def iso(ns: int) -> str:
    """Time as data centres read it, to the microsecond."""
    return format_ns(ns).rstrip("Z")
