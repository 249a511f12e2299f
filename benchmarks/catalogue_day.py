"""What came of a catalogue of a synthetic day, against what truly happened.

seisvision data synth --continuous --out DAY
seisvision catalogue run DAY/SDS --stations DAY/stations.xml --velocity DAY/velocity.csv --out OUT --preset match
python benchmarks/catalogue_day.py DAY OUT

Beyond `seisvision catalogue score`: weak repeats found, detections in quiet hours, differential times against the true
ones, places of events of one family against each other before and after the double difference (with a bootstrap over
events), and how often the errors are within 1.96 times what noise alone leaves.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import tell_machine

from seisvision.cataloguing.job import read_named
from seisvision.cataloguing.scoring import Events, read_catalogue, score_catalogue
from seisvision.data.importing.tables.times import NS
from seisvision.earth.constants import KM_PER_DEG
from seisvision.evaluation.intervals import wilson_interval

RATE_HZ = 50.0
N_DRAWS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("day", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    tell_machine()
    required = ["kind=event", "clear_stations>=6"]
    reference = read_catalogue(args.day / "events.csv", required)
    judged = read_catalogue(args.out / "catalogue.csv")
    truth = read_named(args.day / "events.csv")
    for name, conditions in (("all", []), ("six stations or more", ["kind=associated", "n_stations>=6"])):
        score = score_catalogue(read_catalogue(args.out / "catalogue.csv", conditions), reference)
        for measure, (value, low, high, n) in score.shares.items():
            print(f"{name}: {measure} {value:.3f} [{low:.3f}, {high:.3f}] of {n}")
        print(f"{name}: false {len(score.false)}, twice {len(score.duplicates)}")
    score = score_catalogue(judged, reference)
    for name in score.apart:
        print(f"{name}: median {score.apart[name].median():+.3f}, absolute {score.apart[name].abs().median():.3f}")
    pairs = dict(score.pairs[:, ::-1].tolist())
    names = {one: row for row, one in enumerate(reference.event_id)}
    true_row = np.array([names[one] for one in truth["event_id"]])
    repeats(truth, true_row, pairs)
    quiet(args, judged)
    if (args.out / "relocated.csv").is_file():
        differences(args, judged, reference, score.pairs)
        relative(args, truth, true_row, pairs, judged)


def repeats(truth: pd.DataFrame, true_row: np.ndarray, pairs: dict[int, int]) -> None:
    """Share of weak repeats in the catalogue."""
    chosen = true_row[(truth["kind"] == "repeat").to_numpy()]
    k = sum(int(row) in pairs for row in chosen)
    low, high = wilson_interval(k, len(chosen))
    print(f"weak repeats found: {k} of {len(chosen)} [{low:.2f}, {high:.2f}]")


def quiet(args: argparse.Namespace, judged: Events) -> None:
    """Events of the catalogue in hours without any."""
    parameters = json.loads((args.day / "parameters.json").read_text())
    hour = (judged.time_ns // (3600 * NS)) % 24
    n = int(np.isin(hour, parameters["quiet_hours"]).sum())
    print(f"events in {len(parameters['quiet_hours'])} quiet hours: {n}")


def differences(args: argparse.Namespace, judged: Events, reference: Events, pairs: np.ndarray) -> None:
    """Differential times against the true ones, in samples, without the station whose clock is wrong."""
    true_of = {judged.event_id[a]: reference.event_id[b] for a, b in pairs.tolist()}
    arrivals = read_named(args.day / "arrivals.csv")
    moments = pd.to_datetime(arrivals["time"], utc=True).dt.as_unit("ns").astype("int64")
    keys = zip(arrivals["event_id"], "SY." + arrivals["station"], arrivals["phase"], strict=True)
    arrival = dict(zip(keys, moments, strict=True))
    starts = read_named(args.out / "hypocentres.csv")[["event_id", "origin_time"]]
    found = args.out / "detections.csv"
    if found.is_file():
        fresh = read_named(found)
        starts = pd.concat([starts, fresh.loc[fresh["known_id"].isna(), ["event_id", "origin_time"]]])
    times = pd.to_datetime(starts["origin_time"], utc=True).dt.as_unit("ns").astype("int64")
    origin = dict(zip(starts["event_id"], times, strict=True))
    faults = read_named(args.day / "faults.csv")
    wrong = {f"SY.{one}" for one in faults.loc[faults["fault"] == "clock", "station"]}
    table = read_named(args.out / "differential_times.csv")
    for kind, some in table.groupby("kind"):
        errors = []
        for row in some.itertuples():
            if row.station_id in wrong or row.event_id not in true_of or row.other_id not in true_of:
                continue
            ends = [arrival[(true_of[one], row.station_id, row.phase)] for one in (row.event_id, row.other_id)]
            true_s = (ends[0] - ends[1] - (origin[row.event_id] - origin[row.other_id])) / NS
            errors.append(row.difference_s - true_s)
        size = np.abs(errors) * RATE_HZ
        print(
            f"differential times from {kind}: {len(size)}, median error {np.median(size):.2f} samples, "
            f"within one sample {np.mean(size <= 1):.3f}"
        )


def relative(
    args: argparse.Namespace, truth: pd.DataFrame, true_row: np.ndarray, pairs: dict[int, int], judged: Events
) -> None:
    """Places within families against their mean, before and after."""
    before = read_named(args.out / "hypocentres.csv").set_index("event_id")
    after = read_named(args.out / "relocated.csv").set_index("event_id")
    after = after[after["reason"].isna()]
    errors: dict[str, list[np.ndarray]] = {"before": [], "after": []}
    inside = []
    for family, members in truth[(truth["family"] >= 0) & (truth["kind"] == "event")].groupby("family"):
        rows = [(row, pairs[true_row[row]]) for row in members.index if true_row[row] in pairs]
        names = [(row, judged.event_id[at]) for row, at in rows if judged.event_id[at] in after.index]
        names = [(row, name) for row, name in names if name in before.index and family >= 0]
        if len(names) < 3:
            continue
        true_km = _km(truth.loc[[row for row, _ in names]])
        own = [name for _, name in names]
        for label, table in (("before", before), ("after", after)):
            found = _km(table.loc[own])
            error = (found - found.mean(0)) - (true_km - true_km.mean(0))
            errors[label].append(error)
        stated = after.loc[own, ["noise_north_km", "noise_east_km", "noise_depth_km"]].to_numpy()
        inside.append(np.abs(errors["after"][-1]) <= 1.96 * stated)
    if not inside:
        print("no family of three events or more is in both catalogues: nothing is said of places within families")
        return
    sizes = {label: np.linalg.norm(np.concatenate(values), axis=1) for label, values in errors.items()}
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(sizes["before"]), (N_DRAWS, len(sizes["before"])))
    ratios = np.median(sizes["after"][draws], 1) / np.median(sizes["before"][draws], 1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    medians = {label: float(np.median(value)) for label, value in sizes.items()}
    print(
        f"relative errors of {len(sizes['before'])} events: median {medians['before']:.3f} km before, "
        f"{medians['after']:.3f} km after; ratio {medians['after'] / medians['before']:.3f} [{low:.3f}, {high:.3f}]"
    )
    between_pairs(errors)
    print(f"1.96 times the noise holds {np.concatenate(inside).mean():.3f} of the coordinates, where 0.95 would be all")


def between_pairs(errors: dict[str, list[np.ndarray]]) -> None:
    """Errors of the vectors between any two events of a family, which one misplaced event does not shift for all."""
    apart = {
        label: [np.linalg.norm(one[:, None] - one, axis=2)[np.triu_indices(len(one), 1)] for one in families]
        for label, families in errors.items()
    }
    medians = {label: float(np.median(np.concatenate(sizes))) for label, sizes in apart.items()}
    rng, ratios = np.random.default_rng(0), []
    for _ in range(N_DRAWS):
        drawn = rng.integers(0, len(errors["before"]), len(errors["before"]))
        before, after = (np.median(np.concatenate([apart[label][at] for at in drawn])) for label in ("before", "after"))
        ratios.append(after / before)
    low, high = np.percentile(ratios, [2.5, 97.5])
    print(
        f"vectors between {sum(map(len, apart['before']))} pairs of {len(apart['before'])} families: median error "
        f"{medians['before']:.3f} km before, {medians['after']:.3f} km after; ratio "
        f"{medians['after'] / medians['before']:.3f} [{low:.3f}, {high:.3f}] (families drawn anew)"
    )


def _km(table: pd.DataFrame) -> np.ndarray:
    latitude = table["latitude_deg"].to_numpy()
    north = latitude * KM_PER_DEG
    east = table["longitude_deg"].to_numpy() * KM_PER_DEG * np.cos(np.radians(latitude.mean()))
    return np.stack([north, east, table["depth_km"].to_numpy()], 1)


if __name__ == "__main__":
    main()
