import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.errors import ConfigurationError, DataError
from seisvision.evaluation.baselines.feature_table import FeatureTable
from seisvision.evaluation.baselines.trace_features import spectral_ratio_features, two_features
from seisvision.judging.baselines import fit_output, make_features, with_stations
from seisvision.outputs.baseline import Baseline
from seisvision.outputs.regression_baselines import fit_regression_baselines

OFFSET = {
    "kind": "scalar",
    "name": "offset",
    "target": "path_ep_distance_km",
    "unit": "km",
    "transform": "log1p",
    "tolerance_relative": 0.1,
    "tolerance_absolute": 10.0,
}
FORCE = {"kind": "angle", "name": "force", "target": "force_deg", "period_deg": 360, "tolerance_deg": 15.0}
HEADLINE = "acc_tol_rel0.10_abs10km"
RATE_HZ = 20.0


@dataclass
class Part:
    ids: SampleIds
    targets: dict[str, np.ndarray]


def parts_of(n: int, targets: dict[str, np.ndarray], n_traces: int = 1) -> dict[str, Part]:
    edges = {"train": (0, n // 2), "val": (n // 2, 3 * n // 4), "test": (3 * n // 4, n)}
    return {
        part: Part(
            SampleIds("trace", [str(i) for i in range(*ends)], [f"event-{i // n_traces}" for i in range(*ends)]),
            {name: values[slice(*ends)] for name, values in targets.items()},
        )
        for part, ends in edges.items()
    }


def table_of(values: np.ndarray) -> FeatureTable:
    return FeatureTable(
        SampleIds("trace", *2 * ([str(i) for i in range(len(values))],)),
        [f"f{i}" for i in range(values.shape[1])],
        values,
    )


def test_a_useful_feature_beats_the_median_and_a_useless_one_does_not() -> None:
    rng = np.random.default_rng(0)
    offset_km = rng.lognormal(6, 1, 400)
    useful = np.stack([np.log(offset_km) + rng.normal(0, 0.1, 400), rng.normal(size=400)], axis=1)
    parts = parts_of(400, {"path_ep_distance_km": offset_km}, n_traces=4)
    for name in ("two_feature", "band_power"):
        fitted = fit_regression_baselines({name: table_of(useful)}, OFFSET, parts)
        assert list(fitted) == ["median", name] and set(fitted[name].metrics) == {"val", "test"}
        constant, regression = (fitted[one].metrics["test"]["median_ae_km"] for one in ("median", name))
        assert regression.high < constant.low and regression.n == 100
        useless = fit_regression_baselines({name: table_of(useful[:, 1:])}, OFFSET, parts)[name]
        assert useless.metrics["test"]["r2"].value < 0.2
        difference = fitted[name].predictions["test"].difference(fitted["median"].predictions["test"])
        assert difference["low"] > 0 and difference["of"] == HEADLINE
        json.dumps(fitted[name].to_dict(), allow_nan=False)


def test_the_median_is_that_of_the_training_samples_alone() -> None:
    offset_km = np.concatenate([np.full(50, 100.0), np.full(50, 900.0)])
    median = fit_regression_baselines({}, OFFSET, parts_of(100, {"path_ep_distance_km": offset_km}))["median"]
    assert set(median.predictions["test"].value) == {100.0}
    assert median.metrics["test"][HEADLINE].value == 0


def test_other_parts_have_no_say_in_the_fit() -> None:
    rng = np.random.default_rng(1)
    offset_km = rng.lognormal(6, 1, 200)
    features = np.log(offset_km)[:, None] + rng.normal(0, 0.2, (200, 1))
    spoilt, other = features.copy(), offset_km.copy()
    spoilt[150:], other[150:] = 1e9, 1.0
    for name in ("two_feature", "band_power"):
        first, second = (
            fit_regression_baselines({name: table_of(x)}, OFFSET, parts_of(200, {"path_ep_distance_km": y}))[name]
            for x, y in ((features, offset_km), (spoilt, other))
        )
        assert np.array_equal(first.predictions["val"].value, second.predictions["val"].value)


def test_angles_are_fitted_on_the_circle() -> None:
    rng = np.random.default_rng(2)
    angle = rng.normal(0, 60, 300) % 360
    features = np.stack([np.cos(np.radians(angle)), np.sin(np.radians(angle))], axis=1) + rng.normal(0, 0.05, (300, 2))
    fitted = fit_regression_baselines({"band_power": table_of(features)}, FORCE, parts_of(300, {"force_deg": angle}))
    assert fitted["band_power"].metrics["test"]["median_ae_deg"].value < 6
    said = fitted["median"].predictions["test"].value
    assert len(set(said)) == 1 and min(said[0], 360 - said[0]) < 20


def test_picks_are_taken_as_they_are_and_may_be_missing() -> None:
    offset_km = np.linspace(100, 1000, 100)
    picked = offset_km[:, None].copy()
    picked[::4] = np.nan
    fitted = fit_regression_baselines(
        {"s_minus_p": table_of(picked)}, OFFSET, parts_of(100, {"path_ep_distance_km": offset_km})
    )
    metrics = fitted["s_minus_p"].metrics["test"]
    assert metrics[HEADLINE].value == 1 and metrics["answered"].value == 19 / 25


def test_what_cannot_be_had_says_why() -> None:
    few = parts_of(12, {"path_ep_distance_km": np.linspace(1, 12, 12)})
    fitted = fit_regression_baselines({"two_feature": table_of(np.ones((12, 2))), "band_power": "no"}, OFFSET, few)
    assert fitted["two_feature"].skipped == "only 6 training samples have a target; 10 are needed"
    assert fitted["band_power"].skipped == "no" and not fitted["band_power"].metrics
    with pytest.raises(ConfigurationError, match="Did you mean 'two_feature'"):
        fit_regression_baselines({"two_features": "x"}, OFFSET, few)
    with pytest.raises(DataError, match="there are none"):
        fit_regression_baselines({}, OFFSET, parts_of(12, {"path_ep_distance_km": np.full(12, np.nan)}))


def burst(onset_s: float, delay_s: float, decay_s: float, n: int = 1200, frequency_hz: float = 3.0) -> np.ndarray:
    """Weak P and, ``delay_s`` later, a strong S with an exponential coda, on three components (3, T)."""
    time_s = np.arange(n) / RATE_HZ
    signal = np.zeros(n)
    for at_s, size in ((onset_s, 0.2), (onset_s + delay_s, 1.0)):
        behind = np.clip(time_s - at_s, 0, None)
        signal += size * (time_s >= at_s) * np.exp(-behind / decay_s) * np.sin(2 * np.pi * frequency_hz * behind)
    return np.stack([signal, 0.5 * signal, 0.5 * signal])


def test_two_features_are_peak_delay_and_coda_length() -> None:
    waveform = np.stack([burst(5, 6, 2), burst(5, 14, 2), burst(5, 6, 5), np.zeros((3, 1200))])[:, None]
    onset_s = np.array([[5.0], [5.0], [5.0], [5.0]])
    batch = {keys.WAVEFORM: 1e-6 * waveform, keys.ONSET_S: onset_s, keys.SAMPLING_RATE_HZ: RATE_HZ}
    found = two_features(batch)
    assert found.names == ["onset_to_peak_s", "coda_length_s"]
    assert found.values[:3, 0] == pytest.approx([6, 14, 6], abs=0.8)
    # The envelope falls to a tenth in ln(10) times the decay.
    assert found.values[:3, 1] == pytest.approx(np.log(10) * np.array([2, 2, 5]), abs=0.8)
    assert np.isnan(found.values[3]).all() and found.problems == [None, None, None, "no signal"]
    banded = two_features(batch, [(1.0, 5.0), (6.0, 9.0)])
    assert banded.names[0] == "onset_to_peak_s_1_5_hz" and banded.values.shape == (4, 4)
    assert banded.values[:3, 0] == pytest.approx([6, 14, 6], abs=0.8)
    unknown = two_features({**batch, keys.ONSET_S: np.full((4, 1), np.nan)})
    assert unknown.problems[0] == "no onset" and np.isnan(unknown.values[:, 0]).all()


def test_the_spectral_ratio_is_of_powers_and_free_of_amplitude() -> None:
    time_s = np.arange(2000) / 50
    high, low = (np.sin(2 * np.pi * frequency * time_s) for frequency in (10.0, 3.0))
    waveform = np.stack([high + low, 2 * high + low, 1e6 * (high + low)])[:, None, None].repeat(3, axis=2)
    batch = {keys.WAVEFORM: waveform, keys.SAMPLING_RATE_HZ: 50.0}
    ratio = spectral_ratio_features(batch, ((6.0, 15.0), (1.0, 5.0))).values[:, 0]
    assert ratio == pytest.approx([0, np.log(4), 0], abs=0.02)
    with pytest.raises(DataError, match="two bands"):
        spectral_ratio_features(batch, ((6.0, 15.0),))


class Traces:
    """Single traces in memory with what baselines ask of `TraceSamples`."""

    def __init__(self, waveforms: np.ndarray, onset_s: np.ndarray, source_ids: list[str], stations: list[str]) -> None:
        self.waveforms, self.onset_s, self.source_ids = waveforms, onset_s, source_ids
        self.ids = SampleIds("trace", [str(i) for i in range(len(waveforms))], source_ids)
        self.waveform_set = self
        self.table = pd.DataFrame({"station_network_code": "XX", "station_code": stations})

    def __len__(self) -> int:
        return len(self.waveforms)

    def __getitem__(self, number: int) -> dict[str, Any]:
        return {
            keys.WAVEFORM: torch.as_tensor(self.waveforms[number][None], dtype=torch.float32),
            keys.STATION_MASK: torch.ones(1, dtype=torch.bool),
            keys.COMPONENT_MASK: torch.ones((1, 3), dtype=torch.bool),
            keys.ONSET_S: torch.as_tensor(self.onset_s[number : number + 1], dtype=torch.float32),
            keys.SOURCE_DEPTH_KM: torch.tensor(torch.nan),
            keys.SAMPLING_RATE_HZ: RATE_HZ,
            keys.SOURCE_ID: self.source_ids[number],
            keys.TRACE_ID: str(number),
            keys.TARGETS: {},
        }


def fitted_on(
    dataset: Traces, about: dict[str, Any], parts: dict[str, Part], cache_dir: Path, ratio_hz: Any = ((6, 15), (1, 5))
) -> dict[str, Baseline]:
    settings = {"spectral_ratio": {"bands_hz": [list(band) for band in ratio_hz]}}
    features = make_features(dataset, "trace", about, settings, cache_dir=cache_dir, key="k")
    if about["kind"] == "class":
        features = with_stations(features, dataset, ["station_network_code", "station_code"])
    return fit_output(features, about, parts)


@pytest.mark.slow
def test_offsets_from_files_to_measures(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    delay_s = rng.uniform(2, 30, 120)
    noise = 0.01 * rng.normal(size=(120, 3, 1200))
    waveforms = np.stack([burst(8, delay, 2 + 0.1 * delay) for delay in delay_s]) + noise
    source_ids = [f"event-{i // 4}" for i in range(120)]
    dataset = Traces(waveforms, np.full(120, 8.0), source_ids, ["A"] * 120)
    parts = parts_of(120, {"path_ep_distance_km": 8.0 * delay_s}, n_traces=4)
    fitted = fitted_on(dataset, OFFSET, parts, tmp_path)
    assert list(fitted) == ["median", "two_feature", "s_minus_p", "boosting", "forest"]
    assert fitted["two_feature"].metrics["test"]["r2"].value > 0.9
    assert fitted["two_feature"].predictions["test"].source_ids == tuple(source_ids[90:])
    assert fitted["forest"].metrics["test"]["r2"].value > 0.9
    assert len(list(tmp_path.iterdir())) == 4
    again = fitted_on(dataset, OFFSET, parts, tmp_path)
    assert again["two_feature"].metrics == fitted["two_feature"].metrics
    no_onset = Traces(waveforms, np.full(120, np.nan), source_ids, ["A"] * 120)
    blind = fitted_on(no_onset, OFFSET, parts, tmp_path / "other")
    assert "no onset" in str(blind["two_feature"].skipped) and blind["boosting"].skipped is None


def test_classes_of_traces_by_spectrum_and_by_station(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    label = np.arange(160) // 4 % 2
    frequency_hz = np.where(label == 1, 2.0, 7.0) + rng.normal(0, 0.3, 160)
    waveforms = np.stack([burst(5, 6, 4, frequency_hz=f) for f in frequency_hz])
    station = np.where(rng.random(160) < 0.8, label, 1 - label)
    stations = [f"S{number}" for number in station]
    stations[-1] = "NEW"
    dataset = Traces(waveforms, np.full(160, 5.0), [f"event-{i // 4}" for i in range(160)], stations)
    about = {"kind": "class", "name": "kind", "target": "kind", "class_names": ["earthquake", "low"]}
    parts = parts_of(160, {"kind": label}, n_traces=4)
    fitted = fitted_on(dataset, about, parts, tmp_path, ratio_hz=((5.0, 9.0), (1.0, 4.0)))
    assert set(fitted) == {"majority", "station_only", "spectral_ratio", "boosting", "forest"}
    assert fitted["boosting"].metrics["test"]["accuracy"].value > 0.95
    accuracy = {name: one.metrics["test"]["accuracy"] for name, one in fitted.items()}
    assert accuracy["spectral_ratio"].value > 0.95 and accuracy["majority"].value == 0.5
    assert accuracy["station_only"].value == pytest.approx((station[120:159] == label[120:159]).mean(), abs=0.03)
    train_share = label[:80].mean()
    assert fitted["station_only"].predictions["test"].decoded[-1] == pytest.approx([1 - train_share, train_share])
    default = fitted_on(dataset, about, parts, tmp_path)
    # Bands of 6 to 15 Hz end at the Nyquist frequency of 10 Hz and still tell the two apart.
    assert default["spectral_ratio"].metrics["test"]["accuracy"].value > 0.9
