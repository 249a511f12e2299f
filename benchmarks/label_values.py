"""How many planted errors of arrival times and of station coordinates the scores find, in what a real network said.

    python benchmarks/label_values.py runs/pick_ncedc/0123456789
    python benchmarks/label_values.py runs/single_station_distance/0123456789 --data-dir data

The run's predictions of its validation and test samples, which it was not trained on, stand in place of folds. Of picks
a share of the P is moved by a second; of distances the coordinates of two stations are swapped.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from measuring import tell_machine

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.earth.geodesics import geodesic
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.outputs.picks.predictions import PickPredictions
from seisvision.records.data_source import source_of
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.prediction_table import read_predictions
from seisvision.reviewing.drawing import station_name
from seisvision.reviewing.ranking import rank
from seisvision.reviewing.station_scores import station_scores, swapped_pairs
from seisvision.reviewing.value_scores import residual_sigmas
from seisvision.seeding import numpy_stream

PLACES = ["station_latitude_deg", "station_longitude_deg", "source_latitude_deg", "source_longitude_deg"]


def moved_picks(said: PickPredictions, share: float, by_s: float, seed: int) -> None:
    """Move a share of the P labels, and tell how many come first."""
    stream = numpy_stream(seed, "moved")
    number = said.phases.index("P")
    inside = np.flatnonzero(
        (said.true_s[:, number, 0] >= by_s) & (said.true_s[:, number, 0] < said.about["window_s"] - by_s)
    )
    wrong = stream.choice(inside, round(share * len(inside)), replace=False)
    target = said.target.copy()
    target[wrong, number * (target.shape[1] // len(said.phases))] += np.where(
        stream.random(len(wrong)) < 0.5, -by_s, by_s
    )
    names = {said.sample_ids[row] for row in wrong}
    ranked = [one for one in rank(replace(said, target=target)) if one.phase == "P"]
    is_wrong = np.array([one.sample_id in names for one in ranked])
    suspect = np.array([one.is_suspect for one in ranked])
    clean = [one for one in rank(said) if one.phase == "P"]
    print(f"{len(ranked)} P, {len(wrong)} of them moved by {by_s:g} s (seed {seed}):")
    print(f"  precision at that number {is_wrong[: len(wrong)].mean():.2f}; likely wrong: {suspect.sum()}, precision "
          f"{is_wrong[suspect].mean():.2f}, recall {suspect[is_wrong].mean():.2f}")  # fmt: skip
    print(f"  nothing moved: {100 * np.mean([one.is_suspect for one in clean]):.1f} % likely wrong")


def swapped_stations(said: ScalarPredictions, waveform_set: WaveformSet, n_pairs: int) -> None:
    """Swap the coordinates of each of some pairs of well recorded stations, one pair at a time."""
    table = said.ids.table(waveform_set.table)
    stations = [station_name(row) for _, row in table.iterrows()]
    at = table[PLACES].to_numpy(dtype=float)
    counts = {name: stations.count(name) for name in dict.fromkeys(stations)}
    often = [name for name in sorted(counts, key=lambda name: -counts[name]) if counts[name] >= 8]
    place_of = {name: (row[0], row[1]) for name, row in zip(stations, at, strict=True)}
    sound = [one for one in station_scores(residual_sigmas(said), stations) if one.is_suspect]
    print(f"{len(counts)} stations, {len(often)} with 8 traces or more; nothing swapped: {len(sound)} suspect")
    found = named = tried = beside = 0
    for pair in zip(often[0 : 2 * n_pairs : 2], often[1 : 2 * n_pairs : 2], strict=False):
        told = place_of | {pair[0]: place_of[pair[1]], pair[1]: place_of[pair[0]]}
        where = np.array([told[name] for name in stations])
        offset_km, _, _ = geodesic(at[:, 2], at[:, 3], where[:, 0], where[:, 1])
        scores = station_scores(residual_sigmas(replace(said, target=np.asarray(offset_km))), stations)
        suspects = [one.name for one in scores if one.is_suspect]
        swaps = swapped_pairs(said.value, stations, told, at[:, 2:], suspects)
        tried += 1
        found += set(pair) <= set(suspects)
        named += any(set(one.stations) == set(pair) for one in swaps)
        beside += len(set(suspects) - set(pair) - {one.name for one in sound})
    print(
        f"{tried} pairs swapped, one by one: both suspect {found}, named as swapped {named}, further suspects {beside}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--by-s", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=5)
    asked = parser.parse_args()
    tell_machine()
    folder = RunFolder(asked.run)
    (about,) = read_json(folder.metrics_file)["outputs"]
    parts = [folder.predictions(part) for part in ("val", "test") if folder.predictions(part).is_file()]
    said = type(read_predictions(parts[0], about)).concatenate([read_predictions(path, about) for path in parts])
    if isinstance(said, PickPredictions):
        for seed in (1, 2, 3):
            moved_picks(said, asked.share, asked.by_s, seed)
    elif isinstance(said, ScalarPredictions):
        source = source_of(folder.config()["dataset"]["source"])
        swapped_stations(said, WaveformSet(source.prepare(asked.data_dir)), asked.pairs)


if __name__ == "__main__":
    main()
