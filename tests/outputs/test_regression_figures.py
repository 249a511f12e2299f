import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image as png

from seisvision.base.sample_ids import SampleIds
from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.numbers.measures import Tolerance
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.outputs.regression_figures import residual_figure, running_medians, scatter_figure

OFFSET = {"name": "off$et_", "unit": "km", "transform": "log1p", "tolerance_relative": 0.1, "tolerance_absolute": 10.0}
FORCE = {"name": "force", "period_deg": 360, "tolerance_deg": 15.0}


def offsets(n: int, spread: bool) -> ScalarPredictions:
    rng = np.random.default_rng(0)
    target = rng.lognormal(6, 1, n)
    decoded = np.full((n, 6), np.nan)
    decoded[:, 0] = target * rng.lognormal(0, 0.2, n)
    if spread:
        decoded[:, 1] = 0.2 * decoded[:, 0]
        decoded[:, 2:] = decoded[:, :1] * [0.8, 1.2, 0.6, 1.4]
    target[::7] = np.nan
    ids = [str(i) for i in range(n)]
    return ScalarPredictions(OFFSET, SampleIds.of_events(ids), target, decoded)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def drawn(path: Path) -> np.ndarray:
    pixels = png.imread(path)
    assert pixels.shape[0] > 100 and (pixels[..., :3] < 0.5).any()
    return pixels


@pytest.mark.parametrize("spread", [False, True])
def test_figures_of_numbers(spread: bool, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        offsets(200, spread).draw(tmp_path / "offset_test", np.linspace(10, 900, 200))
    expected = {f"offset_test_{what}.png" for what in ("scatter", "tolerance", "residuals")}
    assert names(tmp_path) == expected | ({"offset_test_coverage.png"} if spread else set())
    for name in names(tmp_path):
        drawn(tmp_path / name)


@pytest.mark.parametrize("period_deg", [360, 180])
def test_figures_of_angles(period_deg: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    target = rng.uniform(0, 360, 150)
    decoded = np.stack([(target + rng.normal(0, 20, 150)) % period_deg, np.full(150, 20.0)], axis=1)
    ids = [str(i) for i in range(150)]
    AnglePredictions({**FORCE, "period_deg": period_deg}, SampleIds.of_events(ids), target, decoded).draw(
        tmp_path / "force"
    )
    assert names(tmp_path) == {
        f"force_{what}.png" for what in ("scatter", "tolerance", "rose", "residuals", "coverage")
    }
    for name in names(tmp_path):
        drawn(tmp_path / name)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_or_no_samples_do_no_harm(n: int, tmp_path: Path) -> None:
    ids = ["a", "b"][:n]
    offsets(n, True).draw(tmp_path / "few")
    AnglePredictions(FORCE, SampleIds.of_events(ids), np.ones(n), np.ones((n, 2))).draw(tmp_path / "few")
    assert bool(names(tmp_path)) == (n > 0)


def test_an_offset_panel_is_added_where_offsets_are_given(tmp_path: Path) -> None:
    error = np.random.default_rng(0).normal(size=50)
    one = drawn(residual_figure(tmp_path / "a.png", error, {"x": np.arange(50.0)}, "error"))
    two = drawn(residual_figure(tmp_path / "b.png", error, {"x": np.arange(50.0), "y": np.arange(50.0)}, "error"))
    assert two.shape[1] > 1.3 * one.shape[1]


def test_the_tolerance_is_visible(tmp_path: Path) -> None:
    target = np.linspace(10, 500, 80)
    tight, wide = (
        drawn(scatter_figure(tmp_path / f"{share}.png", target, target, Tolerance(share, 0.0, "km"), "offset (km)"))
        for share in (0.1, 0.5)
    )
    assert not np.array_equal(tight, wide)


def test_running_medians_follow_a_trend_and_skip_the_unknown() -> None:
    values = np.arange(600.0)
    values[5] = np.nan
    centre, median = running_medians(values, 2 * np.arange(600.0))
    assert len(centre) == 12 and (np.diff(centre) > 0).all()
    assert median == pytest.approx(2 * centre, abs=3)
