"""Forecasts judged side by side on the windows of the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from seisvision.catalogues.counting import Windows, count_events
from seisvision.catalogues.times import date_text
from seisvision.errors import DataError
from seisvision.forecasting.measures import csep
from seisvision.forecasting.measures.alarms import alarm_scores, best_threshold, molchan
from seisvision.forecasting.measures.blocks import Blocks
from seisvision.forecasting.measures.gains import information_gain, log_likelihoods
from seisvision.forecasting.measures.probabilities import base_rate, brier_skill, chance_of_any, pr_auc, reliability
from seisvision.forecasting.task import ForecastTask

GUESS = "poisson"
"""The forecast that skills are told against, and that says which alarms are a guess."""


def judge(
    task: ForecastTask,
    fit_rates: Mapping[str, np.ndarray],
    test_rates: Mapping[str, np.ndarray],
    block_days: float = 30.0,
    drawn_numbers: Mapping[str, np.ndarray] | None = None,
    thresholds: Mapping[str, float] | None = None,
    fit_windows: Windows | None = None,
) -> dict[str, Any]:
    """Everything that is measured, as plain containers.

    Args:
        task: what was to be forecast.
        fit_rates: by name, (W, C) in the windows of the fit; they choose thresholds of alarms and nothing else.
        test_rates: by name, (W, C) in the windows of the test; one of them is ``poisson``.
        block_days: of the bootstrap; longer than a sequence lasts.
        drawn_numbers: by name, (R,) events of the whole test in simulations of those that have them.
        thresholds: by name, of alarms, for forecasts that say nothing of the fit; chosen on anything but the test.
        fit_windows: those that ``fit_rates`` are of, where they are not all of the fit.

    Raises:
        DataError: the map of Poisson rates is missing, no event fell into the test, or rates cannot be judged.
    """
    counts = task.test_counts
    if GUESS not in test_rates:
        raise DataError(f"forecasts {', '.join(test_rates)} lack '{GUESS}', which they are judged against; add it")
    if not counts.sum():
        raise DataError(
            f"no event of magnitude {task.magnitude:g} and more fell into the {len(counts)} windows of the test, so "
            "nothing can be judged; take a longer test or a lower --magnitude"
        )
    steps = np.diff(task.test_windows.issue_days)
    step_days = float(np.median(steps)) if len(steps) else task.length_days
    blocks = Blocks(len(counts), max(1, int(np.ceil(block_days / step_days))))
    chosen = dict(thresholds or {})
    windows = task.fit_windows if fit_windows is None else fit_windows
    fit_counts = count_events(task.awaited, task.grid, windows).dense()
    if fit_counts.any():
        chosen |= {name: best_threshold(chance_of_any(rates), fit_counts) for name, rates in fit_rates.items()}
    forecasts = {
        name: _judge_one(task, name, test_rates, chosen.get(name), blocks, (drawn_numbers or {}).get(name))
        for name in test_rates
    }
    return {
        "task": _described(task),
        "events": int(counts.sum()),
        "base_rate": base_rate(counts),
        "blocks": {"windows": blocks.length, "number": len(counts) / blocks.length, "resamples": blocks.n_resamples},
        "forecasts": forecasts,
    }


def _described(task: ForecastTask) -> dict[str, Any]:
    return {
        "fit": [date_text(day) for day in task.fit],
        "test": [date_text(day) for day in task.test],
        "window_days": task.length_days,
        "lead_days": task.lead_days,
        "overlapping_windows": task.test_windows.overlap,
        "windows": len(task.test_windows),
        "cells": task.grid.n_cells,
        "cell": f"{task.grid.step:g} {'km' if task.grid.in_km else 'degrees'}",
        "magnitude": task.magnitude,
        "completeness": task.completeness.base,
        "events_of_the_fit": len(task.fit_events()),
        "catalogue": task.catalogue.fingerprint(),
        "gaps": task.catalogue.gaps.texts(),
    }


def _judge_one(
    task: ForecastTask,
    name: str,
    test_rates: Mapping[str, np.ndarray],
    threshold: float | None,
    blocks: Blocks,
    drawn: np.ndarray | None,
) -> dict[str, Any]:
    counts, rates, guess = task.test_counts, test_rates[name], test_rates[GUESS]
    area = task.grid.area_km2()
    happened, expected = int(counts.sum()), float(rates.sum())
    found: dict[str, Any] = {
        "expected_events": expected,
        "log_likelihood": float(log_likelihoods(rates, counts).sum()),
        "gain_over": {other: _gain(rates, test_rates[other], counts, blocks) for other in test_rates if other != name},
        "pr_auc": pr_auc(rates, counts, blocks).to_dict(),
        "brier_skill": brier_skill(rates, guess, counts, blocks).to_dict(),
        "molchan_skill_area": molchan(rates, counts, area, blocks).skill.to_dict(),
        "molchan_skill_poisson": molchan(rates, counts, guess, blocks).skill.to_dict(),
        "reliability": reliability(rates, counts),
        "csep": {
            "number": _number(csep.number_test(expected, happened)),
            "likelihood": csep.likelihood_test(rates, counts),
            "conditional_likelihood": csep.likelihood_test(rates, counts, conditional=True),
            "space": csep.space_test(rates, counts),
        },
    }
    if drawn is not None:
        found["csep"]["number_drawn"] = _number(csep.number_test_drawn(drawn, happened))
        found["csep"]["drawn_events_95"] = [float(end) for end in np.percentile(drawn, [2.5, 97.5])]
    if threshold is not None:
        found["alarms"] = asdict(alarm_scores(chance_of_any(rates), counts, area, threshold))
    return found


def _gain(rates: np.ndarray, other: np.ndarray, counts: np.ndarray, blocks: Blocks) -> dict[str, Any]:
    gain = information_gain(rates, other, counts, blocks)
    return gain.measure.to_dict() | {
        "least_seen": gain.least_seen,
        "t_test": asdict(csep.paired_t_test(rates, other, counts)),
    }


def _number(test: csep.NumberTest) -> dict[str, float]:
    return asdict(test) | {"p_value": test.p_value}
