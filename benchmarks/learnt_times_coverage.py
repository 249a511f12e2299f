"""Whether regions of the baseline `arrival_times` hold what they say, on sets that are cut into fifths.

    OMP_NUM_THREADS=1 python benchmarks/learnt_times_coverage.py --worlds 300 --sets data/pnw_exotic

Each fifth is located once by what was learnt from three others; the regions are sized on the fifth one, or, with
--no-validation, on the training events themselves. Sets are folders with waveforms, of which P and S are picked by
rule. Phases are those of the repository pnsn/Mt_Baker_LF_Research (GPL-3), of stations whose places are not told.
Worlds have no waveforms: 16 stations, arrival times with delays of stations and of paths that are alike for
neighbouring events, errors of Student's t, and picks that are wrong altogether, more of them in weak events. Intervals
are binomial, of 95 %.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from measuring import tell_machine
from scipy.stats import binomtest

from seisvision.base.sample_ids import SampleIds
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.earth.projection import Projection
from seisvision.evaluation.baselines.arrival_features import COLUMNS
from seisvision.evaluation.baselines.feature_table import FeatureTable
from seisvision.judging.baselines import Part
from seisvision.outputs.places.baselines import ARRIVALS, place_baselines
from seisvision.outputs.places.columns import COLUMNS as PLACE
from seisvision.outputs.places.measures import LEVELS
from seisvision.outputs.places.predictions import PlacePredictions
from seisvision.outputs.truth import by_column
from seisvision.picking.by_rule import picks_by_rule

N_FIFTHS = 5
N_STATIONS = 16
SPEED_KM_S = np.array([6.0, 3.4])
HEAD = ("", "events", "median (km)", "epicentre 68 %", "95 %", "depth 68 %", "95 %", "ellipse of 95 % (km2)")


class Arrivals(NamedTuple):
    """P and S of E events at S stations."""

    time_s: np.ndarray
    """(E, S, 2)."""
    place: np.ndarray
    """(E, 3) latitude, longitude and depth."""
    station_deg: np.ndarray
    """(S, 2), NaN where they are not known."""


def main() -> None:
    """Locate every fifth of each set and print what regions hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, nargs="*", default=[], metavar="EVENTS", help="without waveforms")
    parser.add_argument("--sets", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--hide-stations", action="store_true", help="of sets: do not tell where they stand")
    parser.add_argument("--phases", type=Path, nargs="*", default=[], metavar="CSV")
    parser.add_argument("--no-validation", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    tell_machine()
    print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    rng = np.random.default_rng(args.seed)
    for n in args.worlds:
        report(f"world of {n} events", world(n, rng), args)
    for path in args.sets:
        report(path.name, of_set(path, args.hide_stations), args)
    for path in args.phases:
        report(path.name.split(".")[0], of_phases(path), args)


def world(n: int, rng: np.random.Generator) -> Arrivals:
    """Arrival times of n simulated events, without waveforms."""
    station_km, place_km = rng.uniform(-60, 60, (N_STATIONS, 2)), rng.uniform((-50, -50, 3), (50, 50, 15), (n, 3))
    way_km = np.sqrt(((place_km[:, None, :2] - station_km) ** 2).sum(-1) + place_km[:, 2:] ** 2)
    time_s = way_km[..., None] / SPEED_KM_S + rng.normal(0, 0.2, (N_STATIONS, 2)) + rng.uniform(5, 60, (n, 1, 1))
    # Sines of random directions some 30 km long, one for each station and phase: delays of paths.
    wave = rng.normal(0, 2 * np.pi / 30, (N_STATIONS, 2, 2))
    phase = rng.uniform(0, 2 * np.pi, (N_STATIONS, 2))
    time_s += 0.15 * np.sin(np.einsum("ni,spi->nsp", place_km[:, :2], wave) + phase) * SPEED_KM_S[0] / SPEED_KM_S
    weak = rng.beta(0.6, 2.0, (n, 1, 1))
    time_s += 0.08 * (1 + 3 * weak) * rng.standard_t(3, time_s.shape)
    time_s = np.where(rng.random(time_s.shape) < 0.7 * weak, rng.uniform(0, 90, time_s.shape), time_s)
    time_s[rng.random(time_s.shape) < 0.5 * weak] = np.nan
    plane = Projection(45.0, 10.0)
    station_deg = np.stack(plane.to_degrees(*station_km.T), 1)
    return Arrivals(time_s, np.column_stack([*plane.to_degrees(*place_km[:, :2].T), place_km[:, 2]]), station_deg)


def of_set(path: Path, hides_stations: bool) -> Arrivals:
    """Automatic P and S of a set of events, as :func:`arrival_time_features` has them."""
    opened = WaveformSet(path)
    table = opened.metadata
    name = table["station_network_code"].astype(str) + "." + table["station_code"].astype(str)
    slot, names = pd.factorize(name, sort=True)
    where = table.groupby(slot)[["station_latitude_deg", "station_longitude_deg"]].first().to_numpy(float)
    times, places = [], []
    for event in opened.source_ids:
        rows = np.array(opened.rows(event))
        place = table.iloc[rows[0]][list(PLACE)].to_numpy(float)
        if not np.isfinite(place[:2]).all():
            continue
        waveforms, _ = opened.read_rows(rows, "ZNE")
        length = max(one.shape[1] for one in waveforms)
        together = np.stack([np.pad(one, ((0, 0), (0, length - one.shape[1]))) for one in waveforms])
        rate_hz = float(table["trace_sampling_rate_hz"].iloc[rows[0]])
        time_s, clear = picks_by_rule(together[:, 0], together[:, 1:], rate_hz)["akaike"]
        found = np.full((len(names), 2), np.nan)
        found[slot[rows]] = np.where(clear >= 1, time_s, np.nan)
        times.append(found)
        places.append(place)
    return Arrivals(np.stack(times), np.stack(places), np.full_like(where, np.nan) if hides_stations else where)


def of_phases(path: Path) -> Arrivals:
    """Readings of analysts; the origin is not told."""
    table = pd.read_csv(path, converters=dict.fromkeys(("net", "sta"), str))
    table = table[table["iphase"].isin(["P", "S"])]
    events = table.groupby("evid").agg({"lat": "first", "lon": "first", "depth": "first", "datetime.1": "min"})
    event = events.index.get_indexer(table["evid"])
    slot, names = pd.factorize(table["net"] + "." + table["sta"])
    time_s = np.full((len(events), len(names), 2), np.nan)
    time_s[event, slot, (table["iphase"] == "S").astype(int)] = (
        table["datetime.1"] - events["datetime.1"].to_numpy()[event]
    )
    enough = np.isfinite(time_s).sum((1, 2)) >= 6
    return Arrivals(time_s[enough], events.to_numpy()[enough, :3], np.full((len(names), 2), np.nan))


def report(name: str, arrivals: Arrivals, args: argparse.Namespace) -> None:
    """Print the line of a set."""
    n = len(arrivals.time_s)
    plane = Projection.about(arrivals.place[:, 0], arrivals.place[:, 1])
    about = {"name": "place", "kind": "place", "target": "source_place", "columns": list(PLACE), "tolerance_km": 5.0}
    about["origin_deg"] = [plane.latitude_deg, plane.longitude_deg]
    station_km = np.stack(plane.to_km(*arrivals.station_deg.T), 1)
    values = np.concatenate([arrivals.time_s, np.tile(station_km, (n, 1, 1))], 2).reshape(n, -1)
    ids = SampleIds.of_events([f"e{number:05d}" for number in range(n)])
    names = [f"{column} of station {slot + 1}" for slot in range(len(station_km)) for column in COLUMNS]
    whole, table = Part(ids, by_column(about, arrivals.place)), FeatureTable(ids, names, values)
    fifth = np.empty(n, dtype=int)
    fifth[np.random.default_rng(args.seed).permutation(n)] = np.arange(n) % N_FIFTHS
    said, told = [], set()
    for test in range(N_FIFTHS):
        is_val = (fifth == (test + 1) % N_FIFTHS) & (not args.no_validation)
        parts = {"train": whole.where((fifth != test) & ~is_val), "test": whole.where(fifth == test)}
        if is_val.any():
            parts["val"] = whole.where(is_val)
        found = place_baselines(PlacePredictions, {ARRIVALS: table}, about, parts, 0.95)[ARRIVALS]
        told.add(found.skipped or found.description)
        if not found.skipped:
            said.append(found.predictions["test"])
    if not said:
        print(f"| {name} | {n} | " + "; ".join(told))
        return
    errors = [one.errors for one in said]
    away_km = np.concatenate([one.epicentre_km for one in errors])
    columns = [name, f"{np.isfinite(away_km).sum()} of {n}", f"{np.nanmedian(away_km):.2f}"]
    for inside, excess in (("inside", "excess"), ("depth_inside", "depth_excess")):
        for level in LEVELS:
            held = [getattr(one, inside)(level)[np.isfinite(getattr(one, excess))] for one in errors]
            columns.append(share_text(np.concatenate(held)))
    area_km2 = np.concatenate([one.area95_km2 for one in said])
    print("| " + " | ".join([*columns, f"{np.nanmedian(area_km2):.3g}"]) + " |", flush=True)
    for one in sorted(told):
        print(f"  {one}", flush=True)
    near_km, far_km = np.nanquantile(away_km, LEVELS)
    reach = [np.divide(*(one.errors.size_of(level)[0] for level in reversed(LEVELS))) for one in said]
    tail = f"within {far_km:.2g} km, {far_km / near_km:.1f} times as far (normal: 1.6)"
    inside = np.concatenate([one.inside(0.95) for one in errors])
    by_size = np.array_split(np.argsort(area_km2)[: np.isfinite(area_km2).sum()], 3)
    thirds = ", ".join(f"{inside[part].mean():.1%}" for part in by_size)
    print(f"  of the smallest, the middle and the largest third of the ellipses of 95 % hold {thirds}")
    print(
        f"  68 % of the errors are within {near_km:.2g} km, 95 % {tail}; ellipses {np.mean(reach):.1f} times",
        flush=True,
    )


def share_text(inside: np.ndarray) -> str:
    """Per cent with its interval."""
    if not len(inside):
        return ""
    ends = binomtest(int(inside.sum()), len(inside)).proportion_ci()
    return f"{inside.mean():.1%} ({ends.low:.1%} to {ends.high:.1%})"


if __name__ == "__main__":
    main()
