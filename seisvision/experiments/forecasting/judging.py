"""A network beside all references: what is measured of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.times import date_text
from seisvision.experiments.forecasting.comparing import NETWORK
from seisvision.experiments.forecasting.problem import Problem, leaked_map
from seisvision.experiments.forecasting.settings import MAP_LEAK, NO_LEAK, ForecastSettings
from seisvision.forecasting.comparison import judge
from seisvision.forecasting.kept import fit_windows
from seisvision.forecasting.measures.alarms import best_threshold
from seisvision.forecasting.measures.blocks import Blocks
from seisvision.forecasting.measures.gains import information_gain
from seisvision.forecasting.measures.probabilities import base_rate, chance_of_any, pr_auc
from seisvision.forecasting.results import without_nan

LEAKED_MAP = "map_with_test"
SHOWN = ("pr_auc", "brier_skill", "molchan_skill_area", "molchan_skill_poisson")


@dataclass(frozen=True)
class Said:
    """What a trained network says.

    Args:
        rates: (W, C) by part, ``val`` and, where it is asked for, ``test``.
        part_of_correction: that was taken of what it says.
    """

    rates: dict[str, np.ndarray]
    part_of_correction: float


def test_rates(problem: Problem, said: Said, leak: str) -> dict[str, np.ndarray]:
    """Rates (W, C) of everything that is judged on the test, the network last."""
    rates = dict(problem.said.rates["test"])
    if leak == MAP_LEAK:
        windows = problem.task.test_windows
        rates[LEAKED_MAP] = np.tile(leaked_map(problem.task) * windows.length_days, (len(windows), 1))
    return {**rates, NETWORK: said.rates["test"]}


def measure(settings: ForecastSettings, problem: Problem, said: Said) -> dict[str, Any]:
    """Everything that is measured, as plain containers."""
    found: dict[str, Any] = {
        "leak": settings.split.leak,
        "part_of_correction": said.part_of_correction,
        "catalogue": _described(problem.catalogue),
        "etas": without_nan(problem.said.about),
        "val": {"events": without_nan(_validated(settings, problem, said))},
    }
    if "test" not in said.rates:
        return found
    rates = test_rates(problem, said, settings.split.leak)
    counts = problem.samples["val"].counts
    threshold = {NETWORK: best_threshold(chance_of_any(said.rates["val"]), counts)} if counts.any() else {}
    drawn = {"etas": problem.said.drawn} if len(problem.said.drawn) else {}
    judged = judge(
        problem.task, problem.said.rates["fit"], rates, settings.dataset.references.block_days, drawn,
        thresholds=threshold, fit_windows=fit_windows(problem.task),
    )  # fmt: skip
    found["forecasts"] = without_nan(judged)
    own = judged["forecasts"][NETWORK]
    shown = {name: own[name] for name in SHOWN}
    shown |= {f"gain_over_{other}": gain for other, gain in own["gain_over"].items()}
    found["test"] = {"events": without_nan(shown)}
    # Papers lead with it; it is told where a leak is shown, beside what it hides.
    happened = (problem.task.test_counts > 0).ravel()
    found["roc_auc"] = {name: float(roc_auc_score(happened, one.ravel())) for name, one in rates.items()}
    return found


def _described(catalogue: EventCatalogue) -> dict[str, Any]:
    """What is known of the catalogue; what is odd in it stands in the log of the run."""
    return {
        "events": len(catalogue),
        "begin": date_text(catalogue.begin_day),
        "end": date_text(catalogue.end_day),
        "gaps": catalogue.gaps.texts(),
        "refused": dict(Counter(one.cause for one in catalogue.refused)),
        "notes": list(catalogue.notes),
    }


def _validated(settings: ForecastSettings, problem: Problem, said: Said) -> dict[str, Any]:
    """The network on its validation, over references that did not learn from it either."""
    counts, rates = problem.samples["val"].counts, said.rates["val"]
    windows = problem.samples["val"].windows
    if not counts.any():
        return {}
    step = float(np.median(np.diff(windows.issue_days))) if len(windows) > 1 else windows.length_days
    blocks = Blocks(len(counts), max(1, int(np.ceil(settings.dataset.references.block_days / step))))
    # With a leak the map is no reference any more.
    others = problem.said.rates["val"] if settings.split.leak == NO_LEAK else {}
    found = {
        f"gain_over_{name}": information_gain(rates, other, counts, blocks).measure.to_dict()
        for name, other in others.items()
    }
    return found | {"pr_auc": pr_auc(rates, counts, blocks).to_dict(), "base_rate": base_rate(counts)}
