"""What a synthetic waveform set is made of: settings, their checks and their fingerprint.

Imports nothing heavy, so that the command line and the configuration can name a set before it exists.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from seisvision.earth.constants import EARTH_MODELS
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.seeding import DEFAULT_SEED

GENERATOR_VERSION: Final = "1"
"""Raised whenever the same parameters would give other waveforms; part of every fingerprint."""
SOURCE_TYPES: Final = ("tectonic", "glacial", "explosion", "collapse", "landslide", "volcanic", "noise")
"""Names of the seismic sources that can be made."""
GEOMETRIES: Final = ("random", "network")
"""``random``: new stations for every event; ``network``: one fixed set of stations for all events."""


@dataclass(frozen=True)
class GeneratorParameters:
    """Settings of a generator, to and from plain values."""

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> Self:
        """Build from names and values, as a configuration file gives them.

        Raises:
            ConfigurationError: A name is unknown or a value is not allowed.
        """
        allowed = [field.name for field in fields(cls)]
        for name in values:
            if name not in allowed:
                raise ConfigurationError(f"Unknown synthesis parameter '{name}'. {did_you_mean(name, allowed)}")
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class SynthesisParameters(GeneratorParameters):
    """Everything that decides the content of a synthetic set.

    Attributes:
        n_events: Number of events.
        classes: Source types, dealt in turn to the events, so that the classes are balanced.
        seed: Base seed; event ``i`` depends on the seed and on ``i`` only.
        noise_db: Seismic noise relative to levels drawn between Peterson's low and high noise models, dB.
        sampling_rate_hz: Samples a second.
        length_s: Length of every trace, s.
        lead_s: How much of it is recorded before the origin time, s.
        n_stations: Smallest and largest number of stations of an event.
        offset_range_deg: Smallest and largest epicentral distance, degrees.
        magnitude: Range of the moment magnitude of tectonic events and of the magnitude of glacial ones
            (log10 of the twice integrated force in kg m, less 9). The other types have ranges of their own.
        heterogeneity: Scale of the random path effects (times, amplitudes, phase velocity, attenuation);
            0 is a radial Earth.
        fault: Scale of the probability of each data fault; 0 means none.
        coda: Scale of the scattered coda; 0 means none.
        earth_model: One of :data:`~seisvision.earth.constants.EARTH_MODELS`.
        geometry: One of ``GEOMETRIES``.

    Raises:
        ConfigurationError: A value is not allowed; the message names it.
    """

    n_events: int = 885
    classes: tuple[str, ...] = ("tectonic", "glacial")
    seed: int = DEFAULT_SEED
    noise_db: float = 10.0
    sampling_rate_hz: float = 2.0
    length_s: float = 1800.0
    lead_s: float = 0.0
    n_stations: tuple[int, int] = (12, 24)
    offset_range_deg: tuple[float, float] = (2.0, 45.0)
    magnitude: tuple[float, float] = (4.6, 5.2)
    heterogeneity: float = 1.0
    fault: float = 1.0
    coda: float = 1.0
    earth_model: str = "ak135f_no_mud"
    geometry: str = "random"

    def __post_init__(self) -> None:
        """Bring every value to its declared type, so that 10 and 10.0 name the same set, then check it."""
        self._set("classes", _names("classes", self.classes))
        for name, (fewest, most) in _WHOLE_LIMITS.items():
            self._set(name, _whole(name, getattr(self, name), fewest, most))
        for name, (low, high) in _REAL_LIMITS.items():
            self._set(name, _real(name, getattr(self, name), low, high))
        self._set("n_stations", _whole_range("n_stations", self.n_stations, 1, 200))
        self._set("offset_range_deg", _real_range("offset_range_deg", self.offset_range_deg, 0.25, 90.0))
        self._set("magnitude", _real_range("magnitude", self.magnitude, 3.0, 7.0))
        if self.lead_s >= self.length_s:
            raise _refuse("lead_s", self.lead_s, f"less than length_s={self.length_s:g}")
        _choice("earth_model", self.earth_model, EARTH_MODELS)
        _choice("geometry", self.geometry, GEOMETRIES)

    # The dataclass is frozen, so values are normalised behind its back, once.
    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def n_samples(self) -> int:
        """Samples of one trace."""
        return round(self.length_s * self.sampling_rate_hz)

    @property
    def n_lead(self) -> int:
        """Samples of one trace before the origin time."""
        return round(self.lead_s * self.sampling_rate_hz)

    def source_type(self, index: int) -> str:
        """Source type of event ``index``."""
        return self.classes[index % len(self.classes)]

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any parameter and with the generator's version."""
        values = self.as_dict()
        # Sets without a lead keep the fingerprint they had before there was one.
        if not self.lead_s:
            del values["lead_s"]
        # Sorted, so that the order of the fields in this file does not matter.
        content = json.dumps({"generator": GENERATOR_VERSION, **values}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


_WHOLE_LIMITS = {"n_events": (1, 1_000_000), "seed": (0, 2**63 - 1)}
_REAL_LIMITS = {
    "noise_db": (-300.0, 60.0),
    "sampling_rate_hz": (0.5, 20.0),
    "length_s": (60.0, 7200.0),
    "lead_s": (0.0, 1800.0),
    "heterogeneity": (0.0, 5.0),
    "fault": (0.0, 10.0),
    "coda": (0.0, 10.0),
}


def _refuse(name: str, value: object, allowed: str) -> ConfigurationError:
    return ConfigurationError(f"Synthesis parameter {name}={value!r} is not allowed: give {allowed}.")


def _real(name: str, value: Any, low: float, high: float) -> float:
    allowed = f"a number from {low:g} to {high:g}"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _refuse(name, value, allowed) from None
    # True would pass as 1, which is never what was meant.
    if isinstance(value, bool) or not math.isfinite(number) or not low <= number <= high:
        raise _refuse(name, value, allowed)
    return number


def _whole(name: str, value: Any, low: int, high: int) -> int:
    allowed = f"a whole number from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int | float) or int(value) != value or not low <= value <= high:
        raise _refuse(name, value, allowed)
    return int(value)


def _pair(name: str, value: Any) -> tuple[Any, Any]:
    if isinstance(value, str) or not isinstance(value, Iterable) or len(pair := tuple(value)) != 2:
        raise _refuse(name, value, "two numbers, smallest and largest")
    return pair


def _real_range(name: str, value: Any, low: float, high: float) -> tuple[float, float]:
    first, last = (_real(name, item, low, high) for item in _pair(name, value))
    if first > last:
        raise _refuse(name, value, "the smaller number first")
    return first, last


def _whole_range(name: str, value: Any, low: int, high: int) -> tuple[int, int]:
    first, last = (_whole(name, item, low, high) for item in _pair(name, value))
    if first > last:
        raise _refuse(name, value, "the smaller number first")
    return first, last


def _names(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable) or not (names := tuple(value)):
        raise _refuse(name, value, f"a list of source types out of {', '.join(SOURCE_TYPES)}")
    for item in names:
        _choice(name, item, SOURCE_TYPES)
    if len(set(names)) < len(names):
        raise _refuse(name, list(names), "every source type once")
    return names


def _choice(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(
            f"Synthesis parameter {name}: '{value}' is not known. {did_you_mean(str(value), list(allowed))}"
        )
