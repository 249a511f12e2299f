"""What several networks say together: their predictions averaged sample by sample, in the way of each kind of output.

Every sample is the mean over those members that predicted it; who may vote is decided by whoever calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import DataError
from seisvision.evaluation.predictions import Predictions

CANCELLED = 1e-6
"""Length of a mean vector below which directions cancel and none is the mean."""


def average_predictions(members: Sequence[Predictions]) -> Predictions:
    """Predictions of the ensemble for every sample that any member predicted, in the order of first appearance.

    Classes: mean probability. Numbers: mean and, where every voting member states an uncertainty, total variance on
    the scale on which the network learnt, see :func:`_average_numbers`. Angles: direction of the mean of the members'
    vectors, see :func:`_average_angles`.

    Args:
        members: M predictions of one output; they may be of different samples.

    Raises:
        DataError: there are none, they are of several units, or they disagree about a sample's event or true value.
    """
    if not members:
        raise DataError("There are no predictions to average. Give at least one member.")
    first = members[0]
    units = {said.ids.unit: said.ids.kind.plural for said in members}
    if len(units) > 1:
        raise DataError(
            f"Predictions of {' and '.join(units.values())} cannot be averaged. Average runs that see the same samples."
        )
    row = {name: i for i, name in enumerate(dict.fromkeys(name for one in members for name in one.sample_ids))}
    votes = np.full((len(members), len(row), first.decoded.shape[1]), np.nan)
    target = np.full(len(row), np.nan)
    source_ids = [""] * len(row)
    for number, said in enumerate(members):
        rows = np.array([row[name] for name in said.sample_ids], dtype=int)
        votes[number, rows] = said.decoded
        _refuse_contradiction(said, target[rows], [source_ids[i] for i in rows])
        target[rows] = said.target
        for i, source_id in zip(rows, said.source_ids, strict=True):
            source_ids[i] = source_id
    decoded = {"class": _average_classes, "scalar": _average_numbers, "angle": _average_angles}[first.about["kind"]](
        votes, first
    )
    if first.about["kind"] == "class":
        target = target.astype(int)
    return type(first).from_decoded(first.about, SampleIds(first.ids.unit, list(row), source_ids), target, decoded)


def count_votes(members: Sequence[Predictions]) -> dict[str, int]:
    """By sample, how many members predicted it."""
    votes: dict[str, int] = {}
    for said in members:
        for name in said.sample_ids:
            votes[name] = votes.get(name, 0) + 1
    return votes


def _refuse_contradiction(said: Predictions, target: np.ndarray, source_ids: list[str]) -> None:
    known = np.isfinite(target)
    differs = known & ~np.isclose(target, said.target, rtol=1e-5, equal_nan=True)
    moved = [before not in ("", now) for before, now in zip(source_ids, said.source_ids, strict=True)]
    wrong = np.flatnonzero(differs | np.array(moved, dtype=bool))
    if len(wrong):
        raise DataError(
            f"Two members were given different true values or events for sample '{said.sample_ids[wrong[0]]}'. Average "
            "runs that were trained on one set with the same labels."
        )


def _average_classes(votes: np.ndarray, about: Predictions) -> np.ndarray:
    """Mean probability (N, K) of votes (M, N, K)."""
    return _mean(votes)


def _average_numbers(votes: np.ndarray, said: Predictions) -> np.ndarray:
    """Value, sigma and intervals (N, 6) of votes (M, N, 6).

    Value and spread are those of the mixture of the members' distributions on the transformed scale: the mean of the
    means, and by the law of total variance the mean of the variances plus the variance of the means (Lakshminarayanan
    et al. 2017, section 2.4). The intervals are those of one distribution of the members' family with these moments.
    Without a learnt spread all but the value are NaN: how far members disagree is not how far they are off.
    """
    import torch
    from scipy import stats

    from seisvision.tasks.scalar_output import LEVELS, TRANSFORMS

    forward, inverse = (
        lambda values, function=function: function(torch.from_numpy(np.ascontiguousarray(values))).numpy()
        for function in TRANSFORMS[said.about["transform"]]
    )
    centre = forward(votes[:, :, 0])
    mean = _mean(centre)
    decoded = np.full((votes.shape[1], 6), np.nan)
    decoded[:, 0] = inverse(mean)
    family = {"gaussian": stats.norm, "laplace": stats.laplace}.get(said.about.get("loss", ""))
    if family is None:
        return decoded
    width68, width95 = (family.interval(level)[1] for level in LEVELS)
    # The upper ends only: lower ones are cut at zero where the value cannot be negative.
    scale = (forward(votes[:, :, 5]) - forward(votes[:, :, 3])) / (width95 - width68)
    variance = _mean((family.std() * scale) ** 2) + _mean((centre - mean) ** 2)
    spread = np.sqrt(variance) / family.std()
    lowest = 0.0 if said.about["transform"] == "log1p" else -math.inf
    for column, width in enumerate((-width68, width68, -width95, width95), 2):
        decoded[:, column] = np.maximum(inverse(mean + width * spread), lowest)
    decoded[:, 1] = (decoded[:, 3] - decoded[:, 2]) / 2
    return decoded


def _average_angles(votes: np.ndarray, said: Predictions) -> np.ndarray:
    """Angle and circular standard deviation (N, 2) in degrees of votes (M, N, 2).

    A member with an uncertainty is a vector as long as its mean resultant, exp(-sigma^2 / 2), else a unit vector. The
    mean vector is the first moment of the mixture, so its direction is the circular mean, and its length gives the
    standard deviation, which holds the members' own spread and their disagreement (Mardia and Jupp 2000, section 2.3).
    Directions that cancel have no mean: NaN.
    """
    to_phase = 2 * math.pi / float(said.about["period_deg"])
    phase, sigma = votes[:, :, 0] * to_phase, votes[:, :, 1] * to_phase
    length = np.where(np.isfinite(sigma), np.exp(-(sigma**2) / 2), 1.0)
    vector = _mean(length * np.exp(1j * phase))
    resultant = np.abs(vector)
    period = float(said.about["period_deg"])
    angle = np.where(resultant > CANCELLED, np.angle(vector) / to_phase % period, np.nan)
    angle = np.where(angle >= period, 0.0, angle)  # the remainder of a tiny negative number rounds to a whole period
    votes_without = np.isfinite(votes[:, :, 0]) & ~np.isfinite(votes[:, :, 1])
    spread = np.sqrt(-2 * np.log(np.clip(resultant, 1e-12, 1))) / to_phase
    return np.stack([angle, np.where(votes_without.any(axis=0), np.nan, spread)], axis=1)


def _mean(votes: np.ndarray) -> np.ndarray:
    """Mean over members (axis 0) of the finite votes; NaN where there is none."""
    known = np.isfinite(votes)
    count = known.sum(axis=0)
    total = np.where(known, votes, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
