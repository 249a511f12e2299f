"""What a set of local or regional seismograms is made of: settings, their checks and their fingerprint.

Imports nothing heavy, so that the configuration can name a set before it exists.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from seisvision.data.synthesis.parameters import GeneratorParameters
from seisvision.errors import ConfigurationError
from seisvision.seeding import DEFAULT_SEED

LOCAL_GENERATOR_VERSION: Final = "1"
"""Raised whenever the same parameters would give other waveforms; part of every fingerprint."""


@dataclass(frozen=True)
class LocalSynthesisParameters(GeneratorParameters):
    """Everything that decides the content of a set; the defaults are small earthquakes of a volcano.

    Ranges are (smallest, largest) and drawn uniformly, once per event unless said otherwise; lengths, times and
    qualities are drawn uniformly in the logarithm.

    Attributes:
        n_events: Number of events.
        seed: Base seed; event ``i`` depends on the seed and on ``i`` only.
        noise_db: Seismic noise relative to levels drawn between Peterson's low and high noise models, dB.
        sampling_rate_hz: Samples a second.
        length_s: Length of every trace.
        lead_s: Range of the time recorded before the origin time.
        n_stations: Smallest and largest number of stations of an event.
        offset_range_km: Epicentral distances, drawn per station.
        depth_km: Depths of the sources.
        magnitude: Moment magnitudes.
        stress_drop_mpa: Stress drops.
        layer_top_km: Tops of the layers of the crust, the first 0; the last is a half-space.
        vp_km_s: Their P velocities.
        velocity_spread: Standard deviation of ln of a factor on all velocities.
        vp_vs: Ratio of P to S velocity.
        path_spread: Standard deviation of ln of the slowness of each path, P and S apart.
        quality: Q of S waves at 1 Hz.
        quality_exponent: Growth of Q with frequency, Q f^n; 0 is a constant Q.
        kappa_s: Attenuation under the station, drawn per station (Anderson & Hough 1984).
        mean_free_path_km: Distance after which 63 % of the energy is scattered into coda.
        coda_decay_s: Decay time of the coda's amplitude.
        surface_waves: Factor on Rayleigh and Love waves; 0 leaves them out.
        repeat: Probability that the record holds another event of the same place later on.
        swarms: Number of places of 1.5 km that all events come from, around stations that stay and within the largest
            offset; 0: every event lies anywhere, with stations of its own.
        network_km: Radius within which stations stay where they are, those of an event being some of them, drawn anew;
            epicentres lie evenly within that radius, too. 0: every event has stations of its own.
        noise_share: Share of events that are records of noise, of ``source_type`` noise and without a source. With a
            network only.
        band_hz: Corners of the band-pass of zero phase that imported recordings get; ``None`` for none.

    Raises:
        ConfigurationError: A value is not allowed; the message names it.
    """

    n_events: int = 600
    seed: int = DEFAULT_SEED
    noise_db: float = 0.0
    sampling_rate_hz: float = 50.0
    length_s: float = 40.0
    lead_s: tuple[float, float] = (8.0, 12.0)
    n_stations: tuple[int, int] = (12, 12)
    offset_range_km: tuple[float, float] = (1.0, 60.0)
    depth_km: tuple[float, float] = (1.0, 12.0)
    magnitude: tuple[float, float] = (0.5, 3.0)
    stress_drop_mpa: tuple[float, float] = (0.3, 10.0)
    layer_top_km: tuple[float, ...] = (0.0, 1.0, 3.0, 6.0, 12.0, 22.0)
    vp_km_s: tuple[float, ...] = (3.2, 4.6, 5.5, 6.2, 6.7, 7.4)
    velocity_spread: float = 0.05
    vp_vs: tuple[float, float] = (1.70, 1.82)
    path_spread: float = 0.02
    quality: tuple[float, float] = (50.0, 300.0)
    quality_exponent: float = 0.3
    kappa_s: tuple[float, float] = (0.01, 0.05)
    mean_free_path_km: tuple[float, float] = (10.0, 60.0)
    coda_decay_s: tuple[float, float] = (3.0, 12.0)
    surface_waves: float = 1.0
    repeat: float = 0.1
    swarms: int = 0
    network_km: float = 0.0
    noise_share: float = 0.0
    band_hz: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Bring every value to its declared type, so that 10 and 10.0 name the same set, then check it."""
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            whole = name in _WHOLE
            kind = _pair if name in _RANGES else _number
            # The dataclass is frozen, so values are normalised behind its back, once.
            object.__setattr__(self, name, kind(name, value, low, high, whole))
        for name in ("layer_top_km", "vp_km_s"):
            object.__setattr__(self, name, _rising(name, getattr(self, name)))
        if self.band_hz is not None:
            highest_hz = 0.45 * self.sampling_rate_hz
            object.__setattr__(self, "band_hz", _pair("band_hz", self.band_hz, 1e-3, highest_hz, False))
        self._check_together()

    def _check_together(self) -> None:
        if len(self.layer_top_km) != len(self.vp_km_s) or self.layer_top_km[0] != 0:
            raise ConfigurationError(
                f"Synthesis parameters layer_top_km={list(self.layer_top_km)} and vp_km_s={list(self.vp_km_s)} "
                "do not fit: give as many tops as velocities, the first top 0."
            )
        if (self.swarms and self.network_km) or (self.noise_share and not self.network_km):
            raise ConfigurationError(
                f"Synthesis parameters swarms={self.swarms}, network_km={self.network_km:g} and noise_share="
                f"{self.noise_share:g} do not go together: swarms have a network of their own, and noise needs one."
            )
        if self.lead_s[1] >= self.length_s:
            raise ConfigurationError(
                f"Synthesis parameter lead_s={list(self.lead_s)} leaves nothing of length_s={self.length_s:g} "
                "after the origin time: give a shorter lead or a longer record."
            )

    @property
    def n_samples(self) -> int:
        """Samples of one trace."""
        return round(self.length_s * self.sampling_rate_hz)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; without swarms and networks those of versions that knew none, so that fingerprints stay."""
        return {name: value for name, value in super().as_dict().items() if name not in _LATER or value}

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any parameter and with the generator's version."""
        # Sets that were filtered causally, as once was done, are others.
        filtered = {} if self.band_hz is None else {"band filter": "zero phase"}
        content = json.dumps({"local generator": LOCAL_GENERATOR_VERSION, **filtered, **self.as_dict()}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


_LIMITS: dict[str, tuple[float, float]] = {
    "n_events": (1, 1_000_000),
    "seed": (0, 2**63 - 1),
    "noise_db": (-300, 60),
    "sampling_rate_hz": (1, 200),
    "length_s": (5, 1200),
    "lead_s": (0, 600),
    "n_stations": (1, 200),
    "offset_range_km": (0.1, 1000),
    "depth_km": (0.1, 100),
    "magnitude": (-2, 6.5),
    "stress_drop_mpa": (0.01, 100),
    "velocity_spread": (0, 0.3),
    "vp_vs": (1.5, 2.2),
    "path_spread": (0, 0.2),
    "quality": (5, 5000),
    "quality_exponent": (0, 1),
    "kappa_s": (1e-4, 0.5),
    "mean_free_path_km": (1, 1e6),
    "coda_decay_s": (0.1, 500),
    "surface_waves": (0, 10),
    "repeat": (0, 1),
    "swarms": (0, 1000),
    "network_km": (0, 500),
    "noise_share": (0, 0.9),
}
_LATER = ("swarms", "network_km", "noise_share")
_WHOLE = ("n_events", "seed", "n_stations", "swarms")
_RANGES = (
    *("lead_s", "n_stations", "offset_range_km", "depth_km", "magnitude", "stress_drop_mpa", "vp_vs", "quality"),
    *("kappa_s", "mean_free_path_km", "coda_decay_s"),
)


def _refuse(name: str, value: object, allowed: str) -> ConfigurationError:
    return ConfigurationError(f"Synthesis parameter {name}={value!r} is not allowed: give {allowed}.")


def _number(name: str, value: Any, low: float, high: float, whole: bool) -> Any:
    allowed = f"a {'whole ' if whole else ''}number from {low:g} to {high:g}"
    # True would pass as 1, which is never what was meant.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _refuse(name, value, allowed)
    if not low <= value <= high or (whole and value != int(value)):
        raise _refuse(name, value, allowed)
    return int(value) if whole else float(value)


def _pair(name: str, value: Any, low: float, high: float, whole: bool) -> tuple[Any, Any]:
    if isinstance(value, str) or not isinstance(value, Iterable) or len(pair := tuple(value)) != 2:
        raise _refuse(name, value, "two numbers, smallest and largest")
    first, last = (_number(name, item, low, high, whole) for item in pair)
    if first > last:
        raise _refuse(name, value, "the smaller number first")
    return first, last


def _rising(name: str, value: Any) -> tuple[float, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable) or len(values := tuple(value)) < 2:
        raise _refuse(name, value, "at least two numbers")
    numbers = tuple(_number(name, item, 0, 100, False) for item in values)
    if any(second <= first for first, second in pairwise(numbers)):
        raise _refuse(name, list(values), "numbers that rise, for velocity must grow with depth")
    return numbers
