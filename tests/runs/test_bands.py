"""Bands above the Nyquist frequency of the samples are refused before anything is trained."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from tiny_runs import ROOT, plain_config

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.bands import check_bands
from seisvision.experiments.waveforms.network import build_view
from seisvision.experiments.waveforms.settings import Settings, cut_section

sys.path.insert(0, str(ROOT / "tests" / "data"))
from small_sets import write_set


@pytest.fixture(scope="module")
def at_20_hz(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    return write_set(tmp_path_factory.mktemp("sets") / "small", 4)


def _check(waveform_set: WaveformSet, *overrides: str) -> None:
    folder = ["dataset=folder", f"dataset.source.path={waveform_set.path}", "dataset.samples.window.length_s=5"]
    config: dict[str, Any] = plain_config(
        [*folder, "dataset.labels.source_type={quake: [quake], blast: [blast]}", *overrides]
    )
    check_bands(Settings.of(config), cut_section(build_view(config["view"])), waveform_set)


ABOVE = {
    "a section's band": (
        ["view=local", "view.channels.1.band_hz=[5,12]"],
        r"view\.channels\[1\]\.band_hz=\[5, 12\] Hz.*Nyquist frequency 10 Hz.*at 20 Hz.*Set view\.channels",
    ),
    "a band up to the very frequency": (["view=azimuth", "view.band_hz=[1,10]"], r"view\.band_hz=\[1, 10\]"),
    "rows of a spectrogram": (
        ["view=spectrogram", "view.frequency_range_hz=[1,10.5]", "+dataset.traces={window: {length_s: 5}}"],
        r"view\.frequency_range_hz=\[1, 10\.5\]",
    ),
    "rows of a stack": (["view=stack", "view.frequency_range_hz=[1,20]"], r"view\.frequency_range_hz"),
    "a trace drawn by ObsPy": (
        ["view=spectrogram_obspy", "view.band_hz=[2,15]", "+dataset.traces={window: {length_s: 5}}"],
        r"view\.band_hz=\[2, 15\]",
    ),
    "samples at a lower rate": (
        ["view=local", "dataset.samples.sampling_rate_hz=12"],
        r"view\.channels\[2\]\.band_hz=\[5, 10\] Hz.*frequency 6 Hz",
    ),
    "onsets": (
        ["+dataset.samples.onset={bands_hz: [[1, 5], [11, 18]], sta_s: 1, threshold: 4}"],
        r"dataset\.samples\.onset\.bands_hz\[1\]=\[11, 18\]",
    ),
    "a baseline": (["dataset.baselines.bands_hz=[[1,5],[10,20]]"], r"dataset\.baselines\.bands_hz\[1\]=\[10, 20\]"),
    "a ratio": (["dataset.baselines.ratio_bands_hz=[[12,15],[1,5]]"], r"ratio_bands_hz\[0\]=\[12, 15\]"),
}


@pytest.mark.parametrize(("overrides", "match"), ABOVE.values(), ids=ABOVE)
def test_a_band_above_nyquist_is_refused(at_20_hz: WaveformSet, overrides: list[str], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        _check(at_20_hz, *overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        ["view=local", "view.channels.2.band_hz=[5,9.9]"],
        ["view=stack", "view.frequency_range_hz=[1,10]"],
        ["view=paper", "evaluation.baselines=false", "dataset.baselines.bands_hz=[[12,20]]"],
        ["view=local", "dataset.samples.sampling_rate_hz=40", "view.channels.2.band_hz=[5,19]"],
    ],
)
def test_bands_that_the_samples_hold_or_nobody_uses_pass(at_20_hz: WaveformSet, overrides: list[str]) -> None:
    _check(
        at_20_hz,
        "view.channels=[{component: Z, band_hz: null}]" if "view=" not in overrides[0] else "seed=1",
        *overrides,
    )


def test_a_baseline_that_reaches_above_is_told(at_20_hz: WaveformSet, caplog: pytest.LogCaptureFixture) -> None:
    _check(at_20_hz, "dataset.baselines.bands_hz=[[1,5],[5,15]]")
    assert "dataset.baselines.bands_hz[1]=[5, 15] Hz reaches above the Nyquist frequency 10 Hz" in caplog.text


def test_every_data_set_asks_for_bands_that_its_own_rate_holds() -> None:
    rates_hz = {"synthetic": 2, "ipoc": 20, "synthetic_pnw": 20, "synthetic_local": 50, "synthetic_regional": 10}
    for name, rate_hz in rates_hz.items():
        bands = plain_config([f"dataset={name}"])["dataset"]["baselines"]["bands_hz"]
        assert all(0 < low < high < rate_hz / 2 for low, high in bands), name
