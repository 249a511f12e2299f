"""Regions of learnt locations hold what they say of events that sized nothing, and are not stated where none can."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seisvision.base.sample_ids import SampleIds
from seisvision.evaluation.baselines.arrival_features import COLUMNS
from seisvision.evaluation.baselines.feature_table import FeatureTable
from seisvision.evaluation.baselines.held_back import RegionSizes, located_without
from seisvision.evaluation.baselines.learnt_times import LearntTimes, Located
from seisvision.judging.baselines import Part
from seisvision.outputs.places import baselines
from seisvision.outputs.places.measures import LEVELS
from seisvision.outputs.places.predictions import PlacePredictions

ABOUT = {
    "name": "place", "kind": "place", "origin_deg": [45.0, 10.0], "tolerance_km": 5.0,
    "columns": ["source_latitude_deg", "source_longitude_deg", "source_depth_km"],
}  # fmt: skip
S = 3


def located(n: int, seed: int) -> tuple[Located, np.ndarray]:
    """Events whose errors have far heavier tails than ellipses, and are three times what covariances say."""
    rng = np.random.default_rng(seed)
    place_km = rng.uniform((-30, -30, 3), (30, 30, 15), (n, 3))
    turn, long, short = rng.uniform(0, np.pi, n), rng.uniform(1, 2, n), rng.uniform(0.2, 0.5, n)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).transpose(2, 0, 1)
    covariance_km2 = np.zeros((n, 3, 3))
    covariance_km2[:, :2, :2] = (axes * np.stack([long, short], 1)[:, None] ** 2) @ axes.transpose(0, 2, 1)
    covariance_km2[:, 2, 2] = rng.uniform(0.5, 2, n) ** 2
    off_km = 3 * np.linalg.cholesky(covariance_km2) @ rng.standard_t(2, (n, 3, 1))
    return Located(place_km + off_km[..., 0], covariance_km2), place_km


def predictions(found: Located, place_km: np.ndarray, sizes: RegionSizes) -> PlacePredictions:
    latitude, longitude = PlacePredictions.plane_of(ABOUT).to_degrees(place_km[:, 0], place_km[:, 1])
    about = {**ABOUT, "region_sizes": baselines._about_sizes(sizes)}
    target = np.column_stack([latitude, longitude, place_km[:, 2]])
    return PlacePredictions.from_decoded(about, ids(len(place_km)), target, baselines._decoded(found, sizes))


def ids(n: int) -> SampleIds:
    return SampleIds.of_events([f"e{number:05d}" for number in range(n)])


def test_regions_of_both_levels_hold_what_they_say_of_heavy_tailed_errors() -> None:
    """As normal distributions of one spread they would hold 87 and 95, or 68 and 87 %."""
    sizes = RegionSizes.of(*located(2000, 1), range(2000), LEVELS)
    said = predictions(*located(4000, 2), sizes)
    measures = {name: one.value for name, one in said.measures().items()}
    for level in (68, 95):
        for of in ("epicentre", "depth"):
            assert measures[f"coverage_{of}_{level}"] == pytest.approx(level / 100, abs=0.025)
    across, down = said.about["region_sizes"][0.95]
    assert across > 1.4 * math.sqrt(5.991) and down > 1.4 * 1.96
    wide = np.median(said.decoded[:, 3:5].prod(1) * np.sqrt(1 - said.decoded[:, 6] ** 2))
    assert measures["area_95_km2"] == pytest.approx(math.pi * across**2 * wide, rel=0.01)


@pytest.mark.parametrize("n", [20, 30])
def test_regions_of_few_events_are_wider_and_hold_no_less(n: int) -> None:
    """Whoever takes 95 % of twenty errors holds 90 %: over 200 draws of the held-back events they hold 95 or more."""
    inside = []
    for seed in range(200):
        sizes = RegionSizes.of(*located(n, seed), range(n), LEVELS)
        inside.append(predictions(*located(20, seed + 5000), sizes).inside(0.95).mean())
    assert 0.94 < np.mean(inside) < 0.985


def test_too_few_events_state_no_region_rather_than_a_narrow_one() -> None:
    sizes = RegionSizes.of(*located(18, 3), range(18), LEVELS)
    measures = predictions(*located(50, 4), sizes).measures()
    assert "coverage_epicentre_68" in measures
    assert not {"coverage_epicentre_95", "coverage_depth_95", "area_95_km2"} & set(measures)


def test_no_event_is_located_by_what_it_taught() -> None:
    time_s = np.arange(23.0)[:, None]
    taught: list[np.ndarray] = []

    class Stub:
        bandwidth_km = None

        def locate(self, asked: np.ndarray, bandwidth_km: float | None) -> Located:
            assert not np.isin(asked[:, 0], taught[-1]).any()
            return Located(np.repeat(asked, 3, 1), np.tile(np.eye(3), (len(asked), 1, 1)))

    def learn(some: np.ndarray) -> LearntTimes | None:
        taught.append(some)
        return Stub()  # type: ignore[return-value]

    found = located_without(learn, time_s)
    assert found is not None and np.array_equal(found.place_km[:, 0], np.arange(23.0))
    assert located_without(lambda some: None, time_s) is None


@pytest.mark.parametrize(("n_val", "told"), [(25, "25 validation events say"), (12, "40 training events say")])
def test_a_baseline_tells_what_its_regions_are_sized_on(n_val: int, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation events; training events without themselves where these are few; depths nobody taught are empty."""

    class Stub:
        bandwidth_km, depth_km = None, None

        def locate(self, time_s: np.ndarray, bandwidth_km: float | None) -> Located:
            found, _ = located(len(time_s), 7)
            found.place_km[:, :2] = time_s[:, :2]
            found.place_km[:, 2] = found.covariance_km2[:, 2, 2] = np.nan
            return found

    monkeypatch.setattr(baselines, "learnt_times", lambda *_, **__: Stub())
    n = 40 + n_val + 10
    found, place_km = located(n, 8)
    values = np.zeros((n, S, len(COLUMNS)))
    values[:, 0, :2] = found.place_km[:, :2]
    names = [f"{column} {slot}" for slot in range(S) for column in COLUMNS]
    table = FeatureTable(ids(n), names, values.reshape(n, -1))
    latitude, longitude = PlacePredictions.plane_of(ABOUT).to_degrees(place_km[:, 0], place_km[:, 1])
    targets = dict(zip(ABOUT["columns"], (latitude, longitude, np.full(n, np.nan)), strict=True))
    whole = Part(ids(n), targets)
    places = np.arange(n)
    parts = {
        "train": whole.where(places < 40), "val": whole.where((places >= 40) & (places < 40 + n_val)),
        "test": whole.where(places >= 40 + n_val),
    }  # fmt: skip
    fitted = baselines.place_baselines(PlacePredictions, {"arrival_times": table}, ABOUT, parts, 0.95)["arrival_times"]
    assert told in fitted.description and "no depth" in fitted.description
    said = fitted.predictions["test"]
    assert isinstance(said, PlacePredictions) and np.isnan(said.depth_km).all() and (said.area95_km2 > 0).all()
    assert "coverage_epicentre_95" in fitted.metrics["test"] and "coverage_depth_95" not in fitted.metrics["test"]
    # Of 25 events the regions that they sized would hold 25.
    assert ("coverage_epicentre_95" in fitted.metrics["val"]) == (n_val == 12)
    del parts["test"]
    alone = baselines.place_baselines(PlacePredictions, {"arrival_times": table}, ABOUT, parts, 0.95)["arrival_times"]
    assert "40 training events say" in alone.description and "coverage_epicentre_95" in alone.metrics["val"]
