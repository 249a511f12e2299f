"""How often linearised ellipses of epicentres along a fibre would hold the simulated one, from arrivals alone.

They hold too few, which is why none are stated: with errors that neighbours share since these count singly, and even
without them since the picks that came first are those that came early, and distance and depth trade for each other.

    OMP_NUM_THREADS=1 python benchmarks/fibre_coverage.py [--events 200] [--seed 1]

The fibre, the places and the depths are those of the simulated set. Arrivals are off by what the ground beneath
neighbouring channels delays, by errors of each pick, and one in twenty is late (0.3 s on average); one in ten lacks.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from measuring import tell_machine
from scipy.ndimage import gaussian_filter1d

from seisvision.data.fibre.synthesis import FibreParameters, channel_places, crust
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.location.fibre.line import Line
from seisvision.location.fibre.warning import chosen, updates

ERRORS = {
    "neighbours err on their own": (0.0, 1.5, 0.05),
    "together over 1.5 km": (0.05, 1.5, 0.03),
}
"""Standard deviation (s) and length (km) of what neighbours share, and standard deviation (s) of each alone."""


def arrivals_s(
    rng: np.random.Generator, p: FibreParameters, line: Line, times: TravelTimes, errors: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """An epicentre (2,) and P times (C,) with errors, NaN where a channel has none."""
    shared_s, length_km, own_s = errors
    turn, far = rng.uniform(0, 2 * np.pi), p.reach_km * np.sqrt(rng.uniform())
    place = far * np.array([np.sin(turn), np.cos(turn)])
    distance = torch.from_numpy(np.hypot(*(line.channel_km - place).T))
    zero = torch.zeros_like(distance)
    travel = times.times_s(zero.long(), zero + rng.uniform(*p.depth_km), distance, zero)[0].numpy()
    n = len(travel)
    together = gaussian_filter1d(rng.standard_normal(3 * n), length_km / (p.length_km / (n - 1)) / 1.5)
    arrived = travel + shared_s * together[n : 2 * n] / together.std() + own_s * rng.standard_normal(n)
    arrived += (rng.random(n) < 0.05) * rng.exponential(0.3, n)
    return place, np.where(rng.random(n) < 0.1, np.nan, arrived)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tell_machine()
    p, times = FibreParameters(), crust()
    along, latitude, longitude = channel_places(p)
    line = Line.of(latitude, longitude, along)
    print(f"{'errors':28s} {'channels':9s} located  ellipse 95 %  68 %  nearer side, median km")
    for name, errors in ERRORS.items():
        rng = np.random.default_rng(arguments.seed)
        squared: dict[str, list[float]] = {"raw": [], "thinned": []}
        off_km: dict[str, list[float]] = {"raw": [], "thinned": []}
        for _ in range(arguments.events):
            place, arrived = arrivals_s(rng, p, line, times, errors)
            for way, correlation_km in (("raw", None), ("thinned", 2.0)):
                best = chosen(updates(line, arrived, times, correlation_km=correlation_km))
                if best is None:
                    continue
                sides = (best.best, best.other)
                away = [place - side.place_km[:2] for side in sides]
                off_km[way].append(min(float(np.hypot(*one)) for one in away))
                ratios = [
                    one @ np.linalg.solve(side.covariance_km2[:2, :2], one)
                    for one, side in zip(away, sides, strict=True)
                ]
                squared[way].append(min(ratios) if best.ambiguous else ratios[0])
        for way, values in squared.items():
            held = [100 * np.mean(np.array(values) <= -2 * np.log(1 - level)) for level in (0.95, 0.68)]
            print(
                f"{name:28s} {way:9s} {100 * len(values) / arguments.events:7.1f} {held[0]:13.1f} {held[1]:5.1f} "
                f"{np.median(off_km[way]):12.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
