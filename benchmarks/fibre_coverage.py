"""How near places along a fibre are two seconds after the first channel, and how often their ellipses hold the truth.

    OMP_NUM_THREADS=1 python benchmarks/fibre_coverage.py [--events 150] [--seed 3407] [--bend 3] [--delay 0.05]

Events are those of ``seisvision fibre synth``, with recordings that are picked as ``seisvision fibre locate`` does.
Beside these picks stand true arrivals, late or early by the ground beneath, and exact ones, which tell what geometry
allows; locations with a uniform velocity; and, as the simplest guess, the middle of the first 101 channels.
Events that were not located count as not near. Shares and intervals (Wilson, 95 %) are percentages of events.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from measuring import tell_machine

from seisvision.data.fibre.synthesis import FibreParameters, channel_places, crust, simulated_event
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.evaluation.fibre import NEAR_KM, FibreSettings
from seisvision.evaluation.intervals import wilson_interval
from seisvision.location.fibre.line import Line
from seisvision.location.fibre.warning import CHOICES, FIRST_PICKS, bounds, chosen, updates
from seisvision.picking.channel_onsets import first_onsets_s

WAYS = ("raw", "thinned")


@dataclass
class Row:
    """What became of the events in one way of locating."""

    off_km: list[tuple[float, float]] = field(default_factory=list)
    """Of the likelier side, and of the nearer one; infinite where nothing was located."""
    held: list[tuple[bool, bool]] = field(default_factory=list)
    """By ellipses of 95 and of 68 %, where there are any."""
    side: list[tuple[bool, float]] = field(default_factory=list)
    """Whether the likelier side is the nearer one, and its probability."""

    def text(self, name: str) -> str:
        """One line of the table."""
        off = np.array(self.off_km)
        located = np.isfinite(off[:, 0])
        near = [_share(column <= NEAR_KM) for column in off.T]
        median = " ".join(f"{np.median(column[located]):6.1f}" for column in off.T)
        words = f"{name:44s} {located.sum():4d}  {near[0]}  {near[1]}  {median}"
        if not self.held:
            return words
        held = np.array(self.held)
        right, said = np.array(self.side, float).mean(0)
        inside = "  ".join(_share(column) for column in held.T)
        return f"{words}  {len(held):4d}  {inside}  {100 * right:3.0f} ({100 * said:.0f})"


def _share(there: np.ndarray) -> str:
    low, high = wilson_interval(int(there.sum()), len(there))
    return f"{100 * there.mean():3.0f} ({100 * low:2.0f}-{100 * high:3.0f})"


def located(
    row: Row, line: Line, onset_s: np.ndarray, times: TravelTimes, true_km: np.ndarray, way: str, choice: str
) -> None:
    """Add one event to a row."""
    settings = FibreSettings()
    thin_km = settings.correlation_km if way == "thinned" else None
    best = chosen(updates(line, onset_s, times, sigma_s=settings.sigma_s, correlation_km=thin_km), choice)
    if best is None:
        row.off_km.append((np.inf, np.inf))
        return
    sides = best.best, best.other
    off = [float(np.hypot(*(side.place_km[:2] - true_km))) for side in sides]
    row.off_km.append((off[0], min(off)))
    if way == "thinned" and bounds(best):
        stated = sides[: 1 + best.ambiguous]
        inside = [any(side.held(true_km, level) for side in stated) for level in (0.95, 0.68)]
        row.held.append((inside[0], inside[1]))
        row.side.append((off[0] <= off[1], best.best.probability))


def guessed(row: Row, line: Line, onset_s: np.ndarray, true_km: np.ndarray) -> None:
    """Add the simplest guess of one event to a row."""
    order = np.argsort(np.where(np.isfinite(onset_s), onset_s, np.inf))[:FIRST_PICKS]
    off = float(np.hypot(*(np.median(line.channel_km[order], axis=0) - true_km)))
    row.off_km.append((off, off))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=150)
    parser.add_argument("--seed", type=int, default=3407)
    parser.add_argument("--bend", type=float, default=3.0, help="km by which the fibre swings to either side")
    parser.add_argument("--delay", type=float, default=0.05, help="s of what the ground delays, standard deviation")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tell_machine()
    p = FibreParameters(seed=arguments.seed, bend_km=arguments.bend, delay_s=arguments.delay)
    times, uniform = crust(), TravelTimes.constant(6.0, 3.46)
    along, latitude, longitude = channel_places(p)
    line = Line.of(latitude, longitude, along)
    rows: dict[str, Row] = {}
    for number in range(arguments.events):
        record, source, arrived_s = simulated_event(p, times, number)
        place = (np.array([source[f"source_{name}_deg"]]) for name in ("latitude", "longitude"))
        true_km = line.kilometres(*place)[0]
        picked_s = first_onsets_s(record.samples, record.rate_hz, FibreSettings().ratio)
        distance = torch.from_numpy(np.hypot(*(line.channel_km - true_km).T))
        deep, zero = torch.full_like(distance, source["source_depth_km"]), torch.zeros_like(distance)
        exact_s = times.times_s(zero.long(), deep, distance, zero)[0].numpy()
        cases = [("picks", picked_s, times, way, choice) for way in WAYS for choice in CHOICES[::-1]]
        cases += [("picks, 6 km/s", picked_s, uniform, "thinned", "latest")]
        cases += [
            ("true arrivals", arrived_s, times, "thinned", "latest"),
            ("exact", exact_s, times, "thinned", "latest"),
        ]
        for name, onset_s, model, way, choice in cases:
            row = rows.setdefault(f"{name}, {way}, {choice}", Row())
            located(row, line, onset_s, model, true_km, way, choice)
        guessed(rows.setdefault("middle of the first channels", Row()), line, picked_s, true_km)
    print(
        f"{arguments.events} events, fibre swings {p.bend_km:g} km, ground delays {p.delay_s:g} s; near: {NEAR_KM:g} km"
    )
    print(
        f"{'onsets, channels, location that counts':44s} loc.  near         or mirrored  median, nearer  ell.  "
        "95 % held    68 % held    side right (said)"
    )
    for name, row in rows.items():
        print(row.text(name))


if __name__ == "__main__":
    main()
