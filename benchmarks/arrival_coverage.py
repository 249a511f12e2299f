"""How often ellipses, ellipsoids and intervals of depth hold the simulated hypocentre, by geometry.

    OMP_NUM_THREADS=1 python benchmarks/arrival_coverage.py [--events 2000] [--seed 1]

Shares are of the events that have one and no second solution; the next columns say of how many that is.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import torch
from arrivals import DEPTHS_KM, simulated, table
from measuring import tell_machine

from seisvision.earth.geodesics import geodesic
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.location.arrivals.hypocentres import Hypocentres
from seisvision.location.arrivals.locate import locate_arrivals

GEOMETRIES = {
    "12 stations around": {"stations": 12},
    "12 stations, gap 270": {"stations": 12, "gap_deg": 270.0, "distance_km": (20.0, 100.0)},
    "4 stations": {"stations": 4},
    "12 stations, P only": {"stations": 12, "phases": "P"},
    "6 stations, P only": {"stations": 6, "phases": "P"},
    "12 stations, one pick 5 s late": {"stations": 12, "outlier_s": 5.0},
    "8 stations, P only, one 10 s late": {"stations": 8, "phases": "P", "outlier_s": 10.0},
}


def smooth() -> TravelTimes:
    """A crust whose velocity rises by small steps."""
    top = np.arange(0.0, 32.0, 0.5)
    vp = 4.5 + 2.5 * (1 - np.exp(-top / 10))
    return TravelTimes.layered(top, vp, vp / 1.75, max_distance_km=250, max_depth_km=32, elevations_km=(0, 2))


def held(found: Hypocentres, truth: dict[str, np.ndarray], level: str) -> list[float]:
    """Shares inside ellipse, ellipsoid and interval of depth, each after it the share of events that have one."""
    place = found.latitude_deg.numpy(), found.longitude_deg.numpy()
    far_km, azimuth, _ = geodesic(*place, truth["latitude_deg"], truth["longitude_deg"])
    north, east = far_km * np.cos(np.radians(azimuth)), far_km * np.sin(np.radians(azimuth))
    down = truth["depth_km"] - found.depth_km.numpy()
    ellipse, ellipsoid = getattr(found, f"ellipse{level}"), getattr(found, f"ellipsoid{level}")
    turn = np.radians(ellipse.azimuth_deg.numpy())
    along, across = north * np.cos(turn) + east * np.sin(turn), east * np.cos(turn) - north * np.sin(turn)
    axes = ellipsoid.axes_km.numpy()
    rotated = np.einsum("mij,mi->mj", ellipsoid.directions.numpy(), np.stack([north, east, down], 1))
    deep = (found.depth_sigma_km if level == "68" else found.depth95_km).numpy()
    one = ~found.ambiguous.numpy()
    shares = []
    for squared in (
        (along / ellipse.major_km.numpy()) ** 2 + (across / ellipse.minor_km.numpy()) ** 2,
        ((rotated / axes) ** 2).sum(1),
        (down / deep) ** 2,
    ):
        counted = np.isfinite(squared) & one
        inside = float((squared[counted] <= 1).mean()) if counted.any() else float("nan")
        shares += [100 * inside, 100 * float(counted.mean())]
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tell_machine()
    print(f"{'':42s} 95 %: ellipse   of | ellipsoid   of | depth   of || 68 %: the same")
    for model, times in (("smooth", smooth()), ("sharp", table())):
        for name, settings in GEOMETRIES.items():
            truth, observed = simulated(times, arguments.events, seed=arguments.seed, **settings)
            found = locate_arrivals(**observed, travel_times=times, depth_limits_km=DEPTHS_KM)
            cells = [" ".join(f"{share:6.1f}" for share in held(found, truth, level)) for level in ("95", "68")]
            print(f"{model + ', ' + name:42s} {' || '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
