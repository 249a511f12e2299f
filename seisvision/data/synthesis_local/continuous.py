"""Makes continuous recordings of a known scene: miniSEED in an SDS, stations, velocities, events and arrivals."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pymseed
from obspy import UTCDateTime
from obspy.core.inventory import Channel, Inventory, Network, Response, Site, Station
from obspy.core.inventory.response import InstrumentSensitivity
from scipy.signal import butter, sosfiltfilt

from seisvision.data.importing.tables.times import DAY_S, NS, format_ns, time_ns
from seisvision.data.synthesis.generator import rotate_to_zne
from seisvision.data.synthesis.noise import NoiseModel
from seisvision.data.synthesis.spectral import SpectralGrid
from seisvision.data.synthesis.tables import peterson_models
from seisvision.data.synthesis_local.generator import LocalEventGenerator, LocalSource
from seisvision.data.synthesis_local.scene import REPEAT, ContinuousParameters, Scene, SceneEvent, draw_scene
from seisvision.errors import DataError
from seisvision.files import write_text
from seisvision.leftovers import hidden_name
from seisvision.seeding import numpy_stream

log = logging.getLogger(__name__)

NETWORK: Final = "SY"
BAND: Final = "HH"
COUNTS_PER_M_S: Final = 2e9
SNR_BAND_HZ: Final = (1.0, 16.0)
S_WINDOW_S: Final = 2.0
CLEAR_SNR: Final = 3.0
"""A station sees an event clearly where P and S each stand so far above the noise (root mean squares in 1 to 16 Hz)."""
P_WINDOW_S: Final = 1.0
TAPER_S: Final = 3.0
COLUMNS: Final = ("Z", "N", "E")


@dataclass(frozen=True)
class Waves:
    """An event as the stations would record it without noise.

    Attributes:
        first: Sample of the recording at which they begin.
        ground: (S, 3, T) velocity in m/s.
        p_s, s_s: (S,) true arrivals after the start of the recording.
    """

    first: int
    ground: np.ndarray
    p_s: np.ndarray
    s_s: np.ndarray


def synthesise_continuous(parameters: ContinuousParameters, out: Path) -> Path:
    """Write the recording to ``out``, whole or not at all.

    ``SDS/`` holds miniSEED, ``stations.xml`` places and sensitivities, ``velocity.csv`` the layers, ``events.csv`` the
    true catalogue, ``arrivals.csv`` the true arrivals and ``faults.csv`` gaps, clock errors and dead channels.

    Raises:
        DataError: the folder exists.
    """
    if out.exists():
        raise DataError(f"{out} exists; give another --out, or remove it.")
    scene = draw_scene(parameters)
    generator = LocalEventGenerator(parameters.records)
    noise = _Noise(parameters)
    waves = [_waves(event, scene, generator, parameters) for event in scene.events]
    size, snr = _sizes(scene, waves, noise, parameters)
    with _new_folder(out) as folder:
        faults: list[dict[str, object]] = []
        for number, code in enumerate(scene.station_code):
            ground = noise.of_station(number)
            for wave, factor in zip(waves, size, strict=True):
                _add(ground, wave.ground[number] * factor, wave.first)
            faults += _write_station(folder, str(code), number, ground, parameters)
            log.info("Station %s is written (%d of %d)", code, number + 1, parameters.network_size)
        _write_tables(folder, scene, waves, size, snr, parameters)
        pd.DataFrame(faults, columns=["station", "fault", "start", "end", "detail"]).to_csv(
            folder / "faults.csv", index=False
        )
    return out


@contextlib.contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A folder that takes its name once it is whole."""
    partial = path.with_name(hidden_name(path.name))
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def start_ns(parameters: ContinuousParameters) -> int:
    """Time of the first sample."""
    return time_ns(f"{parameters.day}T00:00:00Z")


