"""Odd but sound habits of recording and writing, mixed at random: an import gives the true motion back, or refuses.

python tests/data/odd_habits.py --inputs 2000 --seed 7     a longer search than the tests make
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from habit_tables import write_catalogue, write_picks, write_stations
from habits import DIRECTIONS, HABITS
from true_ground import (
    AMPLITUDE,
    ONSET_S,
    ORIGIN,
    S_AFTER_P_S,
    TONES_HZ,
    Tree,
    plain_tree,
    write_waveforms,
)

from seisvision.data.importing.importer import NothingLeftError, run_import
from seisvision.data.importing.recipe import build_recipe
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import SeisvisionError

FROM_S, TO_S = ONSET_S + 2, ONSET_S + 42
"""Seconds after the origin over which the tones are measured: whole periods of all three to a few percent."""


def odd_tree(seed: int, number: int) -> tuple[str, Tree]:
    """A tree with one to three habits, the same for the same seed and number."""
    rng = np.random.default_rng([seed, number])
    tree = plain_tree(number)
    chosen = [HABITS[number % len(HABITS)]]
    chosen += [HABITS[int(i)] for i in rng.choice(len(HABITS), int(rng.integers(0, 3)), replace=False)]
    directions = [habit for habit in dict.fromkeys(chosen) if habit in DIRECTIONS]
    names = []
    for habit in dict.fromkeys(chosen):
        if habit in directions[1:]:
            continue
        habit(tree, rng)
        names.append(habit.__name__)
    return f"{seed}-{number}-{'+'.join(names)}", tree


def write_tree(tree: Tree, folder: Path) -> dict[str, Any]:
    """Write everything and return the settings of its recipe."""
    write_waveforms(tree, folder)
    events = write_catalogue(tree, folder)
    stations = write_stations(tree, folder)
    for step in tree.after:
        step(folder)
    source = {"name": "odd", "waveforms": [str(folder / "wav")], "response": tree.response}
    if tree.source.pop("compressed", False):
        events = events.with_name(events.name + ".gz")
    source |= {"events": str(events), "stations": str(stations)}
    source |= {key: value for key, value in tree.source.items() if value is not None}
    if tree.picks is not None:
        source["picks"] = str(write_picks(tree, folder))
    quality = {"max_flat_s": 20.0}
    return {"name": "odd", "sources": [source], "quality": quality, "window": None} | tree.settings


def check_tree(tree: Tree, folder: Path) -> str:
    """Import the tree; return what became of it, and assert that nothing in the set is untrue."""
    recipe = build_recipe(write_tree(tree, folder))
    out = folder / "set"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = run_import(recipe, out)
    except SeisvisionError as error:
        if isinstance(error, NothingLeftError):
            check_counts(error.report, pd.read_csv(error.rejections, keep_default_na=False))
            reason = pd.read_csv(error.rejections)["reason"].iloc[0]
        else:
            reason = str(error)
        assert tree.may_refuse, f"refused without need: {reason}"
        return "refused"
    check_counts(report, pd.read_csv(out / "rejected.csv", keep_default_na=False))
    made = WaveformSet(out)
    for row in range(len(made.metadata)):
        check_row(tree, made, row)
    if not tree.may_refuse:
        kinds = [f"{item.trace_id} {item.reason}" for item in report.rejections if item.kind == "recording"]
        assert len(made.metadata) == len(tree.stations) and not kinds, f"lost without need: {kinds}"
    return "taken" if not report.rejections else "taken in part"


def check_counts(report: Any, listed: pd.DataFrame) -> None:
    """Whatever came in is in the set or has a line with a reason."""
    assert (listed["reason"].str.len() > 0).all()
    kinds = [rejection.kind for rejection in report.rejections]
    assert report.n_recordings.total() == report.n_components.total() + kinds.count("recording"), "channels lost"
    assert report.n_catalogue.total() == report.n_events + kinds.count("event"), "events lost"


def check_row(tree: Tree, made: WaveformSet, number: int) -> None:
    """Compare one row of the set with what is true."""
    row = made.metadata.iloc[number]
    site = next(site for site in tree.stations if site.code == row["station_code"])
    for column, true, tolerance in (
        ("source_latitude_deg", tree.event["latitude"], 1e-3),
        ("source_longitude_deg", tree.event["longitude"], 1e-3),
        ("source_depth_km", tree.event["depth_km"], 1e-2),
        ("source_magnitude", tree.event["magnitude"], 1e-2),
        ("station_latitude_deg", site.latitude_deg, 1e-3),
        ("station_longitude_deg", site.longitude_deg, 1e-3),
        ("station_elevation_m", site.elevation_m, 1.0),
    ):
        assert abs(float(row[column]) - true) <= tolerance, f"{column} is {row[column]}, not {true}"
    late_s = abs(pd.Timestamp(row["source_origin_time"]).timestamp() - ORIGIN.timestamp)
    assert late_s < 0.01, f"the origin time is {row['source_origin_time']}"
    _check_picks(tree, row)
    if row.get("trace_overlap_differs", False) in (True, "True"):
        return
    waveform, mask = made.read_trace(number)
    _check_motion(waveform, mask, row)


def _check_picks(tree: Tree, row: pd.Series) -> None:
    start_s = pd.Timestamp(row["trace_start_time"]).timestamp() - ORIGIN.timestamp
    for phase, true_s in (("p", ONSET_S), ("s", ONSET_S + S_AFTER_P_S)):
        sample = float(row.get(f"trace_{phase}_arrival_sample", np.nan))
        assert np.isfinite(sample) == (tree.picks is not None), f"pick of {phase} in {tree.picks}: {sample}"
        if np.isfinite(sample):
            late_s = start_s + sample / float(row["trace_sampling_rate_hz"]) - true_s
            assert abs(late_s) < 0.03, f"{phase} of {tree.picks} is {late_s:.2f} s late"


def _check_motion(waveform: np.ndarray, mask: np.ndarray, row: pd.Series) -> None:
    rate = float(row["trace_sampling_rate_hz"])
    start_s = pd.Timestamp(row["trace_start_time"]).timestamp() - ORIGIN.timestamp
    time_s = start_s + np.arange(waveform.shape[1]) / rate
    inside = (time_s >= FROM_S) & (time_s < TO_S)
    assert inside.sum() > 0.9 * (TO_S - FROM_S) * rate, f"covers {start_s:.1f} s to {time_s[-1]:.1f} s only"
    basis = [np.exp(2j * np.pi * tone * (time_s[inside] - ONSET_S)) for tone in TONES_HZ.values()]
    design = np.stack([part for tone in basis for part in (tone.imag, tone.real)], axis=1)
    for i, letter in enumerate("ZNE"):
        if not mask[i]:
            continue
        found = np.linalg.lstsq(design, waveform[i, inside].astype(float), rcond=None)[0].reshape(3, 2) / AMPLITUDE
        wanted = np.zeros((3, 2))
        wanted[i, 0] = 1.0
        worst = float(np.abs(found - wanted).max())
        # What was lost and interpolated is told, and cannot be right.
        lost = float(row["trace_interpolated_s"]) / waveform.shape[1] * rate
        assert worst < 0.06 + 2 * lost, f"component {letter} of {row['station_code']} holds {found.round(3).tolist()}"


def main() -> None:
    """Go through many trees and print what was untrue, lost or crashed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    verdicts: dict[str, int] = {}
    for number in range(args.inputs):
        name, tree = odd_tree(args.seed, number)
        with tempfile.TemporaryDirectory() as folder:
            try:
                verdict = check_tree(tree, Path(folder))
            except Exception as error:  # what is sought
                verdict = type(error).__name__
                print(f"{name}: {verdict}: {str(error)[:300]}", flush=True)
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
    print(verdicts)


if __name__ == "__main__":
    main()
