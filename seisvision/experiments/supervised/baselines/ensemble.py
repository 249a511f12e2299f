"""Baselines beside an ensemble: those of its members, averaged as their networks are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from seisvision.experiments.supervised.baselines.foreign import Fitted
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.baseline import Baseline
from seisvision.outputs.predictions import Predictions


def averaged_baselines(
    fitted: Sequence[Fitted], predictions: Mapping[str, Predictions], part: str, level: float
) -> Fitted:
    """The baselines of several training parts as one, on the samples of an ensemble.

    Seeds of one split have one training part, so their baselines are those of one run. Folds have several: every sample
    is the mean of what the baselines of those folds say that may vote on it, as with the networks. One that is skipped
    in a fold is skipped.

    Args:
        fitted: one of each training part, on the samples on which its networks vote, as one part.
        predictions: of the ensemble by output.
        part: what ``metrics.json`` calls the samples.
        level: confidence level of the intervals.
    """
    baselines: dict[str, dict[str, Baseline]] = {}
    strongest: dict[str, dict[str, Any]] = {}
    for output, said in predictions.items():
        several = [one.baselines[output] for one in fitted if output in one.baselines]
        if not said.n_labelled or not several:
            continue
        names = [name for name in several[0] if all(name in one for one in several)]
        baselines[output] = {name: _averaged([one[name] for one in several], said, part, level) for name in names}
        choices = [one.strongest[output] for one in fitted if output in one.strongest]
        choices = [choice for choice in choices if choice["name"] in names]
        if choices:
            # Of several the one that most training parts chose; of equals the first.
            best = Counter(choice["name"] for choice in choices).most_common(1)[0][0]
            if not baselines[output][best].skipped:
                strongest[output] = next(choice for choice in choices if choice["name"] == best)
    return Fitted(baselines, strongest, all(one.is_whole for one in fitted))


def _averaged(several: Sequence[Baseline], said: Predictions, part: str, level: float) -> Baseline:
    for one in several:
        if one.skipped:
            return one
    alone = next(iter(several[0].predictions.values()))
    if len(several) == 1 and list(alone.sample_ids) == list(said.sample_ids):
        return replace(several[0], metrics={part: next(iter(several[0].metrics.values()))}, predictions={part: alone})
    together = average_predictions([next(iter(one.predictions.values())) for one in several]).select(said.sample_ids)
    return replace(several[0], metrics={part: together.measures(level)}, predictions={part: together})