class _Noise:
    """Noise of a station for the whole recording, and its size in the band."""

    def __init__(self, parameters: ContinuousParameters) -> None:
        self._parameters = parameters
        self.n_samples = round(parameters.hours * 3600 * parameters.sampling_rate_hz)
        self._grid = SpectralGrid(parameters.sampling_rate_hz, self.n_samples)
        self._model = NoiseModel(self._grid, peterson_models(), parameters.noise_db)
        self._rms: dict[int, float] = {}

    def of_station(self, number: int) -> np.ndarray:
        """Ground velocity (3, T) float32 of noise with local disturbances."""
        ground = self._quiet(number)
        rng = numpy_stream(self._parameters.seed, "continuous/bursts", number)
        rate = self._parameters.sampling_rate_hz
        length = round(2 * rate)
        shape = np.exp(-np.arange(length) / (0.4 * rate))
        size = 8 * self.rms(number)
        for _ in range(rng.poisson(self._parameters.n_bursts * self._parameters.hours)):
            at = int(rng.integers(0, max(1, self.n_samples - length)))
            ground[:, at : at + length] += size * rng.uniform(0.3, 2) * rng.standard_normal((3, length)) * shape
        return ground

    def rms(self, number: int) -> float:
        """Root mean square of a component of the noise in the band."""
        if number not in self._rms:
            hour = self._quiet(number)[:, : round(1800 * self._parameters.sampling_rate_hz)]
            self._rms[number] = float(np.sqrt(np.mean(in_band(hour, self._parameters.sampling_rate_hz) ** 2)))
        return self._rms[number]

    def _quiet(self, number: int) -> np.ndarray:
        spectra = self._model.spectra(numpy_stream(self._parameters.seed, "continuous/noise", number), 1)
        made: np.ndarray = self._grid.to_time(spectra[:, 0])[:, : self.n_samples]
        return made.astype(np.float32)


def in_band(ground: np.ndarray, rate_hz: float) -> np.ndarray:
    """Ground (..., T) in the band in which sizes are stated."""
    sections = butter(2, SNR_BAND_HZ, "bandpass", fs=rate_hz, output="sos")
    return np.asarray(sosfiltfilt(sections, ground, axis=-1))


