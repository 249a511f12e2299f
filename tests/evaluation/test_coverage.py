"""The intervals of the tables hold the truth about as often as they say: the short form of benchmarks/coverage.py."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def coverage() -> Iterator[ModuleType]:
    # A package of the name exists too: the script comes first for as long as these tests last.
    before = sys.modules.pop("coverage", None)
    sys.path.insert(0, str(BENCHMARKS))
    module = importlib.import_module("coverage")
    module.N_TRUTH = 40_000
    yield module
    sys.path.remove(str(BENCHMARKS))
    sys.modules.pop("coverage")
    if before is not None:
        sys.modules["coverage"] = before


def case_of(family: str, name: str) -> Any:
    module = importlib.import_module(f"coverage_cases.{family}")
    return next(case for case in module.CASES if case.name.startswith(name))


@pytest.mark.parametrize(
    ("family", "name", "arrangement", "n_events", "judged"),
    [
        ("classes", "2 classes, 1 %", "alone", 50, ["accuracy", "balanced_accuracy", "roc_auc", "recall_class1"]),
        ("classes", "2 (10:1)", "alone", 20, ["balanced_accuracy", "roc_auc", "recall_class1", "precision_class1"]),
        ("classes", "3 classes, 1 %", "events", 20, ["accuracy", "balanced_accuracy", "roc_auc", "recall_class2"]),
        ("numbers", "log-normal distances, f", "alone", 50, ["mae_km", "one_minus_mape", "median_ae_km"]),
        ("numbers", "Student t3", "events", 100, ["mae_km", "bias_km", "acc_tol_rel0.10_abs10km"]),
        ("angles", "wide (50 degrees) e", "alone", 50, ["r2", "bias_deg", "circular_correlation", "mae_deg"]),
        ("angles", "narrow", "events", 50, ["r2", "bias_deg", "circular_correlation", "median_ae_deg"]),
        ("clusters", "clusters by chance", "alone", 50, ["ari"]),
        ("clusters", "clusters of 97 %", "events", 50, ["ari"]),
        ("leaderboard", "leaderboard, seed spread 0", "alone", 50, ["accuracy, 1 seed", "accuracy, 5 seeds"]),
        ("leaderboard", "leaderboard, seed spread 4.9", "alone", 177, ["accuracy, 2 seeds", "accuracy, 5 seeds"]),
    ],
)
def test_intervals_hold_as_often_as_they_say(
    coverage: ModuleType, family: str, name: str, arrangement: str, n_events: int, judged: list[str]
) -> None:
    cells = coverage.measure_case(case_of(family, name), arrangement, n_events, 100)
    for measure in judged:
        assert cells[measure].judged, f"{measure} has no interval"
        # Three standard errors below: a true coverage of 95 % fails once in a thousand.
        assert cells[measure].coverage > 95 - 3 * cells[measure].error, measure


@pytest.mark.parametrize(
    ("family", "name", "n_events", "measures"),
    [
        ("classes", "2 classes, 1 %", 177, ["cross_entropy", "expected_calibration_error"]),
        ("numbers", "Student t3", 177, ["rmse_km", "r2", "pearson"]),
        ("angles", "chance", 177, ["bias_deg", "rmse_deg"]),
        ("clusters", "clusters by chance", 50, ["nmi", "homogeneity", "completeness"]),
    ],
)
def test_what_cannot_be_said_has_no_interval(
    coverage: ModuleType, family: str, name: str, n_events: int, measures: list[str]
) -> None:
    cells = coverage.measure_case(case_of(family, name), "alone", n_events, 20)
    assert {measure: cells[measure].n_given for measure in measures} == dict.fromkeys(measures, 0)


def test_a_collapsed_interval_is_called_too_low(coverage: ModuleType) -> None:
    class Collapsed(coverage.Case):
        name = "half"

        def holds(self, rng: np.random.Generator, n_events: int, arrangement: str) -> dict[str, bool | None]:
            return {"measure": bool(rng.random() < 0.5), "nothing": None}

    cells = coverage.measure_case(Collapsed(), "alone", 20, 200)
    assert cells["measure"].low and cells["measure"].text().endswith("!")
    assert cells["nothing"].text() == "-" and not cells["nothing"].low
