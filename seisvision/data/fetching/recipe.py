"""What to ask data centres for, and how, as typed settings read from a small YAML file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seisvision.data.fetching.servers import Server, read_server
from seisvision.data.fetching.transport import Limits
from seisvision.data.importing import recipe as importing
from seisvision.data.importing.recipe import Processing, Quality, Window, build_settings, one_of
from seisvision.data.importing.settings_file import read_settings, understood
from seisvision.earth.constants import KM_PER_DEG, TRAVEL_TIME_MODELS
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.seeding import DEFAULT_SEED

QUERY_SETTINGS = (
    "starttime", "endtime", "minlatitude", "maxlatitude", "minlongitude", "maxlongitude", "latitude", "longitude",
    "minradius", "maxradius", "minradiuskm", "maxradiuskm", "mindepth", "maxdepth", "minmagnitude", "maxmagnitude",
    "magnitudetype", "eventtype", "catalog", "contributor", "eventid", "limit", "offset", "orderby", "updatedafter",
)  # fmt: skip
"""Parameters of fdsnws-event 1.2, with ``eventtype`` and the radii in km that USGS adds."""
"""Those that come with obspy."""
MAX_CONCURRENT = 5
"""What EarthScope allows at most; others ask for less."""


@dataclass(frozen=True)
class EventGroup:
    """Events from one file or one query of an event service.

    Args:
        name: short name, kept in column ``source_dataset``.
        file: QuakeML (or what else obspy reads) or CSV, as for ``seisvision data import``.
        query: parameters of fdsnws-event, such as ``starttime`` and ``minmagnitude``.
        server: data centre that ``query`` goes to; none takes the first of ``servers``.
        source_type: one class name for all events, or a mapping of class names in the catalogue to those in the set.
        id_prefix: put before every event id, so that the ids of several groups differ.
        citation: of the catalogue, kept in the card.
    """

    name: str
    file: str | None = None
    query: dict[str, Any] | None = None
    server: Server | None = None
    source_type: str | dict[str, str | None] | None = None
    id_prefix: str = ""
    citation: str = "not stated"


@dataclass(frozen=True)
class Stations:
    """Which stations and channels are asked for.

    Args:
        file: StationXML with channels, instead of a query of the station service.
        networks: codes, with ``*`` and ``?``.
        codes: station codes, with ``*`` and ``?``.
        channels: band and instrument codes in order of preference; a station gives one of them.
        locations: location codes in order of preference (``""`` or ``"--"`` for the empty one); ``"*"`` for any.
        radius_km: nearest and farthest epicentral distance.
        box_deg: least and greatest latitude, least and greatest longitude; one query serves all events.
        maximum: stations of an event; none for all.
        choice: which, where there are more: ``nearest``, or ``spread`` evenly over the ranks of distance.
    """

    file: str | None = None
    networks: tuple[str, ...] = ("*",)
    codes: tuple[str, ...] = ("*",)
    channels: tuple[str, ...] = ("HH", "BH", "EH")
    locations: tuple[str, ...] = ("*",)
    radius_km: tuple[float, float] | None = None
    box_deg: tuple[float, float, float, float] | None = None
    maximum: int | None = None
    choice: str = "nearest"


@dataclass(frozen=True)
class Span:
    """The part of a recording that is asked for; leave room for tapers and filters around the window of the set.

    Args:
        reference: ``origin``, or ``arrivals`` computed with TauP for each station.
        before_s: start before the origin, or before the first P wave.
        after_s: end after the origin, or after the phase named by ``last``.
        last: with ``arrivals``, ``P``, ``S`` or ``surface`` (waves of ``surface_km_s``).
        surface_km_s: group speed of the slowest surface wave wanted.
        earth_model: TauP model of the arrivals.
    """

    reference: str = "origin"
    before_s: float = 60.0
    after_s: float = 180.0
    last: str = "S"
    surface_km_s: float = 2.5
    earth_model: str = "ak135"


@dataclass(frozen=True)
class Requests:
    """Limits of politeness and patience. They do not change the set.

    Args:
        max_concurrent: requests under way at a host. EarthScope allows 5, IPGP 2.
        min_interval_s: least time between the starts of two requests to a host.
        timeout_s: how long a server may be silent.
        total_s: how long an answer may take in all.
        max_answer_mb: how large an answer may be, in MiB; it is held in memory.
        attempts: failures after which a request is given up.
        backoff_s: pause after the first failure; doubled with each further one, with a jitter of one half.
        max_wait_s: longest pause, and longest that a server may ask to wait before the fetch is put off.
        stations_per_request: stations of an event asked for at once; what then looks incomplete is asked for alone.
    """

    max_concurrent: int = 2
    min_interval_s: float = 0.25
    timeout_s: float = 60.0
    total_s: float = 1800.0
    max_answer_mb: float = 256.0
    attempts: int = 5
    backoff_s: float = 2.0
    max_wait_s: float = 900.0
    stations_per_request: int = 10

    def of_answer(self) -> Limits:
        """What one answer may take."""
        return Limits(self.timeout_s, self.total_s, int(self.max_answer_mb * (1 << 20)))


@dataclass(frozen=True)
class FetchRecipe:
    """What to fetch, and what to make of it; ``processing``, ``quality`` and ``window`` are those of the import.

    Args:
        name: name of the set.
        events: at least one group.
        servers: data centres asked for stations and recordings; a station of several is asked for at the first.
        response: ``none`` (keep counts), ``gain`` or ``remove``; the metadata needed are fetched as well.
        output: ground motion asked of ``response: remove``: VEL, DISP or ACC.
        unit: unit of the recordings where ``response`` is ``none``.
        orientation: ``angles`` of the stations, or ``letters`` (Z, N and E at their word).
        licence: licence of the recordings, kept in the card.
        citation: what to cite for the recordings (networks have DOIs), kept in the card.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    name: str
    events: tuple[EventGroup, ...]
    servers: tuple[Server, ...]
    description: str = ""
    stations: Stations = field(default_factory=Stations)
    span: Span = field(default_factory=Span)
    requests: Requests = field(default_factory=Requests)
    response: str = "none"
    output: str = "VEL"
    unit: str = "counts"
    orientation: str = "angles"
    licence: str = "not stated"
    citation: str = "not stated"
    processing: Processing = field(default_factory=Processing)
    quality: Quality = field(default_factory=Quality)
    window: Window | None = None
    onset_band_hz: tuple[float, float] = (2.0, 12.0)
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        _check(self)
        # The import checks its own settings; better now than after hours of fetching.
        self.import_recipe(["events"] * len(self.events), ["waveforms"], "stations.xml")

    def fingerprint(self) -> str:
        """Short hash of what is asked for and made of it, with the content of the files named."""
        content = importing.content_of(self)
        del content["requests"]
        files = [group.file for group in self.events] + [self.stations.file]
        content["files"] = [hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else None for file in files]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def import_recipe(self, event_files: list[str], waveforms: list[str], stations: str) -> importing.Recipe:
        """Recipe that imports what was fetched: one source per event group."""
        sources = tuple(
            importing.Source(
                name=group.name,
                waveforms=tuple(waveforms),
                events=file,
                stations=stations,
                source_type=group.source_type,
                response=self.response,
                output=self.output,
                unit=self.unit,
                orientation=self.orientation,
                id_prefix=group.id_prefix,
                licence=self.licence,
                citation=f"events: {group.citation}; recordings: {self.citation}",
            )
            for group, file in zip(self.events, event_files, strict=True)
        )
        shared = ("name", "description", "processing", "quality", "window", "onset_band_hz", "seed")
        return importing.Recipe(sources=sources, **{key: getattr(self, key) for key in shared})


