"""What a network that predicts places has to beat: the mean place, and arrival times with learnt travel times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seisvision.evaluation.baselines.arrival_features import COLUMNS
from seisvision.evaluation.baselines.feature_table import FeatureTable
from seisvision.evaluation.baselines.learnt_times import FEWEST_EVENTS, FEWEST_PICKS, LearntTimes, learnt_times
from seisvision.outputs.baseline import Baseline
from seisvision.outputs.places.columns import PARTS
from seisvision.outputs.truth import truth_of

ARRIVALS = "arrival_times"
TOLD = "automatic P and S of the whole window, located with travel times learnt from the training events"


def place_baselines(
    kind: Any,
    features: Mapping[str, FeatureTable | str],
    about: Mapping[str, Any],
    parts: Mapping[str, Any],
    level: float,
) -> dict[str, Baseline]:
    """The mean of the training events, and what automatic picks say, fitted on ``parts["train"]``.

    Args:
        kind: the class of predictions of places.
        features: by kind, tables or the reason why there is none.
        about: description of the output.
        parts: by name what has ``ids`` and ``targets``.
        level: confidence level of the intervals.
    """
    truth = {part: np.asarray(truth_of(about, one.targets), float) for part, one in parts.items()}
    guess = kind.training_guess(about, truth["train"])
    asked = {part: one for part, one in parts.items() if part != "train"}

    def finish(name: str, told: str, decoded: Mapping[str, np.ndarray]) -> Baseline:
        said = {part: kind.from_decoded(about, asked[part].ids, truth[part], decoded[part]) for part in decoded}
        return Baseline(name, told, [], {part: one.measures(level) for part, one in said.items()}, said)

    guessed = {part: np.tile(guess, (len(one.ids), 1)) for part, one in asked.items() if guess is not None}
    found = {kind.guess_name: finish(kind.guess_name, kind.guess_description, guessed)}
    table = features.get(ARRIVALS)
    if table is None:
        return found
    learnt = table if isinstance(table, str) else _learnt(kind, table, about, parts["train"], truth["train"])
    if isinstance(learnt, str) or isinstance(table, str):
        return found | {ARRIVALS: Baseline(ARRIVALS, TOLD, skipped=str(learnt))}
    said = {part: _decoded(learnt, _times_s(table, one)) for part, one in asked.items()}
    return found | {ARRIVALS: finish(ARRIVALS, TOLD, said)}


def _times_s(table: FeatureTable, part: Any) -> np.ndarray:
    """Arrival times (N, 2 S), P and S of one station after the other."""
    rows = table.select(part.ids.ids)
    return rows.reshape(len(rows), -1, len(COLUMNS))[:, :, :2].reshape(len(rows), -1)


def _learnt(
    kind: Any, table: FeatureTable, about: Mapping[str, Any], train: Any, truth: np.ndarray
) -> LearntTimes | str:
    """Travel times from the training events, or the reason why there are none."""
    known = np.isfinite(truth[:, :2]).all(1)
    east_km, north_km = kind.plane_of(about).to_km(truth[known, 0], truth[known, 1])
    stations = (
        table.values.reshape(len(table.values), -1, len(COLUMNS))[0, :, 2:] if len(table.values) else np.zeros((0, 2))
    )
    number = np.arange(2 * len(stations))
    found = learnt_times(
        _times_s(table, train)[known],
        number // 2,
        number % 2,
        np.column_stack([east_km, north_km, truth[known, 2]]),
        stations,
    )
    few = f"fewer than {FEWEST_EVENTS} training events with enough arrivals, of {FEWEST_PICKS} at a station"
    return few if found is None else found


def _decoded(learnt: LearntTimes, time_s: np.ndarray) -> np.ndarray:
    """Places (N, 8) with the spreads of training events that were located without themselves."""
    place_km = learnt.locate(time_s, learnt.bandwidth_km)
    decoded = np.full((len(place_km), len(PARTS) + 1), np.nan)
    answered = np.isfinite(place_km).all(1)
    decoded[:, :3] = place_km
    decoded[answered, 3:6] = learnt.spread_km
    decoded[answered, 6] = 0.0
    return decoded
