"""What several networks say together: their predictions averaged sample by sample, in the way of each kind of output.

Every sample is the mean over those members that predicted it; who may vote is decided by whoever calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import DataError
from seisvision.outputs.predictions import Predictions

ENTROPIES = ("predictive_entropy", "mutual_information")


def average_predictions(members: Sequence[Predictions]) -> Predictions:
    """Predictions of the ensemble for every sample that any member predicted, in the order of first appearance.

    Args:
        members: M predictions of one output; they may be of different samples.

    Raises:
        DataError: there are none, they are of several units, or they disagree about a sample's event or true value.
    """
    if not members:
        raise DataError("There are no predictions to average. Give at least one member.")
    first = members[0]
    members = [said.in_terms_of(first.about) for said in members]
    units = {said.ids.unit: said.ids.kind.plural for said in members}
    if len(units) > 1:
        raise DataError(
            f"Predictions of {' and '.join(units.values())} cannot be averaged. Average runs that see the same samples."
        )
    row = {name: i for i, name in enumerate(dict.fromkeys(name for one in members for name in one.sample_ids))}
    votes = np.full((len(members), len(row), *first.decoded.shape[1:]), np.nan)
    target = np.full((len(row), *first.target.shape[1:]), np.nan)
    source_ids = [""] * len(row)
    for number, said in enumerate(members):
        rows = np.array([row[name] for name in said.sample_ids], dtype=int)
        votes[number, rows] = said.decoded
        _refuse_contradiction(said, target[rows], [source_ids[i] for i in rows])
        target[rows] = said.target
        for i, source_id in zip(rows, said.source_ids, strict=True):
            source_ids[i] = source_id
    target = target.astype(first.unknown(0).dtype)
    ids = SampleIds(first.ids.unit, list(row), source_ids)
    return type(first).from_decoded(first.about, ids, target, first.average(votes), first.tell_apart(votes))


def count_votes(members: Sequence[Predictions]) -> dict[str, int]:
    """By sample, how many members predicted it."""
    votes: dict[str, int] = {}
    for said in members:
        for name in said.sample_ids:
            votes[name] = votes.get(name, 0) + 1
    return votes


def _refuse_contradiction(said: Predictions, target: np.ndarray, source_ids: list[str]) -> None:
    differs = np.isfinite(target) & ~np.isclose(target, said.target, rtol=1e-5, equal_nan=True)
    differs = differs.any(axis=tuple(range(1, differs.ndim)))
    moved = [before not in ("", now) for before, now in zip(source_ids, said.source_ids, strict=True)]
    wrong = np.flatnonzero(differs | np.array(moved, dtype=bool))
    if len(wrong):
        raise DataError(
            f"Two members were given different true values or events for sample '{said.sample_ids[wrong[0]]}'. Average "
            "runs that were trained on one set with the same labels."
        )


def mean_of_votes(votes: np.ndarray) -> np.ndarray:
    """Mean over members (axis 0) of the finite votes; NaN where there is none."""
    known = np.isfinite(votes)
    count = known.sum(axis=0)
    total = np.where(known, votes, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def pool_votes(kind: type[Predictions], about: Mapping[str, Any], votes: np.ndarray) -> Predictions:
    """What M passes of one network say together of N samples that have no names and no true values yet.

    Args:
        kind: of the output.
        about: its description.
        votes: decoded values (M, N, ...).
    """
    nobody = kind.from_decoded(about, SampleIds.of_events([]), kind.unknown(0), votes[0, :0])
    return replace(
        nobody,
        ids=SampleIds.of_events([str(number) for number in range(votes.shape[1])]),
        target=kind.unknown(votes.shape[1]),
        decoded=nobody.average(votes),
        apart=nobody.tell_apart(votes),
    )


def entropies_of_votes(votes: np.ndarray) -> dict[str, np.ndarray]:
    """What is not known of a class, in nats, from probabilities (M, N, K).

    Returns:
        ``predictive_entropy`` (N,), the entropy of the mean probabilities, and ``mutual_information`` (N,), what of it
        the members do not share: the entropy of the mean less the mean of the entropies (Smith & Gal 2018). Noise, on
        which all agree, is the difference of the two.
    """
    whole = _entropy(mean_of_votes(votes))
    own = mean_of_votes(_entropy(votes))
    several = np.isfinite(votes).all(axis=-1).sum(axis=0) > 1
    unshared = np.where(several, np.maximum(whole - own, 0.0), np.nan)
    return dict(zip(ENTROPIES, (whole, unshared), strict=True))


def _entropy(probability: np.ndarray) -> np.ndarray:
    """In nats, along the last axis; NaN where a probability is not known."""
    share = np.clip(probability, 0.0, 1.0)
    return -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=-1)