def load_recipe(path: str | Path, root: str | None = None, changes: list[str] | None = None) -> FetchRecipe:
    """Read a recipe; ``${root}`` in it stands for ``root``, ``changes`` are ``section.key=value`` settings.

    Raises:
        ConfigurationError: the file is missing or not YAML, or holds an unknown or contradictory setting.
    """
    with understood(path):
        return build_recipe(read_settings(path, root, changes, "conf/fetch"))


def build_recipe(content: Mapping[str, Any]) -> FetchRecipe:
    """Build a recipe from plain containers, as they stand in the YAML file.

    Raises:
        ConfigurationError: an unknown, missing or contradictory setting.
    """
    plain = dict(content)
    for key in ("events", "servers"):
        if not plain.get(key):
            raise ConfigurationError(f"a fetch recipe needs '{key}'; conf/fetch has recipes to start from")
    servers = plain["servers"] if isinstance(plain["servers"], list | tuple) else [plain["servers"]]
    plain["servers"] = tuple(read_server(server, f"servers[{i}]") for i, server in enumerate(servers))
    groups = plain["events"] if isinstance(plain["events"], list | tuple) else [plain["events"]]
    plain["events"] = tuple(_build_group(group, i, plain["servers"][0]) for i, group in enumerate(groups))
    kinds = {"stations": Stations, "span": Span, "requests": Requests}
    for key, kind in (kinds | {"processing": Processing, "quality": Quality, "window": Window}).items():
        if plain.get(key) is not None:
            plain[key] = build_settings(kind, plain[key], key, checks_lists=kind is not Stations)
        elif key != "window":
            plain.pop(key, None)
    return build_settings(FetchRecipe, plain, "recipe")


def _build_group(content: Any, index: int, first: Server) -> EventGroup:
    where = f"events[{index}]"
    if not isinstance(content, Mapping):
        raise ConfigurationError(f"{where} must be a mapping with name and file or query, not {content!r}")
    plain = {"name": f"events{index}"} | dict(content)
    if plain.get("server") is not None:
        plain["server"] = read_server(plain["server"], f"{where}.server")
    group: EventGroup = build_settings(EventGroup, plain, where)
    if (group.file is None) == (group.query is None):
        raise ConfigurationError(f"{where} needs either 'file' or 'query'")
    if group.query is None:
        return group
    if not isinstance(group.query, Mapping) or not group.query:
        raise ConfigurationError(f"{where}.query must be a mapping such as {{starttime: 2020-01-01, minmagnitude: 3}}")
    for key in group.query:
        if key not in QUERY_SETTINGS:
            raise ConfigurationError(
                f"{where}.query has no setting '{key}'. {did_you_mean(str(key), list(QUERY_SETTINGS))}"
            )
    return replace(group, query={key: str(value) for key, value in group.query.items()}, server=group.server or first)


