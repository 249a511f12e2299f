"""Local sets on disk and their settings."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from obspy.geodetics import gps2dist_azimuth

from seisvision.data.samples.event_index import table_onsets_s
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.data.synthesis_local.source import LocalSyntheticSource
from seisvision.errors import ConfigurationError

SMALL = {"n_events": 4, "n_stations": (3, 5), "length_s": 20, "lead_s": (2, 4), "band_hz": [3, 20]}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    source = LocalSyntheticSource(**SMALL)
    path = source.prepare(folder)
    assert path == source.prepare(folder) == source.folder(folder)
    return WaveformSet(path)


def test_set_is_named_by_its_parameters(made):
    parameters = LocalSynthesisParameters(**SMALL)
    card = json.loads((made.path / "card.json").read_text())
    assert made.fingerprint == card["fingerprint"] == parameters.fingerprint()
    assert LocalSynthesisParameters(**card["parameters"]) == parameters
    assert parameters.fingerprint() != LocalSynthesisParameters(**{**SMALL, "noise_db": 1}).fingerprint()


def test_table_agrees_with_coordinates_and_times(made):
    table = made.metadata
    for row in table.itertuples():
        metres, _, back = gps2dist_azimuth(
            row.source_latitude_deg, row.source_longitude_deg, row.station_latitude_deg, row.station_longitude_deg
        )
        assert row.path_ep_distance_km == pytest.approx(metres / 1e3, abs=0.01)
        assert row.path_back_azimuth_deg == pytest.approx(back, abs=0.1)
    lead = pd.to_datetime(table.source_origin_time) - pd.to_datetime(table.trace_start_time)
    assert lead.dt.total_seconds().between(2, 4).all()
    # Onsets are to be detected, as on recordings.
    assert table.trace_onset_s.isna().all()
    assert set(table.trace_p_status) == {"theoretical"} and np.isnan(table_onsets_s(table)).all()
    np.testing.assert_allclose(table.trace_p_arrival_sample / 50, table.trace_theoretical_p_s, atol=0.002)


def test_every_trace_holds_signal_in_the_band(made):
    for row in range(len(made.metadata)):
        samples = made.read_trace(row)[0]
        assert samples.shape == (3, 1000) and (samples.std(axis=1) > 0).all()
        spectrum = np.abs(np.fft.rfft(samples))
        frequency = np.fft.rfftfreq(1000, 1 / 50)
        assert spectrum[:, frequency < 1].max() < 0.05 * spectrum.max()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lead": 3}, "lead_s"),
        ({"n_events": 2.5}, "n_events=2.5"),
        ({"offset_range_km": [60, 1]}, "smaller number first"),
        ({"vp_km_s": [3, 2]}, "rise"),
        ({"vp_km_s": [3.0, 4.0]}, "as many tops as velocities"),
        ({"layer_top_km": [1, 2, 3, 6, 12, 22]}, "the first top 0"),
        ({"lead_s": [50, 60]}, "leaves nothing"),
        ({"band_hz": [3, 24]}, "22.5"),
        ({"quality": "high"}, "two numbers"),
        ({"repeat": True}, "repeat=True"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        LocalSyntheticSource(**settings)


def test_naming_a_set_imports_nothing_heavy():
    heavy = ("torch", "h5py", "pandas", "scipy", "obspy")
    code = f"import sys, seisvision.data.synthesis_local.source; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_source_tells_the_columns_of_its_events_before_it_makes_them(made):
    assert set(LocalSyntheticSource.event_columns_made) == {
        name for name in made.table.columns if name.startswith("source_")
    }
