"""A simulated fibre beside which earthquakes happen: P and S waves as strain rate along it, with noise of the ground.

What matters for locating is in it: a fibre that is nearly straight, so that both sides look alike; strain that is
least where P comes from the side (squared cosine of the angle between way and fibre); arrivals that are early or late
together on neighbouring channels, for they see the same ground; noise that neighbours share, stronger in some places.
Not modelled: gauge length, optical noise and fading, surface waves, focal mechanisms.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfilt

from seisvision.data.fibre.record import FibreRecord
from seisvision.data.fibre.sets import COMPONENT, channel_rows
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.earth.unit_vectors import coordinates_deg, geodesic, moved, unit_vectors
from seisvision.errors import ConfigurationError

START_NS = 1_672_531_200_000_000_000
DAY_NS = 86_400_000_000_000
MIDDLE_DEG = (32.2, 130.7)
S_OVER_P, S_DELAY = 3.0, 1.7
SIDEWAYS = 0.05
"""Share of P that is left from the side: the ground scatters."""
REFERENCE = (2.5, 30.0)
"""Magnitude and distance (km) at which P along the fibre has ``signal`` times the noise."""


@dataclass(frozen=True)
class FibreParameters:
    """What is simulated.

    Attributes:
        n_events: earthquakes.
        length_km: of the fibre.
        n_channels: evenly spaced.
        bend_km: how far the fibre swings to both sides of a straight line; 0 cannot tell them apart.
        reach_km: epicentres lie this close to the middle of the fibre.
        depth_km: least and greatest depth.
        magnitude: least and greatest.
        signal: amplitude of P over noise of a magnitude 2.5 at 30 km.
        delay_s: standard deviation of what the ground beneath a channel delays arrivals.
        correlation_km: along the fibre, of these delays.
        rate_hz, length_s, lead_s: of the recordings; the lead is before the origin time.
        seed: of everything random.
    """

    n_events: int = 15
    length_km: float = 120.0
    n_channels: int = 800
    bend_km: float = 3.0
    reach_km: float = 80.0
    depth_km: tuple[float, float] = (5.0, 30.0)
    magnitude: tuple[float, float] = (2.5, 5.0)
    signal: float = 8.0
    delay_s: float = 0.05
    correlation_km: float = 1.5
    rate_hz: float = 100.0
    length_s: float = 30.0
    lead_s: float = 10.0
    seed: int = 3407

    def __post_init__(self) -> None:
        if self.n_events < 1 or self.n_channels < 3 or not self.length_km > 0:
            raise ConfigurationError("a simulated fibre needs an event, three channels and a length in km.")
        for name in ("depth_km", "magnitude"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ConfigurationError(f"{name}=({low}, {high}) does not rise.")


def crust() -> TravelTimes:
    """Travel times of the simulation: a crust whose velocities rise by small steps."""
    top = np.arange(0.0, 36.0, 1.0)
    vp = 5.2 + 2.0 * (1 - np.exp(-top / 12))
    return TravelTimes.layered(top.tolist(), vp.tolist(), (vp / 1.74).tolist(), max_distance_km=300, max_depth_km=60)


def channel_places(parameters: FibreParameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Way along the fibre (C,) in km, latitudes and longitudes; it runs north and swings once to either side."""
    along = np.linspace(0, parameters.length_km, parameters.n_channels)
    east = parameters.bend_km * np.sin(2 * np.pi * along / parameters.length_km)
    return along, *_places(np.stack([east, along - parameters.length_km / 2], 1))


