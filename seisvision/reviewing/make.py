"""Makes a queue from the folds of a sweep: labels ranked, recordings drawn, the odd station named."""

from __future__ import annotations

import base64
import hashlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.base.sample_ids import are_noise
from seisvision.base.units import TRACE
from seisvision.data.corrections.corrected import StoredValues, is_of_event
from seisvision.data.samples.columns import PATH_COLUMNS
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.outputs.picks.predictions import PickPredictions
from seisvision.outputs.predictions import Predictions
from seisvision.records.folder import RunFolder
from seisvision.records.prediction_table import read_predictions
from seisvision.records.tables import write_table
from seisvision.reviewing import value_scores
from seisvision.reviewing.class_scores import log_probabilities
from seisvision.reviewing.drawing import draw_event, station_name
from seisvision.reviewing.folds import OutOfFold, out_of_fold
from seisvision.reviewing.looking import Looked, look, open_set
from seisvision.reviewing.queue import Queue, check_place, write_queue
from seisvision.reviewing.ranking import Ranked, describe, rank
from seisvision.reviewing.station_scores import StationScore, Swap, station_scores, swapped_pairs
from seisvision.seeding import DEFAULT_SEED, numpy_stream

log = logging.getLogger(__name__)

OFFSET = "path_ep_distance_km"
RANKING_COLUMNS = ("rank", "sample_id", "source_id", "column", "label", "answer", "suggested", "probability", "score",
                   "suspect", "odd_station", "odd_sigmas", "run_id")  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a queue is to hold.

    Args:
        output: name of the output whose labels are looked at; needed where a task has several.
        most: labels, the most suspect ones.
        controls: share of further labels that nobody suspects, dealt among them: in what becomes of these it shows how
            much a reviewer changes that is right.
        n_alike: samples that look alike to the network, shown with each; 0: none.
        test_share: share of the events of the test part that are looked at as well; the others stay untouched.
        seed: base seed of the controls.

    Raises:
        ConfigurationError: a number is not allowed.
    """

    output: str | None = None
    most: int = 1000
    controls: float = 0.05
    n_alike: int = 5
    test_share: float = 0.0
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        for name, value, high in (("controls", self.controls, 1.0), ("test_share", self.test_share, 1.0)):
            if not 0 <= value <= high:
                raise ConfigurationError(f"{name}={value} must lie in 0 to 1.")
        if self.most < 1 or self.n_alike < 0:
            raise ConfigurationError(f"most={self.most} must be 1 or more, and neighbours={self.n_alike} not below 0.")


def make_queue(asked: Sequence[str], out: Path, wanted: Wanted | None = None, data_dir: Path | None = None) -> Queue:
    """Rank the labels of a sweep's folds and write the queue, with ``ranking.csv`` of all of them.

    Args:
        asked: sweep folder, run folders or patterns.
        out: folder of the queue.
        wanted: what it is to hold.
        data_dir: folder of waveform sets; None: that of the runs.

    Raises:
        ConfigurationError: labels of the output are not reviewed.
        DataError: the runs are no folds, or the set is another one now.
    """
    wanted = wanted or Wanted()
    check_place(out)
    found = out_of_fold(asked, wanted.output)
    if wanted.test_share:
        reviewed = reviewed_test_samples(found, wanted.test_share)
        found = out_of_fold(asked, wanted.output, reviewed)
    waveform_set = open_set(found.folders[0], data_dir)
    if waveform_set.fingerprint != found.fingerprint:
        raise DataError(f"{waveform_set.path} is {waveform_set.fingerprint}, not {found.fingerprint} of the runs.")
    found = _without_noise(found)
    stored = StoredValues(waveform_set)
    ranked = rank(found.said, waveform_set.table)
    if not ranked:
        raise DataError("No label was predicted out of fold; there is nothing to review.")
    scores, swaps = _stations(found.said, waveform_set)
    _write_ranking(out, ranked, found, waveform_set)
    _write_stations(out, scores, swaps)
    chosen = _chosen(ranked, wanted)
    about = {
        "column": ranked[0].column,
        "columns": sorted({one.column for one in ranked}),
        "output": str(found.said.about["name"]),
        "kind": _kind(found.said),
        "unit": str(found.said.about.get("unit", "") or ""),
        "choices": _choices(found, ranked[0].column),
        "set": str(waveform_set.path.name),
        "set_fingerprint": waveform_set.fingerprint,
        "runs": [folder.run_id for folder in found.folders],
        "n_labels": len(ranked),
        "n_suspect": sum(one.is_suspect for one in ranked),
        "stations": [_plain(asdict(one)) for one in scores[:50]],
        "swaps": [asdict(one) for one in swaps],
    }
    log.info("%d labels, %d of them likely wrong; %d in the queue", len(ranked), about["n_suspect"], len(chosen))
    looked = _look(found, chosen, data_dir, wanted.n_alike)
    return write_queue(out, about, _items(chosen, found, waveform_set, stored, looked))


def reviewed_test_samples(found: OutOfFold, share: float) -> list[str]:
    """Test samples of a fixed share of the test events, chosen by a hash of their id, whatever their labels are."""
    said = read_predictions(found.folders[0].predictions("test"), found.said.about)
    return [
        sample for sample, event in zip(said.sample_ids, said.source_ids, strict=True) if is_reviewed_test(event, share)
    ]


def is_reviewed_test(source_id: str, share: float) -> bool:
    """Whether an event of the test part is one that is reviewed."""
    number = int.from_bytes(hashlib.sha256(f"reviewed test {source_id}".encode()).digest()[:8])
    return number < share * 2**64


def _without_noise(found: OutOfFold) -> OutOfFold:
    """Windows of noise have a label that no table holds."""
    kept = np.flatnonzero(~are_noise(found.said.sample_ids))
    return replace(found, said=found.said.take(kept), run_ids=found.run_ids[kept], is_test=found.is_test[kept])


def _kind(said: Predictions) -> str:
    kinds = {ClassPredictions: "class", PickPredictions: "pick", AnglePredictions: "angle"}
    return next((name for kind, name in kinds.items() if isinstance(said, kind)), "number")


def _choices(found: OutOfFold, column: str) -> list[dict[str, str]]:
    """Classes, and the value of the table that means each."""
    if not isinstance(found.said, ClassPredictions):
        return []
    labels = found.config["dataset"]["labels"][column]
    return [{"name": str(name), "value": str(next(iter(labels[name])))} for name in found.said.about["class_names"]]


def _chosen(ranked: Sequence[Ranked], wanted: Wanted) -> list[tuple[Ranked, bool]]:
    """The most suspect labels, and among them controls, each with whether it is one."""
    chosen = [(one, False) for one in ranked[: wanted.most]]
    rest = [one for one in ranked[wanted.most :] if not one.is_suspect]
    stream = numpy_stream(wanted.seed, "review controls")
    n_controls = min(len(rest), math.ceil(wanted.controls * len(chosen)))
    for place in stream.choice(len(rest), n_controls, replace=False) if n_controls else []:
        chosen.insert(int(stream.integers(len(chosen) + 1)), (rest[place], True))
    return chosen


def _stations(said: Predictions, waveform_set: WaveformSet) -> tuple[list[StationScore], list[Swap]]:
    """Residuals by station, and pairs whose coordinates look swapped; nothing of samples that are whole events."""
    if said.ids.unit != TRACE.name:
        return [], []
    table = said.ids.table(waveform_set.table)
    stations = [station_name(row) for _, row in table.iterrows()]
    if isinstance(said, ClassPredictions):
        known = said.labelled & np.isfinite(said.decoded).all(axis=1)
        logs = np.full(len(stations), np.nan)
        logs[known] = log_probabilities(said.target[known].astype(int), said.decoded[known])
        # A label that has probability p counts as the residual that a normal value has with that likelihood.
        sigmas = np.sqrt(-2 * logs)
    elif isinstance(said, PickPredictions):
        sigmas, _ = value_scores.pick_sigmas(said, said.phases[0])
    else:
        assert isinstance(said, ScalarPredictions | AnglePredictions)
        sigmas = value_scores.residual_sigmas(said)
    scores = station_scores(sigmas, stations)
    places = ("station_latitude_deg", "station_longitude_deg", "source_latitude_deg", "source_longitude_deg")
    if not isinstance(said, ScalarPredictions) or said.about["target"] not in PATH_COLUMNS or set(places) - set(table):
        return scores, []
    at = table[list(places)].to_numpy(dtype=float)
    place_of = {name: (row[0], row[1]) for name, row in zip(stations, at, strict=True)}
    suspects = [one.name for one in scores if one.is_suspect]
    return scores, swapped_pairs(said.value, stations, place_of, at[:, 2:], suspects)


def _look(
    found: OutOfFold, chosen: Sequence[tuple[Ranked, bool]], data_dir: Path | None, n_alike: int
) -> dict[str, Looked]:
    """What the network that did not train on a sample shows of it, by run."""
    samples: dict[str, list[str]] = {}
    for one, _ in chosen:
        samples.setdefault(found.run_of(one.rows[0]).run_id, []).append(found.said.sample_ids[_shown_row(one)])
    folders: dict[str, RunFolder] = {folder.run_id: folder for folder in found.folders}
    return {name: look(folders[name], data_dir, ids, found.said.sample_ids, n_alike) for name, ids in samples.items()}


def _shown_row(one: Ranked) -> int:
    """The sample of a label whose picture is shown: of the odd station, else the first."""
    return one.rows[0] if one.odd_row is None else one.odd_row


def _items(
    chosen: Sequence[tuple[Ranked, bool]],
    found: OutOfFold,
    waveform_set: WaveformSet,
    stored: StoredValues,
    looked: Mapping[str, Looked],
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    said = found.said
    place_of = {name: place for place, name in enumerate(said.sample_ids)}
    for one, is_control in chosen:
        sample = said.sample_ids[_shown_row(one)]
        shown = looked[found.run_of(one.rows[0]).run_id]
        old = stored.now((one.sample_id, one.column), one.source_id) if one.column in stored.columns else ""
        hidden = describe(one) | {
            "odd": None if one.odd_row is None else _station_of(said, one.odd_row, waveform_set),
            "alike": [
                [
                    said.source_ids[place_of[name]],
                    said.target_text(place_of[name]) if said.labelled[place_of[name]] else "",
                ]
                for name in shown.neighbours.get(sample, [])
                if name in place_of
            ],
        }
        if one.phase and one.suggested and old:
            rate_hz = float(waveform_set.table["trace_sampling_rate_hz"].iloc[int(one.sample_id)])
            hidden["suggested"] = str(round(float(old) + float(one.suggested) * rate_hz))
            hidden |= {"phase": one.phase, "moved_s": float(one.suggested)}
        why_fixed = stored.why_fixed((one.sample_id, one.column))
        can_discard = one.column in stored.columns
        if one.phase and not old:
            why_fixed = f"The time of {one.phase} was computed; no column of the set holds a pick of it in this trace."
            can_discard = False
        item = {
            "sample_id": one.sample_id, "source_id": one.source_id, "column": one.column, "old": old,
            "label": one.label, "run_id": str(found.run_ids[one.rows[0]]), "control": is_control, "hidden": hidden,
            "can_change": not why_fixed, "can_discard": can_discard, "why_fixed": why_fixed,
        }  # fmt: skip
        row = int(sample) if said.ids.unit == TRACE.name and not is_of_event(one.column) else None
        drawing = draw_event(waveform_set, one.source_id, row)
        picture = shown.pictures.get(sample)
        drawing["picture"] = None if picture is None else base64.b64encode(picture).decode()
        yield item, drawing


def _station_of(said: Predictions, row: int, waveform_set: WaveformSet) -> str | None:
    if said.ids.unit != TRACE.name:
        return None
    return station_name(waveform_set.table.iloc[int(said.sample_ids[row])])


def _write_ranking(out: Path, ranked: Sequence[Ranked], found: OutOfFold, waveform_set: WaveformSet) -> None:
    rows = [
        [
            number, one.sample_id, one.source_id, one.column, one.label, one.answer, one.suggested,
            one.probability, one.score, int(one.is_suspect),
            "" if one.odd_row is None else _station_of(found.said, one.odd_row, waveform_set) or "",
            one.odd_sigmas, found.run_ids[one.rows[0]],
        ]
        for number, one in enumerate(ranked, start=1)
    ]  # fmt: skip
    write_table(out / "ranking.csv", RANKING_COLUMNS, rows)


def _write_stations(out: Path, scores: Sequence[StationScore], swaps: Sequence[Swap]) -> None:
    swapped = {name: " and ".join(one.stations) for one in reversed(swaps) for name in one.stations}
    columns = ("station", "samples", "median_sigmas", "typical_sigmas", "significance", "suspect", "swapped")
    rows = [
        [one.name, one.n, one.median_sigmas, one.typical_sigmas, one.significance, int(one.is_suspect),
         swapped.get(one.name, "")]
        for one in scores
    ]  # fmt: skip
    write_table(out / "stations.csv", columns, rows)


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(one, float) and not math.isfinite(one) else one for key, one in content.items()}
