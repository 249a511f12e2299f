"""The baselines of one output: what they are made of, how they are fitted, and which is the one to beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.base.units import EVENT, TRACE
from seisvision.evaluation.baselines.feature_table import FeatureTable, computed_features, side_by_side
from seisvision.outputs.baseline import Baseline, strongest_baseline
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.predictions import Predictions
from seisvision.seeding import DEFAULT_SEED, numpy_stream

N_STATIONS = "n_stations"
HELD_OUT = 0.2
"""Share of the training events on which the strongest baseline is chosen where there are no validation events."""
VALIDATION, OF_TRAINING = "the validation samples", "a fifth of the training events, held out for it"


@dataclass(frozen=True)
class Part:
    """Samples and what is to be predicted of them."""

    ids: SampleIds
    """Which N samples these are."""
    targets: Mapping[str, np.ndarray]
    """By column, (N,): class numbers, -1 without label, or numbers, NaN without."""

    def where(self, chosen: np.ndarray) -> Part:
        """The samples that ``chosen`` (N,) marks."""
        places = np.flatnonzero(chosen)
        targets = {column: np.asarray(values)[places] for column, values in self.targets.items()}
        return Part(self.ids.take(places), targets)


@dataclass(frozen=True)
class Features:
    """Hand-made features of samples."""

    alone: Mapping[str, FeatureTable | str]
    """What is a baseline of its own: tables, or the reason why there is none."""
    together: Mapping[str, FeatureTable]
    """Tables of all kinds that could be computed, for the trees."""
    stations: Mapping[str, Any] = field(default_factory=dict)
    """Station of each sample, where samples are single traces."""


@dataclass(frozen=True)
class Choice:
    """The baseline to beat, and where it was found to be that."""

    name: str
    chosen_on: str


def kinds_of(unit: str, about: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Kinds of features that are a baseline of their own, and those that the trees have beside them.

    Args:
        unit: what a sample is; only of events and traces features are known.
        about: description of the output.
    """
    if unit not in (EVENT.name, TRACE.name):
        return [], []
    return predictions_class(about["kind"]).feature_kinds(unit, about)


def make_features(
    dataset: Any,
    unit: str,
    about: Mapping[str, Any],
    settings: Mapping[str, Mapping[str, Any]],
    *,
    cache_dir: str | Path,
    key: str,
) -> Features:
    """Compute the features that the baselines of an output need, or read them from the cache.

    Args:
        dataset: `EventSamples` or `TraceSamples` of all parts, components Z, N, E, without augmentation.
        unit: ``event`` or ``trace``.
        about: description of the output.
        settings: settings of the feature functions by kind.
        cache_dir: folder of cached feature tables.
        key: fingerprint of the waveform set and settings of the samples, see `compute_feature_table`.
    """
    alone, others = kinds_of(unit, about)
    complete, computed = computed_features(dataset, [*alone, *others], settings, cache_dir, key)
    return arranged({kind: complete[kind] for kind in alone}, computed)


def arranged(alone: Mapping[str, FeatureTable | str], together: Mapping[str, FeatureTable]) -> Features:
    """Features with the number of stations as a baseline of its own beside the geometry."""
    if "geometry" in alone and "geometry" in together:
        geometry = together["geometry"]
        count = geometry.values[:, [geometry.names.index(N_STATIONS)]]
        values = np.concatenate([count, np.log(np.maximum(count, 1))], axis=1)
        table = FeatureTable(geometry.ids, [N_STATIONS, f"log_{N_STATIONS}"], values)
        alone = {"station_count": table, **alone}
    return Features(alone, together)


def fit_output(
    features: Features,
    about: Mapping[str, Any],
    parts: Mapping[str, Any],
    *,
    class_weight: Literal["balanced"] | None = None,
    level: float = 0.95,
    seed: int = DEFAULT_SEED,
) -> dict[str, Baseline]:
    """Fit all baselines of an output on ``parts["train"]`` and let them predict the other parts.

    Args:
        features: of the samples of all parts.
        about: description of the output.
        parts: by name what has ``ids`` and ``targets``, such as :class:`Part`.
        class_weight: ``balanced`` where the network's loss is weighted by inverse class frequency.
        level: confidence level of the intervals.
        seed: base seed of the trees.
    """
    everything = side_by_side(features.together)
    return predictions_class(about["kind"]).fit_baselines(
        features, about, parts, everything, class_weight=class_weight, level=level, seed=seed
    )


def asked_beside(said: Mapping[str, Predictions], level: float = 0.95) -> dict[str, Baseline]:
    """Baselines that were asked together with a network, for they need what it saw.

    Args:
        said: predictions of the network, by part.
        level: confidence level of the intervals.
    """
    found: dict[str, dict[str, Predictions]] = {}
    told: dict[str, str] = {}
    for part, network in said.items():
        for name, (description, one) in network.asked_beside().items():
            found.setdefault(name, {})[part] = one
            told[name] = description
    return {
        name: Baseline(name, told[name], [], {part: one.measures(level) for part, one in parts.items()}, parts)
        for name, parts in found.items()
    }


def choose_strongest(
    fitted: Mapping[str, Baseline],
    train: Any,
    refit: Callable[[Mapping[str, Part]], Mapping[str, Baseline]],
    seed: int = DEFAULT_SEED,
) -> Choice | None:
    """Which baseline is the one to beat: the best on the validation samples, never on test samples.

    Where all of them were trained on, a fifth of the training events is held out, and ``refit`` fits on the others.

    Args:
        fitted: the baselines by name.
        train: the training part.
        refit: fits baselines on the parts ``train`` and ``val`` given.
        seed: base seed of the choice of the events held out.
    """
    if any("val" in baseline.predictions for baseline in fitted.values()):
        name = strongest_baseline(fitted, "val")
        return None if name is None else Choice(name, VALIDATION)
    whole = Part(train.ids, train.targets)
    events = sorted(set(whole.ids.source_ids))
    held = numpy_stream(seed, "baseline/held out").permutation(events)[: max(1, round(HELD_OUT * len(events)))]
    is_held = np.isin(whole.ids.source_ids, held)
    if is_held.all():
        return None
    name = strongest_baseline(refit({"train": whole.where(~is_held), "val": whole.where(is_held)}), "val")
    return None if name is None else Choice(name, OF_TRAINING)


def with_stations(features: Features, dataset: Any, columns: Sequence[str]) -> Features:
    """Features with the station of each of N single traces, from these columns of the set."""
    table = dataset.ids.table(dataset.waveform_set.table)
    known = [table[name].astype(str) for name in columns if name in table]
    stations = dict(zip(dataset.ids.ids, zip(*known, strict=True), strict=True)) if known else {}
    return replace(features, stations=stations)