def _places(place_km: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = unit_vectors(*(torch.tensor([value], dtype=torch.float64) for value in MIDDLE_DEG))
    east, north = torch.as_tensor(place_km).unbind(1)
    latitude, longitude = coordinates_deg(moved(middle.expand(len(place_km), 3), north, east))
    return latitude.numpy(), longitude.numpy()


def simulated_event(
    parameters: FibreParameters, times: TravelTimes, number: int, place_km: tuple[float, float] | None = None
) -> tuple[FibreRecord, dict[str, Any], np.ndarray]:
    """Recording, columns of the source and true P times (C,) after the first sample of one event.

    Args:
        parameters: what is simulated.
        times: travel times of the crust.
        number: of the event.
        place_km: east and north of the middle of the fibre; None draws it.
    """
    p, rng = parameters, np.random.default_rng([parameters.seed, number])
    along_km, latitude, longitude = channel_places(p)
    turn, far = rng.uniform(0, 2 * np.pi), p.reach_km * np.sqrt(rng.uniform())
    place = np.array(place_km if place_km is not None else (far * np.sin(turn), far * np.cos(turn)), float)
    depth, magnitude = rng.uniform(*p.depth_km), rng.uniform(*p.magnitude)
    source = [values[0] for values in _places(place[None])]
    way = geodesic(
        unit_vectors(torch.tensor(source[:1]), torch.tensor(source[1:])),
        unit_vectors(torch.as_tensor(latitude), torch.as_tensor(longitude)),
    )
    distance = way.distance_km
    deep, zero = torch.full_like(distance, depth), torch.zeros_like(distance)
    spacing = p.length_km / (p.n_channels - 1)
    delay = gaussian_filter1d(rng.standard_normal(p.n_channels), p.correlation_km / spacing / 1.5, mode="reflect")
    delay *= p.delay_s / max(delay.std(), 1e-12)
    arrived = []
    for wave in (0, 1):
        travel = times.times_s(torch.full_like(zero, wave, dtype=torch.long), deep, distance, zero)[0].numpy()
        arrived.append(p.lead_s + travel + S_DELAY**wave * delay)
    length = np.hypot(distance.numpy(), depth)
    tangent = np.gradient(
        np.stack([np.asarray(latitude), np.asarray(longitude) * np.cos(np.radians(MIDDLE_DEG[0]))], 1), axis=0
    )
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    cosine = (way.north.numpy() * tangent[:, 0] + way.east.numpy() * tangent[:, 1]) * distance.numpy() / length
    size = p.signal * 10 ** (magnitude - REFERENCE[0]) * (REFERENCE[1] / length) ** 1.3
    radiation = (SIDEWAYS + (1 - SIDEWAYS) * cosine**2, S_OVER_P * (SIDEWAYS + np.abs(cosine) * np.sqrt(1 - cosine**2)))
    samples = _noise(p, rng)
    for wave in (0, 1):
        samples += (size * radiation[wave])[:, None] * _wave(p, rng, arrived[wave])
    columns = {
        "source_type": "earthquake",
        "source_origin_time": _iso(START_NS + number * DAY_NS + round(p.lead_s * 1e9)),
        "source_latitude_deg": round(float(source[0]), 6),
        "source_longitude_deg": round(float(source[1]), 6),
        "source_depth_km": round(float(depth), 3),
        "source_magnitude": round(float(magnitude), 3),
    }
    start_ns = START_NS + number * DAY_NS
    record = FibreRecord(
        samples.astype(np.float32), 1000 * along_km, latitude, longitude, p.rate_hz, start_ns, "noise of one"
    )
    return record, columns, arrived[0]


def _noise(p: FibreParameters, rng: np.random.Generator) -> np.ndarray:
    """Noise (C, T) of rms one: half of its power shared by neighbours, and up to three times as strong in places."""
    shape = p.n_channels, round(p.length_s * p.rate_hz)
    own, shared = rng.standard_normal(shape), gaussian_filter1d(rng.standard_normal(shape), 3, axis=0)
    noise = own + shared / shared.std()
    noise = sosfilt(
        butter(2, (1.0, min(30.0, 0.45 * p.rate_hz)), "bandpass", fs=p.rate_hz, output="sos"), noise, axis=1
    )
    strength = np.exp(0.4 * gaussian_filter1d(rng.standard_normal(p.n_channels), 5) * 5)
    return noise / noise.std() * strength[:, None].clip(1 / 3, 3)


def _wave(p: FibreParameters, rng: np.random.Generator, arrival_s: np.ndarray) -> np.ndarray:
    """Band-limited motion (C, T) of peak about one that sets in at the arrivals and decays, alike on neighbours."""
    n = round(p.length_s * p.rate_hz)
    carrier = rng.standard_normal(2 * n)
    carrier = sosfilt(butter(2, (2.0, min(12.0, 0.4 * p.rate_hz)), "bandpass", fs=p.rate_hz, output="sos"), carrier)[n:]
    since = np.arange(n) / p.rate_hz - arrival_s[:, None]
    envelope = np.where(since >= 0, (1 - np.exp(-since.clip(0) / 0.05)) * np.exp(-since.clip(0) / 4), 0.0)
    place = (since.clip(0) * p.rate_hz).astype(int).clip(0, n - 1)
    return envelope * carrier[place] / carrier.std()


def synthesise_fibre(parameters: FibreParameters, path: str | Path) -> Path:
    """Write the set that ``parameters`` describe to ``path``, which appears when it is complete.

    Raises:
        DataError: the set exists already.
    """
    times = crust()
    card = {
        "name": "simulated fibre",
        "description": __doc__ or "",
        "source": "made by this software, no recording; the parameters make it again",
        "licence": "MIT, as the software that makes it",
        "citation": ["Katakami et al. (2025): early warning with a fibre of a railway"],
        "measurement": "strain rate",
        "unit": "multiples of the noise",
        "instrument_response": "none",
        "parameters": asdict(parameters),
    }
    with WaveformSetWriter(path, card=card, component_order=COMPONENT, compression="gzip") as writer:
        for number in range(parameters.n_events):
            record, columns, arrival_s = simulated_event(parameters, times, number)
            rows = channel_rows(record, f"fibre{number:04d}", columns)
            for row, p_s in zip(rows, arrival_s.tolist(), strict=True):
                row["trace_theoretical_p_s"] = round(p_s, 3)
            writer.add_event(rows, record.samples[:, None])
    return Path(path)


def _iso(ns: int) -> str:
    return pd.Timestamp(ns, unit="ns", tz="UTC").strftime("%Y-%m-%dT%H:%M:%S.%fZ")
