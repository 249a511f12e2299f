"""How far reviewers agree, beyond what chance would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from seisvision.data.corrections.standing import answer, rounds_of, standing
from seisvision.data.corrections.table import UNSURE, Decision
from seisvision.evaluation.tables import number_text


@dataclass(frozen=True)
class Agreement:
    """Two reviewers on the labels that both decided.

    Attributes:
        reviewers: their names.
        n: labels.
        share: of these, on which they came to the same.
        kappa: Cohen's: 1 full agreement, 0 that of chance; NaN where chance alone agrees on all.
        low, high: ends of its interval of 95 % (normal, from the large-sample variance); NaN of few labels.
    """

    reviewers: tuple[str, str]
    n: int
    share: float
    kappa: float
    low: float
    high: float


FEWEST_FOR_INTERVAL = 20


def agreements(decisions: Sequence[Decision]) -> list[Agreement]:
    """All pairs of reviewers who decided labels in common; ``unsure`` decides nothing.

    Cohen (1960), doi:10.1177/001316446002000104. Categories are what labels become: the value itself, so that two who
    correct a label to different classes disagree. A label of two rounds of review counts in each.
    """
    held = [said for of_round in rounds_of(decisions).values() for said in standing(of_round).values()]
    names = list(dict.fromkeys(one.reviewer for one in decisions))
    found = []
    for first, second in combinations(names, 2):
        pairs = [
            (_becomes(said[first]), _becomes(said[second]))
            for said in held
            if first in said and second in said and UNSURE not in (said[first].verdict, said[second].verdict)
        ]
        if pairs:
            found.append(_agreement((first, second), pairs))
    return found


def _becomes(decision: Decision) -> str:
    """What a label is after a decision."""
    verdict, new = answer(decision)
    return {"keep": f"value {decision.old}", "correct": f"value {new}"}.get(verdict, "nothing")


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """Kappa of pairs of categories, and its standard error in large samples (Fleiss, Cohen & Everitt 1969)."""
    names = sorted({name for pair in pairs for name in pair})
    number = {name: k for k, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    for first, second in pairs:
        table[number[first], number[second]] += 1
    shares = table / table.sum()
    row, column = shares.sum(axis=1), shares.sum(axis=0)
    agreed, chance = float(np.trace(shares)), float(row @ column)
    if chance >= 1:
        return math.nan, math.nan
    kappa = (agreed - chance) / (1 - chance)
    on = (np.diag(shares) * (1 - (row + column) * (1 - kappa)) ** 2).sum()
    off = shares * (column[:, None] + row[None, :]) ** 2
    beside = (1 - kappa) ** 2 * (off.sum() - np.trace(off))
    variance = (on + beside - (kappa - chance * (1 - kappa)) ** 2) / (len(pairs) * (1 - chance) ** 2)
    return kappa, math.sqrt(max(0.0, variance))


def _agreement(reviewers: tuple[str, str], pairs: Sequence[tuple[str, str]]) -> Agreement:
    kappa, error = cohen_kappa(pairs)
    share = sum(first == second for first, second in pairs) / len(pairs)
    # All alike: the variance is said to be 0, which is no certainty.
    known = len(pairs) >= FEWEST_FOR_INTERVAL and 0 < share < 1
    low, high = (max(-1.0, kappa - 1.96 * error), min(1.0, kappa + 1.96 * error)) if known else (math.nan, math.nan)
    return Agreement(reviewers, len(pairs), share, kappa, low, high)


def describe(one: Agreement) -> str:
    """One line for people."""
    interval = "" if math.isnan(one.low) else f" [{number_text(one.low)}, {number_text(one.high)}]"
    kappa = "undefined, for all are of one kind" if math.isnan(one.kappa) else f"{number_text(one.kappa)}{interval}"
    return f"{one.reviewers[0]} and {one.reviewers[1]}: {one.n} labels, {100 * one.share:.0f} % alike, kappa {kappa}"
