"""What happens in a continuous synthetic recording: its stations, its events and the families that repeat."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from seisvision.data.synthesis.geometry import COORDINATE_DECIMALS, EventGeometry
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.geodesics import geodesic
from seisvision.earth.sphere import destination
from seisvision.errors import ConfigurationError
from seisvision.seeding import DEFAULT_SEED, numpy_stream

CENTRE: Final = (38.0, 20.5)
"""Latitude and longitude of the middle of the network."""
FAMILY_KM: Final = 0.4
"""Radius within which the members of a family lie: closer than a location from picks can tell."""
REPEAT_KM: Final = 0.05
"""How far a weak repeat lies from the member of the family that it repeats."""
FAMILY_SHARE: Final = 0.4
"""Of the events that belong to families."""
APART_S: Final = 12.0
"""Least time between two origins."""
EVENT, REPEAT = "event", "repeat"


@dataclass(frozen=True)
class ContinuousParameters:
    """What a continuous recording is made of.

    Attributes:
        n_earthquakes: Earthquakes, with magnitudes of Gutenberg and Richter (b = 1).
        n_repeats: Weak copies of members of families, dealt out among them.
        n_families: Places at which earthquakes come again and again.
        network_size: Stations of the network.
        hours: Length of the recording.
        quiet_hours: Hours of the day without any event.
        sampling_rate_hz: Samples a second.
        radius_km: Of the circle that holds stations and epicentres.
        magnitude: Smallest and largest magnitude of an earthquake.
        repeat_snr: Root mean square of the S wave of a repeat over that of the noise, median of the stations, 1 to
            16 Hz.
        path_spread: Standard deviation of ln of the slowness of each path, which no layered model knows.
        noise_db: Noise relative to levels drawn between Peterson's models.
        n_gaps: Gaps of a station, each of 2 to 15 minutes, at every third station.
        clock_error_s: By how much the clock of one station is late for six hours.
        n_bursts: Short local disturbances a station and hour.
        day: Date of the first day.
        seed: Base seed.

    Raises:
        ConfigurationError: A value is not allowed; the message names it.
    """

    n_earthquakes: int = 200
    n_repeats: int = 40
    n_families: int = 8
    network_size: int = 12
    hours: float = 24.0
    quiet_hours: tuple[int, ...] = (3, 4, 15, 16)
    sampling_rate_hz: float = 50.0
    radius_km: float = 30.0
    magnitude: tuple[float, float] = (1.0, 3.5)
    repeat_snr: float = 1.0
    path_spread: float = 0.02
    noise_db: float = 0.0
    n_gaps: int = 2
    clock_error_s: float = 0.3
    n_bursts: float = 4.0
    day: str = "2024-03-01"
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        """Refuse what makes no recording."""
        limits = {
            "n_earthquakes": (1, 100_000), "n_repeats": (0, 100_000), "n_families": (0, 1000), "network_size": (4, 200),
            "hours": (0.2, 24 * 31), "sampling_rate_hz": (20, 200), "radius_km": (1, 300), "repeat_snr": (0.01, 100),
            "path_spread": (0, 0.2), "noise_db": (-100, 60), "n_gaps": (0, 50), "clock_error_s": (-10, 10),
            "n_bursts": (0, 200),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigurationError(f"--{name.replace('_', '-')} {value:g} is not allowed: give {low} to {high}.")
        if self.n_repeats and not self.n_families:
            raise ConfigurationError("--n-repeats needs families to repeat: give --n-families 1 or more.")
        busy_s = (self.hours - sum(hour < self.hours for hour in self.quiet_hours)) * 3600
        if (self.n_earthquakes + self.n_repeats) * 2 * APART_S > busy_s:
            raise ConfigurationError(
                f"{self.n_earthquakes + self.n_repeats} events do not fit into {busy_s / 3600:g} h."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def records(self) -> LocalSynthesisParameters:
        """Parameters of the events as the generator of local events takes them: one crust for all."""
        return LocalSynthesisParameters(
            n_events=self.n_earthquakes + self.n_repeats,
            seed=self.seed,
            noise_db=self.noise_db,
            sampling_rate_hz=self.sampling_rate_hz,
            length_s=45.0,
            lead_s=(0.0, 0.0),
            n_stations=(self.network_size, self.network_size),
            offset_range_km=(0.1, 3 * self.radius_km),
            depth_km=(3.0, 14.0),
            magnitude=self.magnitude,
            velocity_spread=0.0,
            vp_vs=(1.73, 1.73),
            path_spread=self.path_spread,
            repeat=0.0,
        )


@dataclass(frozen=True)
class SceneEvent:
    """One event of the recording.

    Attributes:
        event_id: Such as ``event-0007``.
        kind: ``event`` or ``repeat``.
        family: Number, -1 outside of families.
        path: Number of the path effects, which members of a family share.
        origin_s: After the start of the recording.
        latitude_deg, longitude_deg, depth_km: Where.
        magnitude: Of repeats that of the event whose wave they repeat; their own follows from their size.
    """

    event_id: str
    kind: str
    family: int
    path: int
    origin_s: float
    latitude_deg: float
    longitude_deg: float
    depth_km: float
    magnitude: float


@dataclass(frozen=True)
class Scene:
    """Stations (codes, latitudes, longitudes) and events in the order of time."""

    station_code: np.ndarray
    station_latitude_deg: np.ndarray
    station_longitude_deg: np.ndarray
    events: tuple[SceneEvent, ...]

    def geometry(self, event: SceneEvent) -> EventGeometry:
        """The stations as seen from an event, in the order of the network."""
        places = (self.station_latitude_deg, self.station_longitude_deg)
        return EventGeometry(
            event.latitude_deg, event.longitude_deg, self.station_code, *places,
            *geodesic(event.latitude_deg, event.longitude_deg, *places),
        )  # fmt: skip


def draw_scene(parameters: ContinuousParameters) -> Scene:
    """Stations, families and events; the same for the same parameters."""
    rng = numpy_stream(parameters.seed, "continuous/scene")
    stations = _about(CENTRE, parameters.radius_km, parameters.network_size, rng)
    codes = np.array([f"C{number + 1:03d}" for number in range(parameters.network_size)])
    homes = _about(CENTRE, 0.7 * parameters.radius_km, parameters.n_families, rng)
    home_depth_km = rng.uniform(4, 12, parameters.n_families)
    n = parameters.n_earthquakes + parameters.n_repeats
    origins = _origins(parameters, n, rng)
    kinds = rng.permutation([EVENT] * parameters.n_earthquakes + [REPEAT] * parameters.n_repeats)
    n_shared = round(FAMILY_SHARE * parameters.n_earthquakes) if parameters.n_families else 0
    deal = rng.permutation(parameters.n_earthquakes)
    events, n_repeats = [], 0
    members: dict[int, tuple[float, float, float]] = {}
    for number, (kind, origin_s) in enumerate(zip(kinds, origins, strict=True)):
        family = -1
        if kind == REPEAT:
            family, n_repeats = n_repeats % parameters.n_families, n_repeats + 1
        elif (place := int(deal[number - n_repeats])) < n_shared:
            family = place % parameters.n_families
        if family < 0:
            latitude, longitude = (float(one[0]) for one in _about(CENTRE, 0.9 * parameters.radius_km, 1, rng))
            depth_km = float(rng.uniform(*parameters.records.depth_km))
        else:
            home = (float(homes[0, family]), float(homes[1, family]), float(home_depth_km[family]))
            near, reach_km = (home, FAMILY_KM) if kind == EVENT else (members.get(family, home), REPEAT_KM)
            latitude, longitude = (float(one[0]) for one in _about(near[:2], reach_km, 1, rng, 6))
            depth_km = near[2] + float(rng.uniform(-reach_km, reach_km))
            if kind == EVENT:
                members.setdefault(family, (latitude, longitude, depth_km))
        path = number if family < 0 else n + family
        magnitude = _magnitude(parameters.magnitude, rng)
        event_id = f"{kind}-{number:04d}"
        events.append(
            SceneEvent(
                event_id, str(kind), family, path, float(origin_s), latitude, longitude, round(depth_km, 4), magnitude
            )
        )
    return Scene(codes, stations[0], stations[1], tuple(events))


def _about(
    middle: tuple[float, float], radius_km: float, n: int, rng: np.random.Generator, decimals: int = COORDINATE_DECIMALS
) -> np.ndarray:
    """Latitudes and longitudes (2, n), evenly within a circle."""
    distance_deg = np.degrees(radius_km * np.sqrt(rng.uniform(0, 1, n)) / EARTH_RADIUS_KM)
    return np.round(destination(*middle, rng.uniform(0, 360, n), distance_deg), decimals)


def _origins(parameters: ContinuousParameters, n: int, rng: np.random.Generator) -> np.ndarray:
    """Origin times (n,) in order, apart from each other, outside of quiet hours and away from the ends."""
    found: list[float] = []
    while len(found) < n:
        one = float(rng.uniform(60, parameters.hours * 3600 - 120))
        # What begins at the end of an hour is still seen in the next.
        is_quiet = any(int((one + late) / 3600) % 24 in parameters.quiet_hours for late in (0, 60))
        if not is_quiet and all(abs(one - other) >= APART_S for other in found):
            found.append(round(one, 4))
    return np.sort(found)


def _magnitude(limits: tuple[float, float], rng: np.random.Generator) -> float:
    """Of Gutenberg and Richter's law with b = 1, cut off at both ends."""
    low, high = limits
    share = rng.uniform() * (1 - 10 ** (low - high))
    return round(low - float(np.log10(1 - share)), 2)
