"""How often credible regions from one station hold the epicentre: nominal against measured, over many networks.

    OMP_NUM_THREADS=1 python benchmarks/single_station.py [--networks 200] [--seed 1]

A network is made of known errors: distances on the learnt scale and directions with normal errors, whose sigmas differ
from trace to trace, at stations 1 to 60 km away. Its regions are sized on validation events, as those of
``location=single``, and asked about other events. ``share`` is the part of an error that all stations of an event have
in common, ``stated`` what the network states over what is true. Given are the mean over networks and the range of the
middle 90 % of them: one network lies somewhere in it, and the fewer events sized it the wider it is.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from measuring import tell_machine

from seisvision.base.sample_ids import SampleIds
from seisvision.evaluation.tables import render_table
from seisvision.experiments.supervised.single import SingleLocator
from seisvision.location.single import LEVELS
from seisvision.outputs.angles.output import AngleOutput
from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.outputs.numbers.predictions import ScalarPredictions

SETTINGS = {"output": "distance", "back_azimuth": "back_azimuth", "p_travel": None}
DISTANCE = ScalarOutput("distance", "path_ep_distance_km", "km", transform="log1p", loss="gaussian")
AZIMUTH = AngleOutput("back_azimuth", "path_back_azimuth_deg", loss="von_mises")
N_ASKED, MOST_STATIONS = 200, 12
EVENTS = (30, 100, 300)
CELLS = {
    "as stated": {},
    "as stated, directions to 40 deg": {"azimuth_deg": 40.0},
    "errors in common, share 0.5": {"share": 0.5},
    "stated 0.6 of what is true": {"stated": 0.6},
    "stated 1.6 of what is true": {"stated": 1.6},
    "heavy tails (Student, 3)": {"heavy": True},
    "all of these": {"azimuth_deg": 40.0, "share": 0.5, "stated": 0.6, "heavy": True},
}


def said_of(
    generator: np.random.Generator,
    n_events: int,
    azimuth_deg: float = 12.0,
    share: float = 0.0,
    stated: float = 1.0,
    heavy: bool = False,
) -> dict[str, ScalarPredictions | AnglePredictions]:
    """What a network says of events, each at 1 to 12 stations, with errors as they were asked for."""
    event = np.repeat(np.arange(n_events), generator.integers(1, MOST_STATIONS + 1, n_events))
    n = len(event)
    true_km, true_deg = generator.uniform(1, 60, n), generator.uniform(0, 360, n)
    sigma_log = 0.15 * np.exp(0.4 * generator.normal(size=n))
    sigma_rad = np.radians(azimuth_deg) * np.exp(0.4 * generator.normal(size=n))

    def errors() -> np.ndarray:
        own, common = generator.normal(size=n), generator.normal(size=n_events)[event]
        size = np.sqrt(3 / generator.chisquare(3, n)) if heavy else 1.0
        return (np.sqrt(1 - share) * own + np.sqrt(share) * common) * size

    log_km = np.log1p(true_km) + sigma_log * errors()
    turned = np.radians(true_deg) + sigma_rad * errors()
    raw_distance = np.stack([log_km, np.log(stated * sigma_log)], 1)
    raw_azimuth = np.stack([np.cos(turned), np.sin(turned)], 1) / (stated * sigma_rad)[:, None] ** 2
    ids = SampleIds("trace", [str(number) for number in range(n)], [str(number) for number in event])
    with torch.no_grad():
        decoded = [
            output.decode(torch.from_numpy(raw)).double().numpy()
            for output, raw in ((DISTANCE, raw_distance), (AZIMUTH, raw_azimuth))
        ]
    return {
        "distance": ScalarPredictions.from_decoded(DISTANCE.describe(), ids, true_km, decoded[0]),
        "back_azimuth": AnglePredictions.from_decoded(AZIMUTH.describe(), ids, true_deg, decoded[1]),
    }


def coverage(generator: np.random.Generator, n_events: int, **cell: float) -> list[float]:
    """Shares of asked events whose places lie in the regions of one network, by level; events weigh alike."""
    locator = SingleLocator(SETTINGS, said_of(generator, n_events, **cell), seed=1)
    asked = said_of(generator, N_ASKED, **cell)
    radius = locator.radius(asked)
    _, event, count = np.unique(asked["distance"].source_ids, return_inverse=True, return_counts=True)
    weight = 1 / count[event] / len(count)
    return [float(weight @ (radius <= locator.calibrated.radius(level))) for level in LEVELS]


def main() -> None:
    """Print a row a cell and number of validation events."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=200, help="of each row (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    tell_machine()
    rows = []
    for name, cell in CELLS.items():
        for n_events in EVENTS:
            generator = np.random.default_rng([asked.seed, n_events])
            found = 100 * np.array([coverage(generator, n_events, **cell) for _ in range(asked.networks)])
            cells = [
                f"{one.mean():.1f} ({np.quantile(one, 0.05):.0f} to {np.quantile(one, 0.95):.0f})" for one in found.T
            ]
            rows.append([name, str(n_events), *cells])
    head = ["errors", "validation events", "in the 68 % region (%)", "in the 95 % region (%)"]
    print(render_table(head, rows, "text"))


if __name__ == "__main__":
    main()
