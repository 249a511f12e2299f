"""Classifiers whose scores are normal, with few and many errors, balanced and not."""

from __future__ import annotations

from functools import partial

import numpy as np
from coverage import Case, IntervalCase, shared_noise
from scipy import special

from seisvision.base.sample_ids import SampleIds
from seisvision.base.units import TRACE
from seisvision.evaluation.intervals import Measure
from seisvision.outputs.classes.measures import classification_metrics
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.classes.tables import class_table

CONFIDENCE = 2.0
"""Logits in standard deviations of the score: networks are too sure."""


def scores(
    rng: np.random.Generator, groups: np.ndarray, priors: tuple[float, ...], margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Classes (N,), one an event, and probabilities (N, K) of a network with this margin between the classes."""
    n_classes = len(priors)
    target = rng.choice(n_classes, groups[-1] + 1, p=priors)[groups]
    logits = margin * np.eye(n_classes)[target] + shared_noise(rng, groups, width=n_classes)
    return target, special.softmax(CONFIDENCE * logits, axis=1)


def measured(target: np.ndarray, probability: np.ndarray, groups: np.ndarray, n_resamples: int) -> dict[str, Measure]:
    """The measures of a table of results and F1 of the last class."""
    names = [f"class{k}" for k in range(probability.shape[1])]
    found = classification_metrics(
        target, probability, names, groups=groups, n_resamples=n_resamples, train_target=target[:1] * 0
    )
    ids = groups.astype(str).tolist()
    samples = [str(number) for number in range(len(ids))]
    said = ClassPredictions(
        {"name": "class", "class_names": names}, SampleIds(TRACE.name, samples, ids), target, probability
    )
    row = class_table(said, found)[-1]
    return found | {"f1 of the last class": Measure(*row[-3:])}


CASES: list[Case] = [
    IntervalCase(f"{name} classes, {wrong} wrong", partial(scores, priors=priors, margin=margin), measured)
    for name, wrong, priors, margin in (
        ("2", "1 %", (0.5, 0.5), 3.3),
        ("2", "30 %", (0.5, 0.5), 0.74),
        ("2 (10:1)", "3 %", (10 / 11, 1 / 11), 2.7),
        ("3", "1 %", (1 / 3, 1 / 3, 1 / 3), 3.6),
        ("3 (10:3:1)", "30 %", (10 / 14, 3 / 14, 1 / 14), 1.3),
    )
]
