"""How often 95 % regions of the locator hold the epicentre while the waves arrive, from simulated triggers alone.

    OMP_NUM_THREADS=1 python benchmarks/early_warning_coverage.py [--events 200] [--seed 1]

Networks of 30 stations within 40 km, epicentres among them, triggers off by normal errors of the size that the locator
is told. One station in twenty never triggers; in the second case one in twenty has triggered on noise before.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from measuring import tell_machine

from seisvision.data.fibre.synthesis import crust
from seisvision.earth.geodesics import geodesic
from seisvision.evaluation.warning.censored import CensoredLocator
from seisvision.evaluation.warning.measures import errors_km
from seisvision.evaluation.warning.said import Truth

SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
STATIONS, REACH_KM, KM_PER_DEG = 30, 40.0, 111.19
SILENT = 0.05
NOISE = {"triggers on P alone": 0.0, "5 % on noise": 0.05}
LEAD_S = 10.0


def simulated(rng: np.random.Generator, events: int, noise: float, sigma_s: float) -> tuple[CensoredLocator, Truth]:
    """Triggers at the stations of a network each, near the equator, and the truth."""
    shape = events, STATIONS
    turn = rng.uniform(0, 2 * np.pi, (events, STATIONS + 1))
    far = REACH_KM * np.sqrt(rng.uniform(size=turn.shape)) / KM_PER_DEG
    north, east = far * np.cos(turn), far * np.sin(turn)
    distance = geodesic(north[:, -1:], east[:, -1:], north[:, :-1], east[:, :-1])[0]
    depth, zero = (
        np.broadcast_to(rng.uniform(3, 20, (events, 1)), shape).copy(),
        torch.zeros(shape, dtype=torch.float64),
    )
    times = crust()
    travel = times.times_s(zero.long(), torch.from_numpy(depth), torch.from_numpy(distance), zero)[0].numpy()
    onset_s = LEAD_S + travel + sigma_s * rng.standard_normal(shape)
    before_s = np.where(rng.random(shape) < noise, rng.uniform(0, LEAD_S, shape), np.nan)
    onset_s = np.stack([before_s, onset_s], 2)
    onset_s[rng.random(shape) < SILENT] = np.nan
    locator = CensoredLocator(north[:, :-1], east[:, :-1], onset_s, times, sigma_s=sigma_s)
    names = [str(number) for number in range(events)]
    first_s = LEAD_S + travel.min(1)
    return locator, Truth(
        names, north[:, -1], east[:, -1], np.full(events, np.nan), first_s, 60.0, np.zeros(events, bool)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sigma", type=float, default=0.15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tell_machine()
    print(f"{'stations':22s} seconds  located  region stated  holds  (+- 2 errors)  median km  90 % km")
    for name, noise in NOISE.items():
        locator, truth = simulated(np.random.default_rng(arguments.seed), arguments.events, noise, arguments.sigma)
        for second in SECONDS:
            error, inside = errors_km(locator.said(truth.first_p_s + second), truth)
            stated, known = np.isfinite(inside), error[np.isfinite(error)]
            share = inside[stated].mean() if stated.any() else np.nan
            wide = 2 * np.sqrt(share * (1 - share) / max(1, stated.sum()))
            print(
                f"{name:22s} {second:7g} {100 * np.isfinite(error).mean():8.1f} {100 * stated.mean():14.1f} "
                f"{100 * share:6.1f} {100 * wide:14.1f} {np.median(known):10.2f} {np.quantile(known, 0.9):8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
