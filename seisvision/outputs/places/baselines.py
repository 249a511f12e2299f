"""What a network that predicts places has to beat: the mean place, and arrival times with learnt travel times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from seisvision.evaluation.baselines.arrival_features import COLUMNS
from seisvision.evaluation.baselines.feature_table import FeatureTable
from seisvision.evaluation.baselines.held_back import (
    FEWEST_HELD_BACK,
    NO_REGIONS,
    RegionSizes,
    located_without,
)
from seisvision.evaluation.baselines.learnt_times import (
    FEWEST_EVENTS,
    FEWEST_PICKS,
    LearntTimes,
    Located,
    learnt_times,
)
from seisvision.outputs.baseline import Baseline
from seisvision.outputs.places.measures import LEVELS, normal_size
from seisvision.outputs.truth import truth_of

ARRIVALS = "arrival_times"
TOLD = "automatic P and S of the whole window, located with travel times learnt from the training events"
FEW = f"fewer than {FEWEST_EVENTS} training events with enough arrivals, of {FEWEST_PICKS} at a station"


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

    def finish(name: str, told: str, decoded: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> Baseline:
        said = {part: kind.from_decoded(about, asked[part].ids, truth[part], decoded[part]) for part in decoded}
        return Baseline(name, told, [], {part: one.measures(level) for part, one in said.items()}, said)

    guessed = {part: np.tile(guess, (len(one.ids), 1)) for part, one in asked.items() if guess is not None}
    found = {kind.guess_name: finish(kind.guess_name, kind.guess_description, guessed, about)}
    table = features.get(ARRIVALS)
    if table is None:
        return found
    if isinstance(table, str):
        return found | {ARRIVALS: Baseline(ARRIVALS, TOLD, skipped=table)}
    training = _Training.of(kind, table, about, parts["train"], truth["train"])
    learnt = training.learn()
    if learnt is None:
        return found | {ARRIVALS: Baseline(ARRIVALS, TOLD, skipped=FEW)}
    located = {part: learnt.locate(_times_s(table, one), learnt.bandwidth_km) for part, one in asked.items()}
    sizes, sized_on, sizing = _sizes(kind, about, training, learnt, parts, truth, located)
    about = {**about, "region_sizes": _about_sizes(sizes)}
    no_depth = "" if learnt.depth_km is not None else f"; no depth, which fewer than {FEWEST_EVENTS} of these have"
    # Regions would lie around the very events that say how large they are more often than around others.
    said = {part: _decoded(one, NO_REGIONS if part == sizing else sizes) for part, one in located.items()}
    return found | {ARRIVALS: finish(ARRIVALS, f"{TOLD}{no_depth}; {sized_on}", said, about)}


def _times_s(table: FeatureTable, part: Any) -> np.ndarray:
    """Arrival times (N, 2 S), P and S of one station after the other."""
    rows = table.select(part.ids.ids)
    return rows.reshape(len(rows), -1, len(COLUMNS))[:, :, :2].reshape(len(rows), -1)


@dataclass(frozen=True)
class _Training:
    """Arrival times of the E training events whose epicentres are known."""

    time_s: np.ndarray
    """(E, 2 S)."""
    place_km: np.ndarray
    """(E, 3)."""
    station_km: np.ndarray
    """(S, 2)."""
    source_ids: np.ndarray
    """(E,)."""

    @classmethod
    def of(cls, kind: Any, table: FeatureTable, about: Mapping[str, Any], train: Any, truth: np.ndarray) -> _Training:
        known = np.isfinite(truth[:, :2]).all(1)
        rows = table.values.reshape(len(table.values), -1, len(COLUMNS))
        stations = rows[0, :, 2:] if len(rows) else np.zeros((0, 2))
        events = np.asarray(train.ids.source_ids)[known]
        return cls(_times_s(table, train)[known], _places_km(kind, about, truth[known]), stations, events)

    def learn(self, some: np.ndarray | slice = slice(None), **settings: Any) -> LearntTimes | None:
        """Travel times from all events or those at places (M,)."""
        number = np.arange(2 * len(self.station_km))
        kinds = number // 2, number % 2
        return learnt_times(self.time_s[some], *kinds, self.place_km[some], self.station_km, **settings)


def _places_km(kind: Any, about: Mapping[str, Any], truth: np.ndarray) -> np.ndarray:
    """True places (N, 3) as east, north and depth."""
    east_km, north_km = kind.plane_of(about).to_km(truth[:, 0], truth[:, 1])
    return np.column_stack([east_km, north_km, truth[:, 2]])


def _sizes(
    kind: Any,
    about: Mapping[str, Any],
    training: _Training,
    learnt: LearntTimes,
    parts: Mapping[str, Any],
    truth: Mapping[str, np.ndarray],
    located: Mapping[str, Located],
) -> tuple[RegionSizes, str, str]:
    """How large regions are, what says so, and its part: the validation events, where others are asked about as well,
    or training events without themselves."""
    if "val" in located and len(located) > 1:
        place_km = _places_km(kind, about, truth["val"])
        n = np.isfinite(located["val"].place_km[:, :2] + place_km[:, :2]).all(1).sum()
        if n >= FEWEST_HELD_BACK:
            sizes = RegionSizes.of(located["val"], place_km, parts["val"].ids.source_ids, LEVELS)
            told = f"regions of others as large as {n} validation events say{_no_interval(learnt, sizes)}"
            return sizes, told, "val"
    found = located_without(partial(training.learn, bandwidth_km=learnt.bandwidth_km), training.time_s)
    if found is None:
        return NO_REGIONS, "no regions, for too few events are left to size them", "train"
    n = np.isfinite(found.place_km[:, 0]).sum()
    sizes = RegionSizes.of(found, training.place_km, training.source_ids.tolist(), LEVELS)
    told = f"regions as large as {n} training events say, each located without itself{_no_interval(learnt, sizes)}"
    return sizes, told, "train"


def _no_interval(learnt: LearntTimes, sizes: RegionSizes) -> str:
    """What these events are too few for."""
    epicentre, depth = sizes.of_level(max(LEVELS))
    if math.isnan(epicentre):
        return f", too few for regions of {max(LEVELS):.0%}"
    few_deep = learnt.depth_km is not None and math.isnan(depth)
    return f", too few of known depth for intervals of {max(LEVELS):.0%}" if few_deep else ""


def _decoded(located: Located, sizes: RegionSizes) -> np.ndarray:
    """Places (N, 8) whose spreads are those of normal distributions that have the regions of 68 %."""
    plane_km2, depth_km = sizes.covariances_km2(located)
    east_km, north_km = np.sqrt(plane_km2[:, 0, 0]), np.sqrt(plane_km2[:, 1, 1])
    across, down = np.array(sizes.of_level(LEVELS[0])) / np.array(normal_size(LEVELS[0]))
    correlation = plane_km2[:, 0, 1] / (east_km * north_km)
    unsaid = np.full(len(east_km), np.nan)
    spreads = [across * east_km, across * north_km, down * depth_km, correlation, unsaid]
    return np.column_stack([located.place_km, *spreads])


def _about_sizes(sizes: RegionSizes) -> dict[float, tuple[float, float]]:
    """How many of the spreads of :func:`_decoded` regions reach, by level."""
    first, normal = sizes.of_level(LEVELS[0]), normal_size(LEVELS[0])
    found = {}
    for level in LEVELS:
        across, down = np.array(normal) * np.array(sizes.of_level(level)) / np.array(first)
        found[level] = float(across), float(down)
    return found