def _check(recipe: FetchRecipe) -> None:
    one_of("orientation", recipe.orientation, ("angles", "letters"))
    names = [group.name for group in recipe.events]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"names of event groups must differ; got {', '.join(names)}")
    _check_files(recipe)
    _check_stations(recipe.stations)
    _check_span(recipe.span, recipe.window)
    limits = recipe.requests
    if type(limits.max_concurrent) is not int or not 1 <= limits.max_concurrent <= MAX_CONCURRENT:
        raise ConfigurationError(
            f"requests.max_concurrent={limits.max_concurrent} must be a whole number from 1 to {MAX_CONCURRENT}, "
            "the most that data centres allow"
        )
    for key in ("attempts", "stations_per_request"):
        value = getattr(limits, key)
        if type(value) is not int or value < 1:
            raise ConfigurationError(f"requests.{key}={value} must be a whole number from 1 on")
    for key in ("timeout_s", "total_s", "max_answer_mb", "backoff_s", "max_wait_s"):
        # Sockets and timers take no more than some years.
        if not 0 < getattr(limits, key) <= 1e8:
            raise ConfigurationError(f"requests.{key}={getattr(limits, key):g} must be positive, and at most 1e8")
    if not 0 <= limits.min_interval_s <= 1e8:
        raise ConfigurationError(f"requests.min_interval_s={limits.min_interval_s:g} must not be negative")


def _check_files(recipe: FetchRecipe) -> None:
    named = {f"events '{group.name}'": group.file for group in recipe.events} | {"stations": recipe.stations.file}
    for what, file in named.items():
        if file is not None and not Path(file).is_file():
            raise ConfigurationError(
                f"file '{file}' of {what} not found; check the path, or name the folder of ${{root}} with --root DIR"
            )


def _check_stations(stations: Stations) -> None:
    for key in ("networks", "codes", "channels", "locations"):
        values = getattr(stations, key)
        if isinstance(values, str) or not values or not all(isinstance(value, str) for value in values):
            hint = "; in YAML, put codes such as NO, 00 and 10 in quotes" if not isinstance(values, str) else ""
            raise ConfigurationError(f"stations.{key}={values!r} must be a list of codes{hint}")
    for code in stations.channels:
        if len(code) != 2:
            raise ConfigurationError(f"stations.channels holds '{code}'; give band and instrument code, such as HH")
    if stations.file is None and (stations.radius_km is None) == (stations.box_deg is None):
        raise ConfigurationError("stations need one of file, radius_km: [least, greatest] and box_deg: [s, n, w, e]")
    one_of("stations.choice", stations.choice, ("nearest", "spread"))
    if stations.maximum is not None and (type(stations.maximum) is not int or stations.maximum < 1):
        raise ConfigurationError(f"stations.maximum={stations.maximum!r} must be a whole number from 1 on, or null")
    radius = stations.radius_km
    if radius is not None and not (_numbers(radius, 2) and 0 <= radius[0] < radius[1] <= 180 * KM_PER_DEG):
        raise ConfigurationError(f"stations.radius_km={radius!r} must be two rising distances in km from 0 to 20015")
    box = stations.box_deg
    if box is not None and not (_numbers(box, 4) and -90 <= box[0] < box[1] <= 90 and -180 <= box[2] < box[3] <= 180):
        raise ConfigurationError(f"stations.box_deg={box!r} must be [south, north, west, east] in degrees")


def _numbers(values: Any, length: int) -> bool:
    return isinstance(values, tuple) and len(values) == length and all(type(value) in (int, float) for value in values)


def _check_span(span: Span, window: Window | None) -> None:
    one_of("span.reference", span.reference, ("origin", "arrivals"))
    one_of("span.last", span.last, ("P", "S", "surface"))
    one_of("span.earth_model", span.earth_model, TRAVEL_TIME_MODELS)
    if span.surface_km_s <= 0:
        raise ConfigurationError(f"span.surface_km_s={span.surface_km_s:g} must be positive")
    if span.reference == "origin" and span.before_s + span.after_s <= 0:
        raise ConfigurationError(f"span ends {span.after_s:g} s after the origin, before it starts; raise span.after_s")
    if window is None or window.reference != "origin" or span.reference != "origin":
        return
    first, last = window.before_s + window.jitter_s, window.length_s - window.before_s + window.jitter_s
    if first > span.before_s + window.max_pad_s or last > span.after_s + window.max_pad_s:
        raise ConfigurationError(
            f"the window reaches from {first:g} s before to {last:g} s after the origin, the span fetched only from "
            f"{span.before_s:g} s to {span.after_s:g} s; raise span.before_s or span.after_s"
        )
