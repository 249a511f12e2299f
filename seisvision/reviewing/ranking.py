"""Labels in the order in which they should be looked at: the least likely first."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seisvision.data.corrections.corrected import is_of_event
from seisvision.data.samples.arrivals import picked_columns
from seisvision.errors import ConfigurationError
from seisvision.evaluation.tables import number_text
from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.outputs.picks.predictions import PickPredictions
from seisvision.outputs.predictions import Predictions
from seisvision.reviewing import class_scores, value_scores
from seisvision.reviewing.event_scores import EventScore, event_scores, joint_probabilities

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Ranked:
    """One label and what is thought of it.

    Attributes:
        sample_id: event id where the label is one of an event, else row of the metadata table.
        source_id: event.
        column: of the metadata table.
        rows: places of its samples among the predictions.
        label: what stands there, for people.
        score: logarithm of how likely that is; less is more suspect.
        is_suspect: whether it is likely wrong.
        answer: what the networks say, for people.
        suggested: class name or number that they would put there; empty where they tell none.
        probability: of the label, where there is one.
        shares: class name and probability, the likeliest first.
        odd_row: place of the station that disagrees with the others of the event.
        odd_sigmas: by how much, in robust deviations.
        phase: of picks, which.
    """

    sample_id: str
    source_id: str
    column: str
    rows: tuple[int, ...]
    label: str
    score: float
    is_suspect: bool
    answer: str
    suggested: str = ""
    probability: float = math.nan
    shares: tuple[tuple[str, float], ...] = ()
    odd_row: int | None = None
    odd_sigmas: float = math.nan
    phase: str = field(default="")


def rank(said: Predictions, metadata: pd.DataFrame | None = None) -> list[Ranked]:
    """All labelled samples as labels, the most suspect first; labels of events are judged by their stations together.

    Args:
        said: predictions by networks that were not trained on the samples.
        metadata: table of the set, whose columns tell where picks stand; without it they stand in none.

    Raises:
        ConfigurationError: labels of this kind of output are not reviewed.
    """
    if isinstance(said, ClassPredictions):
        found = _classes(said)
    elif isinstance(said, ScalarPredictions | AnglePredictions):
        found = _values(said)
    elif isinstance(said, PickPredictions):
        found = _picks(said, metadata)
    else:
        raise ConfigurationError(
            f"Labels of output '{said.about['name']}' are not reviewed: its kind is {said.about['kind']}. Give one of "
            "classes, numbers, angles or picks with --output."
        )
    return sorted(found, key=lambda one: one.score)


def _classes(said: ClassPredictions) -> list[Ranked]:
    said = said.take(np.flatnonzero(said.labelled & np.isfinite(said.decoded).all(axis=1)))
    labels, shares = np.asarray(said.target, dtype=int), _as_shares(said.decoded)
    names, column = [str(name) for name in said.about["class_names"]], str(said.about["target"])
    groups: list[EventScore] | None = None
    rows: list[tuple[int, ...]] = [(row,) for row in range(len(labels))]
    if is_of_event(column) and said.ids.n_events < len(said.ids):
        groups = event_scores(class_scores.log_probabilities(labels, shares), said.source_ids)
        rows = [one.rows for one in groups]
        shares = np.stack([joint_probabilities(shares, one) for one in rows])
        labels = labels[[one[0] for one in rows]]
    suspect = class_scores.likely_errors(labels, shares)
    scores = class_scores.log_probabilities(labels, shares)
    found = []
    for number, places in enumerate(rows):
        group = groups[number] if groups else None
        order = np.argsort(-shares[number], kind="stable")
        likeliest = names[order[0]]
        found.append(Ranked(
            sample_id=said.source_ids[places[0]] if is_of_event(column) else said.sample_ids[places[0]],
            source_id=said.source_ids[places[0]], column=column, rows=places, label=names[labels[number]],
            # Of classes that networks are equally sure of, that with the less sure stations comes first.
            score=float(scores[number] if group is None else group.mean), is_suspect=bool(suspect[number]),
            answer=f"{likeliest} {100 * shares[number][order[0]]:.0f} %", suggested=likeliest,
            probability=float(shares[number, labels[number]]),
            shares=tuple((names[k], float(shares[number, k])) for k in order),
            odd_row=group.odd if group else None, odd_sigmas=group.odd_sigmas if group else math.nan,
        ))  # fmt: skip
    return found


def _as_shares(decoded: np.ndarray) -> np.ndarray:
    """Probabilities that add to one again after they were rounded for a table."""
    return decoded / decoded.sum(axis=1, keepdims=True)


def _values(said: ScalarPredictions | AnglePredictions) -> list[Ranked]:
    said = said.take(np.flatnonzero(said.answered & np.isfinite(said.error)))
    sigmas, column = value_scores.residual_sigmas(said), str(said.about["target"])
    logs = value_scores.log_likelihood(sigmas)
    if is_of_event(column):
        groups = event_scores(logs, said.source_ids)
    else:
        groups = [
            EventScore(said.source_ids[row], (int(row),), float(logs[row]), float(logs[row]), None)
            for row in np.flatnonzero(np.isfinite(logs))
        ]
    unit = said.unit or ""
    found = []
    for one in groups:
        values = said.value[list(one.rows)]
        value = float(_mean_direction(values) if isinstance(said, AnglePredictions) else np.median(values))
        middle = float(np.median(np.abs(sigmas[list(one.rows)])))
        found.append(Ranked(
            sample_id=one.source_id if is_of_event(column) else said.sample_ids[one.rows[0]],
            source_id=one.source_id, column=column, rows=one.rows, label=said.target_text(one.rows[0]),
            score=one.mean, is_suspect=middle >= value_scores.SUSPECT_SIGMAS,
            answer=f"{number_text(value)} {unit}, {number_text(middle)} sigmas away", suggested=f"{value:.6g}",
            odd_row=one.odd, odd_sigmas=one.odd_sigmas,
        ))  # fmt: skip
    return found


def _mean_direction(angles_deg: np.ndarray) -> float:
    turned = np.radians(angles_deg)
    return float(np.degrees(np.arctan2(np.sin(turned).mean(), np.cos(turned).mean())) % 360)


def _picks(said: PickPredictions, metadata: pd.DataFrame | None) -> list[Ranked]:
    table = None if metadata is None else said.ids.table(metadata)
    found = []
    for phase in said.phases:
        columns = [None] * len(said.ids) if table is None else picked_columns(table, phase)
        sigmas, picked_s = value_scores.pick_sigmas(said, phase)
        true_s = said.true_s[:, said.phases.index(phase), 0]
        for row in np.flatnonzero(np.isfinite(sigmas)):
            is_seen = math.isfinite(picked_s[row])
            column = columns[row]
            away = f"{number_text(abs(float(sigmas[row])))} sigmas away" if is_seen else "not seen"
            found.append(Ranked(
                sample_id=said.sample_ids[row], source_id=said.source_ids[row], rows=(int(row),),
                # A time that was computed stands in no column of picks; its label still has a name.
                column=column or f"trace_{phase.lower()}_arrival_sample",
                label=f"{phase} {true_s[row]:.2f} s", score=float(value_scores.log_likelihood(sigmas)[row]),
                is_suspect=bool(is_seen and abs(sigmas[row]) >= value_scores.SUSPECT_SIGMAS),
                answer=f"{phase} {picked_s[row]:.2f} s, {away}" if is_seen else away,
                suggested=f"{picked_s[row] - true_s[row]:.4f}" if is_seen and column else "", phase=phase,
            ))  # fmt: skip
    return found


def describe(one: Ranked) -> dict[str, Any]:
    """What a queue keeps of the networks' answer, which a blind reviewer does not see."""
    return {
        "answer": one.answer,
        "suggested": one.suggested,
        "probability": None if math.isnan(one.probability) else round(one.probability, 6),
        "shares": [[name, round(share, 4)] for name, share in one.shares],
        "score": round(one.score, 4),
        "suspect": one.is_suspect,
        "odd_sigmas": None if math.isnan(one.odd_sigmas) else round(one.odd_sigmas, 1),
    }
