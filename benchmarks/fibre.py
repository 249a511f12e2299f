"""What it takes to pick, locate and read 320 channels of a fibre, beside scipy, ObsPy and reading everything.

    OMP_NUM_THREADS=1 python benchmarks/fibre.py [--short]

Competitors take turns in one process, so that ratios hold on a busy machine; medians of its processor time, with the
least and the largest. scipy minimises the same robust misfit of the same picks with the same travel times and their
derivatives, once from either side; ours says of both sides how likely they are and how far they are known. ObsPy
filters and averages channel by channel, with the same band, windows and trigger. A plain HDF5 file is read whole, and
for every eighth channel; where dascore is installed, it reads the same samples, in its own format.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import h5py
import numpy as np
import torch
from measuring import Spent, in_turns, machine, spread, told
from obspy.signal.filter import bandpass
from obspy.signal.trigger import classic_sta_lta, recursive_sta_lta
from scipy.optimize import least_squares

from seisvision.data.fibre.files import read_fibre
from seisvision.data.fibre.record import Choice
from seisvision.data.fibre.synthesis import FibreParameters, channel_places, crust, simulated_event
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.evaluation.fibre import FibreSettings
from seisvision.location.fibre.inversion import FibrePrior, both_sides
from seisvision.location.fibre.line import Line
from seisvision.location.fibre.times import p_times_s
from seisvision.picking.channel_onsets import first_onsets_s

PICKS = 320
ASKED_MS = 10.0
SIGMA_S = 0.06
START_KM = 15.0
NU = 4.0
"""Degrees of freedom of the robust misfit."""


def simulated_picks(
    p: FibreParameters, times: TravelTimes, count: int
) -> tuple[Line, list[tuple[np.ndarray, np.ndarray]]]:
    """The earliest channels of events beside the fibre, with their times and errors."""
    along, latitude, longitude = channel_places(p)
    line, rng = Line.of(latitude, longitude, along), np.random.default_rng(p.seed)
    found = []
    for _ in range(count):
        place = np.array([rng.uniform(-60, 60), rng.uniform(-50, 50)])
        distance = np.hypot(*(line.channel_km - place).T)
        time_s = p_times_s(times, rng.uniform(5, 25, 1), distance[None])[0][0] + rng.normal(0, SIGMA_S, len(distance))
        early = np.argsort(time_s)[:PICKS]
        found.append((early, time_s[early]))
    return line, found


def by_scipy(line: Line, channel: np.ndarray, time_s: np.ndarray, times: TravelTimes, prior: FibrePrior) -> np.ndarray:
    """Places (2, 4) with origin times, from a start on either side."""
    place = line.channel_km[channel]
    first = place[np.argmin(time_s)]
    known = np.array([*first, prior.depth_km])
    spread_km = np.array([prior.sigma_horizontal_km, prior.sigma_horizontal_km, prior.sigma_depth_km])

    def residual(x: np.ndarray) -> np.ndarray:
        travel = p_times_s(times, x[2:3], np.hypot(*(x[:2] - place).T)[None])[0][0]
        return np.concatenate([(travel + x[3] - time_s) / SIGMA_S, (x[:3] - known) / spread_km])

    def slopes(x: np.ndarray) -> np.ndarray:
        way = x[:2] - place
        distance = np.maximum(np.hypot(*way.T), 1e-6)
        deeper, farther = (one[0] for one in p_times_s(times, x[2:3], distance[None])[1:])
        rows = np.column_stack([(farther / distance)[:, None] * way, deeper, np.ones_like(deeper)]) / SIGMA_S
        return np.concatenate([rows, np.column_stack([np.diag(1 / spread_km), np.zeros(3)])])

    def loss(squared: np.ndarray) -> np.ndarray:
        return np.array([(NU + 1) * np.log1p(squared / NU), (NU + 1) / (NU + squared), -(NU + 1) / (NU + squared) ** 2])

    across = START_KM * np.array([line.axis[1], -line.axis[0]])
    starts = [[*(first + side * across), prior.depth_km, time_s.min() - 3] for side in (1, -1)]
    low, high = [-500, -500, 0, -np.inf], [500, 500, 60, np.inf]
    return np.stack(
        [least_squares(residual, one, slopes, (low, high), loss=loss, x_scale=[1, 1, 1, 0.2]).x for one in starts]
    )


def by_obspy(
    average: Callable[[np.ndarray, int, int], np.ndarray], samples: np.ndarray, rate_hz: float, settings: FibreSettings
) -> np.ndarray:
    """First onsets (C,), channel by channel."""
    ratio = settings.ratio
    short, long = round(ratio.sta_s * rate_hz), round(ratio.lta_s * rate_hz)
    onset_s = np.full(len(samples), np.nan)
    for channel, one in enumerate(samples):
        filtered = bandpass(one, *ratio.band_hz, rate_hz, corners=2)
        risen = np.flatnonzero(average(filtered, short, long) >= ratio.on)
        if len(risen):
            onset_s[channel] = risen[0] / rate_hz
    return onset_s


def written(folder: Path, samples: np.ndarray, p: FibreParameters) -> Path:
    """A plain HDF5 file of the recording."""
    along, latitude, longitude = channel_places(p)
    path = folder / "plain.h5"
    with h5py.File(path, "w") as file:
        values = {"data": samples, "distance_m": 1000 * along, "latitude_deg": latitude, "longitude_deg": longitude}
        for name, value in values.items():
            file[name] = value
        file["sampling_rate_hz"], file["start_time"] = p.rate_hz, "2024-01-01T00:00:00"
    return path


def by_dascore(folder: Path, path: Path) -> Callable[[int], object] | None:
    """Reading of the same samples by dascore, None where it is not installed."""
    if importlib.util.find_spec("dascore") is None:
        return None
    import dascore

    with h5py.File(path) as file:
        samples, along = file["data"][()], file["distance_m"][()]
    time = np.datetime64("2024-01-01", "ns") + np.arange(samples.shape[1]) * np.timedelta64(10_000_000, "ns")
    patch = dascore.Patch(samples, {"distance": along, "time": time}, ("distance", "time"))
    other = folder / "dascore.h5"
    patch.set_units(distance="m").io.write(other, "dasdae")
    return lambda turn: np.asarray(dascore.read(other)[0].data)


def tell(spent: dict[str, Spent], ours: str) -> None:
    """A line each, with how many times longer it takes than ours."""
    for name, one in spent.items():
        times = "" if name == ours else f"  {one.median_ms / spent[ours].median_ms:6.1f} times as long"
        print(f"  {name:36s} {spread(one.cpu_ms, ' ms'):>34s}{times}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="few turns")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    turns = 3 if arguments.short else 11
    p = FibreParameters()
    times, prior, settings = crust(), FibrePrior(), FibreSettings()
    print(told(machine()))
    line, picks = simulated_picks(p, times, turns + 1)
    print(f"locating from {PICKS} picks; asked: {ASKED_MS:g} ms")
    spent = in_turns(
        {
            "seisvision, both sides": lambda turn: both_sides(line, *picks[turn], SIGMA_S, times, prior),
            "scipy least_squares, both sides": lambda turn: by_scipy(line, *picks[turn], times, prior),
        },
        turns,
    )
    tell(spent, "seisvision, both sides")
    record, _, _ = simulated_event(p, times, 0)
    some = record.samples[:PICKS]
    print(f"first onsets of {PICKS} channels, {p.length_s:g} s at {p.rate_hz:g} Hz")
    picking: dict[str, Callable[[int], object]] = {
        "seisvision, all at once": lambda turn: first_onsets_s(some, p.rate_hz, settings.ratio)
    }
    for name, average in (("classic", classic_sta_lta), ("recursive", recursive_sta_lta)):
        picking[f"ObsPy, {name}, one by one"] = lambda turn, average=average: by_obspy(
            average, some, p.rate_hz, settings
        )
    tell(in_turns(picking, max(3, turns // 5), are_short=False), "seisvision, all at once")
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), record.samples, p)
        every = p.length_km * 1000 / (p.n_channels - 1) * 8
        print(f"reading of {p.n_channels} channels of {record.samples.shape[1]} samples")
        reading: dict[str, Callable[[int], object]] = {
            "seisvision, plain HDF5": lambda turn: next(iter(read_fibre(path))),
            "seisvision, plain HDF5, every eighth": lambda turn: next(iter(read_fibre(path, Choice(every)))),
        }
        other = by_dascore(Path(folder), path)
        if other is None:
            print("  dascore is not installed: pip install 'seisvision[fibre]'")
        else:
            reading["dascore, its own HDF5"] = other
        tell(in_turns(reading, max(3, turns // 2)), "seisvision, plain HDF5")


if __name__ == "__main__":
    main()