def _waves(event: SceneEvent, scene: Scene, generator: LocalEventGenerator, parameters: ContinuousParameters) -> Waves:
    geometry = scene.geometry(event)
    drawn = generator.source(event.path)
    moment_nm = 10 ** (1.5 * event.magnitude + 9.1)
    # Stress drop and mechanism are those of the family: corner frequencies fall with the cube root of the moment.
    corner_hz = drawn.corner_hz * (drawn.moment_nm / moment_nm) ** (1 / 3)
    source = LocalSource(event.depth_km, event.magnitude, moment_nm, corner_hz, drawn.tensor)
    motion, (p_s, s_s) = generator.ground_motion(source, generator.medium(0), geometry, event.path)
    rate, grid = parameters.sampling_rate_hz, generator.grid
    whole = int(np.floor(event.origin_s * rate))
    motion = motion * np.exp(-1j * grid.omega * (event.origin_s - whole / rate)).astype(np.complex64)
    ground = grid.to_time(rotate_to_zne(motion, geometry))[..., : grid.n_samples].transpose(1, 0, 2).copy()
    fade = round(TAPER_S * rate)
    ground[..., -fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    # Five seconds before the origin are part of the grid.
    first = whole - (grid.n_samples - parameters.records.n_samples)
    return Waves(first, ground, event.origin_s + p_s, event.origin_s + s_s)


def _sizes(
    scene: Scene, waves: list[Waves], noise: _Noise, parameters: ContinuousParameters
) -> tuple[np.ndarray, np.ndarray]:
    """Factors (N,) on the waves, and signal to noise (N, S, 2) of P and S as they are then."""
    rate = parameters.sampling_rate_hz
    level = np.array([noise.rms(number) for number in range(parameters.network_size)])
    size, snr = np.ones(len(waves)), np.zeros((len(waves), parameters.network_size, 2))
    for row, (event, wave) in enumerate(zip(scene.events, waves, strict=True)):
        banded = in_band(wave.ground, rate)
        for phase, (times_s, length_s) in enumerate(((wave.p_s, P_WINDOW_S), (wave.s_s, S_WINDOW_S))):
            for station, time_s in enumerate(times_s):
                at = round(time_s * rate) - wave.first
                part = banded[station, :, max(0, at) : at + round(length_s * rate)]
                snr[row, station, phase] = np.sqrt(np.mean(part**2)) / level[station] if part.size else 0.0
        if event.kind == REPEAT:
            size[row] = parameters.repeat_snr / max(np.median(snr[row, :, 1]), 1e-12)
            snr[row] *= size[row]
    return size, snr


def _add(ground: np.ndarray, wave: np.ndarray, first: int) -> None:
    begin, end = max(0, first), min(ground.shape[1], first + wave.shape[1])
    if end > begin:
        ground[:, begin:end] += wave[:, begin - first : end - first]


def _write_station(
    folder: Path, code: str, number: int, ground: np.ndarray, parameters: ContinuousParameters
) -> list[dict[str, object]]:
    """Write the channels of a station, with its faults, which are returned."""
    rng = numpy_stream(parameters.seed, "continuous/faults", number)
    rate, begin_ns = parameters.sampling_rate_hz, start_ns(parameters)
    n = ground.shape[1]
    spans: list[tuple[int, int]] = []
    faults: list[dict[str, object]] = []

    def tell(fault: str, begin: int, end: int, detail: str) -> None:
        times = (format_ns(begin_ns + round(at / rate * NS)) for at in (begin, end))
        faults.append(
            dict(zip(("station", "fault", "start", "end"), (code, fault, *times), strict=True), detail=detail)
        )

    if number % 3 == 2:
        for _ in range(parameters.n_gaps):
            at = int(rng.uniform(0, n))
            spans.append((at, min(n, at + round(rng.uniform(120, 900) * rate))))
            tell("gap", *spans[-1], "no samples")
    late = (n, n)
    if number == 1 and parameters.clock_error_s:
        late = (n // 2, min(n, n // 2 + round(6 * 3600 * rate)))
        tell("clock", *late, f"{parameters.clock_error_s:g} s late")
    dead = (n // 4, n // 4 + n // 12) if number == 4 else (n, n)
    if dead[1] > dead[0]:
        tell("no_channel", *dead, f"{BAND}E")
    counts = np.rint(ground * COUNTS_PER_M_S).astype(np.int32)
    for row, letter in enumerate(COLUMNS):
        holes = [*spans, dead] if letter == "E" else spans
        for day, pieces in _days(n, holes, late, begin_ns, parameters):
            _write_day(folder, code, f"{BAND}{letter}", day, [(at, counts[row, a:b]) for at, a, b in pieces], rate)
    return faults


def _days(
    n: int, holes: list[tuple[int, int]], late: tuple[int, int], begin_ns: int, parameters: ContinuousParameters
) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
    """Days since 1970 and their pieces as (start time in ns, first and last sample)."""
    rate = parameters.sampling_rate_hz
    known = np.ones(n, dtype=bool)
    for begin, end in holes:
        known[begin:end] = False
    a_day = round(DAY_S * rate)
    cuts = {0, n, *range(0, n, a_day), *(min(n, one) for one in late)}
    cuts |= {int(one) + 1 for one in np.flatnonzero(known[1:] != known[:-1])}
    edges = sorted(cuts)
    days: dict[int, list[tuple[int, int, int]]] = {}
    for a, b in pairwise(edges):
        if known[a] and b > a:
            shift_s = parameters.clock_error_s if late[0] <= a < late[1] else 0.0
            days.setdefault(a // a_day, []).append((begin_ns + round((a / rate + shift_s) * NS), a, b))
    first_day = begin_ns // (DAY_S * NS)
    for day, pieces in sorted(days.items()):
        yield first_day + day, pieces


def _write_day(
    folder: Path, code: str, channel: str, day: int, pieces: list[tuple[int, np.ndarray]], rate_hz: float
) -> None:
    moment = date.fromordinal(date(1970, 1, 1).toordinal() + day)
    year, number = moment.year, moment.timetuple().tm_yday
    name = f"{NETWORK}.{code}..{channel}.D.{year}.{number:03d}"
    path = folder / "SDS" / str(year) / NETWORK / code / f"{channel}.D" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with pymseed.MS3TraceList() as traces:
        for at_ns, samples in pieces:
            traces.add_data(pymseed.nslc2sourceid(NETWORK, code, "", channel), samples, "i", rate_hz, starttime=at_ns)
        traces.to_file(str(path), format_version=2, max_record_length=4096)


def _write_tables(
    folder: Path, scene: Scene, waves: list[Waves], size: np.ndarray, snr: np.ndarray, parameters: ContinuousParameters
) -> None:
    begin_ns = start_ns(parameters)
    clear = (snr > CLEAR_SNR).all(2).sum(1)
    events, arrivals = [], []
    for event, wave, factor, ratio, n_clear in zip(scene.events, waves, size, snr, clear, strict=True):
        magnitude = event.magnitude + np.log10(factor) if event.kind == REPEAT else event.magnitude
        events.append(
            {
                "event_id": event.event_id,
                "time": format_ns(begin_ns + round(event.origin_s * NS)),
                "latitude_deg": event.latitude_deg,
                "longitude_deg": event.longitude_deg,
                "depth_km": event.depth_km,
                "magnitude": round(float(magnitude), 2),
                "kind": event.kind,
                "family": event.family,
                "clear_stations": int(n_clear),
                "s_snr_median": round(float(np.median(ratio[:, 1])), 3),
            }
        )
        for number, code in enumerate(scene.station_code):
            for phase, times_s, row in (("P", wave.p_s, 0), ("S", wave.s_s, 1)):
                arrivals.append(
                    {
                        "event_id": event.event_id,
                        "network": NETWORK,
                        "station": code,
                        "phase": phase,
                        "time": format_ns(begin_ns + round(float(times_s[number]) * NS)),
                        "snr": round(float(ratio[number, row]), 3),
                    }
                )
    pd.DataFrame(events).to_csv(folder / "events.csv", index=False)
    pd.DataFrame(arrivals).to_csv(folder / "arrivals.csv", index=False)
    records = parameters.records
    vp = np.array(records.vp_km_s)
    layers = {"top_km": records.layer_top_km, "vp_km_s": vp, "vs_km_s": np.round(vp / records.vp_vs[0], 4)}
    pd.DataFrame(layers).to_csv(folder / "velocity.csv", index=False)
    _inventory(scene, parameters).write(str(folder / "stations.xml"), format="STATIONXML")
    write_text(folder / "parameters.json", json.dumps(parameters.to_dict(), indent=2) + "\n")


def _inventory(scene: Scene, parameters: ContinuousParameters) -> Inventory:
    since = UTCDateTime(ns=start_ns(parameters)) - 365 * DAY_S
    stations = []
    places = zip(scene.station_code, scene.station_latitude_deg, scene.station_longitude_deg, strict=True)
    for code, latitude, longitude in places:
        channels = []
        for letter, azimuth, dip in (("Z", 0.0, -90.0), ("N", 0.0, 0.0), ("E", 90.0, 0.0)):
            whole = InstrumentSensitivity(COUNTS_PER_M_S, 5.0, "M/S", "COUNTS")
            channels.append(
                Channel(
                    f"{BAND}{letter}", "", float(latitude), float(longitude), 0.0, 0.0, azimuth, dip, start_date=since,
                    sample_rate=parameters.sampling_rate_hz, response=Response(instrument_sensitivity=whole),
                )
            )  # fmt: skip
        site = Site(f"synthetic {code}")
        stations.append(Station(str(code), float(latitude), float(longitude), 0.0, channels, site, start_date=since))
    return Inventory([Network(NETWORK, stations)], source="seisvision", created=since)
