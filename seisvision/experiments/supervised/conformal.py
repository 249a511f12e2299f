"""Conformal intervals and sets of test samples, as wide as the errors on validation events say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from seisvision.evaluation.calibration import LEVELS
from seisvision.evaluation.conformal import conformal_threshold
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.outputs.predictions import Predictions

N_GROUPS = 3
"""Parts of about equal numbers that coverage is told of, for intervals may hold on the whole and nowhere else."""
COLUMNS = ("level", "group", "threshold", "coverage", "low", "high", "median_size", "unit", "n")


def add_conformal(
    metrics: dict[str, Any],
    validation: Mapping[str, Predictions],
    said: Mapping[str, Predictions],
    part: str,
    facts: Mapping[str, np.ndarray],
    level: float,
) -> None:
    """Add conformal intervals to what was measured: coverages to the measures of outputs, all rows to ``conformal``.

    Args:
        metrics: what ``metrics.json`` will hold; outputs that were not measured are left out.
        validation: predictions by output of the events that size the intervals.
        said: predictions by output of other events.
        part: what the metrics call these.
        facts: of their samples, (N,) by name.
        level: of the intervals of measures.
    """
    for name, one in said.items():
        if name in metrics[part] and name in validation:
            rows = conformal_rows(validation[name], one, facts, level)
            metrics[part][name] |= conformal_measures(rows)
            if rows:
                metrics.setdefault("conformal", {})[name] = rows


def conformal_rows(
    validation: Predictions, said: Predictions, facts: Mapping[str, np.ndarray], level: float = 0.95
) -> list[dict[str, Any]]:
    """Coverage and size of conformal intervals or sets, on the whole and by group, as plain values.

    Args:
        validation: predictions of the events whose errors size them.
        said: predictions of other events.
        facts: what is known of their samples, (N,) by name; each is dealt into three groups.
        level: of the intervals of the coverage.

    Returns:
        Rows with ``COLUMNS``; none where the kind has no such intervals, or nothing has a true value.
    """
    scores = validation.nonconformity()
    if scores is None or not np.isfinite(scores).any() or not said.answered.any():
        return []
    groups = {"all": said.answered} | _groups(said, facts)
    rows = []
    for stated in LEVELS:
        threshold = conformal_threshold(scores, validation.source_ids, stated)
        if not math.isfinite(threshold):
            # Too few events to size an interval: whatever it held would say nothing.
            continue
        answers = said.conformal(threshold)
        for name, among in groups.items():
            known = among & said.answered
            if not known.any():
                continue
            bootstrap = EventBootstrap(np.asarray(said.source_ids)[known], level)
            coverage, size = bootstrap.share(answers.inside[known]).to_dict(), float(np.median(answers.size[known]))
            rows.append(
                {
                    "level": stated,
                    "group": name,
                    "threshold": threshold,
                    **{"coverage": coverage["value"], "low": coverage["low"], "high": coverage["high"]},
                    "median_size": size if math.isfinite(size) else None,
                    "unit": answers.unit,
                    "n": coverage["n"],
                }
            )
    return rows


def conformal_measures(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """``conformal_coverage_<level>`` and ``conformal_size_<level>`` of all samples, as stored measures."""
    found = {}
    for row in rows:
        if row["group"] == "all":
            name = f"{row['level'] * 100:g}"
            ends = {"low": row["low"], "high": row["high"]}
            found[f"conformal_coverage_{name}"] = {"value": row["coverage"], **ends, "n": row["n"]}
            size = {"value": row["median_size"], "low": None, "high": None, "n": row["n"], "kind": "none"}
            found[f"conformal_size_{name}_{row['unit']}"] = size
    return found


def _groups(said: Predictions, facts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """bool (N,) by group: classes, thirds of every fact."""
    groups = {}
    for number, name in enumerate(said.about.get("class_names", ())):
        groups[f"true class {name}"] = said.target == number
    for name, values in facts.items():
        known = np.isfinite(values)
        if len(np.unique(values[known])) < N_GROUPS:
            continue
        edges = np.quantile(values[known], np.linspace(0, 1, N_GROUPS + 1))
        for number in range(N_GROUPS):
            below = values <= edges[number + 1] if number == N_GROUPS - 1 else values < edges[number + 1]
            groups[f"{name} {edges[number]:.3g} to {edges[number + 1]:.3g}"] = known & (values >= edges[number]) & below
    return groups
