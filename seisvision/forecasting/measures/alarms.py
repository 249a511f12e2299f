"""Forecasts as alarms: what is hit, and how much of space and time stands under alarm for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seisvision.evaluation.intervals import Measure
from seisvision.forecasting.measures.blocks import Blocks
from seisvision.forecasting.measures.ties import ends_of_ties


@dataclass(frozen=True)
class Molchan:
    """Molchan's diagram (Zechar and Jordan 2008, doi:10.1111/j.1365-246X.2007.03676.x).

    Attributes:
        alarmed: (K,) part of space and time under alarm, ascending from 0 to 1.
        missed: (K,) part of the events outside of it.
        skill: area above the curve: 0.5 for guesses, 1 for perfect alarms.
    """

    alarmed: np.ndarray
    missed: np.ndarray
    skill: Measure


def molchan(rates: np.ndarray, counts: np.ndarray, measure: np.ndarray, blocks: Blocks) -> Molchan:
    """Diagram of alarms raised where the rate over the measure is highest; ties are raised together.

    Args:
        rates: (W, C).
        counts: (W, C).
        measure: (C,) or (W, C) of which a part is under alarm: areas, or the rates of a reference that is then the
            guess.
        blocks: for the interval of the skill.
    """
    size = np.broadcast_to(measure, rates.shape)
    density = (rates / size).ravel()
    order = np.argsort(-density, kind="stable")
    last = ends_of_ties(density[order])
    window = order // rates.shape[1]
    event, area = counts.ravel()[order].astype(float), size.ravel()[order].astype(float)

    def curve(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = row[window]
        alarmed, hit = np.cumsum(own * area)[last], np.cumsum(own * event)[last]
        return np.append(0, alarmed / alarmed[-1]), np.append(0, hit / hit[-1])

    def skill(weight: np.ndarray) -> np.ndarray:
        areas = []
        for row in weight:
            alarmed, hit = curve(row)
            areas.append(np.trapezoid(hit, alarmed))
        return np.array(areas)

    with np.errstate(divide="ignore", invalid="ignore"):
        alarmed, hit = curve(np.ones(len(rates)))
        return Molchan(alarmed, 1 - hit, blocks.measure(skill))


@dataclass(frozen=True)
class AlarmScores:
    """Alarms above one threshold. Hits without the area that they cost say nothing.

    Attributes:
        threshold: on the chance of at least one event.
        hits: windows and cells with events that stood under alarm.
        missed: those that did not.
        false: alarms without an event.
        area: part of area times time under alarm.
        recall, precision, f1: of occupied windows and cells.
        macro_f1: mean of that and of the F1 of empty ones.
    """

    threshold: float
    hits: int
    missed: int
    false: int
    area: float
    recall: float
    precision: float
    f1: float
    macro_f1: float


def best_threshold(chance: np.ndarray, counts: np.ndarray) -> float:
    """The threshold of the largest F1; choose it on the fit, never on the test."""
    order = np.argsort(-chance, axis=None, kind="stable")
    score = chance.ravel()[order]
    hits = np.cumsum((counts > 0).ravel()[order])
    last = ends_of_ties(score)
    f1 = 2 * hits[last] / (last + 1 + hits[-1])
    return float(score[last[f1.argmax()]])


def alarm_scores(chance: np.ndarray, counts: np.ndarray, area_km2: np.ndarray, threshold: float) -> AlarmScores:
    """Count hits, misses and false alarms (W, C) above a threshold."""
    alarm, event = chance >= threshold, counts > 0
    hits, missed, false = int((alarm & event).sum()), int((~alarm & event).sum()), int((alarm & ~event).sum())
    quiet = int((~alarm & ~event).sum())
    f1, f1_quiet = _f1(hits, missed, false), _f1(quiet, false, missed)
    return AlarmScores(
        threshold, hits, missed, false, float((alarm * area_km2).sum() / (len(alarm) * area_km2.sum())),
        _share(hits, hits + missed), _share(hits, hits + false), f1, (f1 + f1_quiet) / 2,
    )  # fmt: skip


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _f1(hits: int, missed: int, false: int) -> float:
    return 2 * hits / (2 * hits + missed + false) if hits + missed + false else float("nan")
