"""Kinds of experiments that begin with no other weights say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seisvision.errors import ConfigurationError
from seisvision.experiments.forecasting.experiment import ForecastExperiment
from seisvision.records.folder import RunFolder


@pytest.mark.parametrize("asked", [{"init_from": "runs/a"}, {"fine_tune": {"frozen": "backbone"}}])
def test_a_forecast_takes_no_weights(asked: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="of kind forecasting"):
        ForecastExperiment({"experiment_kind": "forecasting", **asked}, RunFolder(tmp_path))
