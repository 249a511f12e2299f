"""The shipped recipes on real recordings."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from obspy import read
from obspy.signal.rotate import rotate_rt_ne

from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import load_recipe
from seisvision.data.sets.waveform_set import WaveformSet

CONF = Path(__file__).resolve().parents[2] / "conf" / "import"


@pytest.fixture(scope="module")
def made(shared_data, tmp_path_factory):
    """Import a shipped recipe; everything that came in must be in the set or in the list."""

    def make(name):
        out = tmp_path_factory.mktemp(name) / "set"
        report = run_import(load_recipe(CONF / f"{name}.yaml", str(shared_data)), out)
        kinds = [rejection.kind for rejection in report.rejections]
        assert sum(report.n_components.values()) + kinds.count("recording") == sum(report.n_recordings.values())
        assert report.n_events + kinds.count("event") == sum(report.n_catalogue.values())
        return report, WaveformSet(out)

    return make


def test_two_collections_become_one_set_with_equal_windows(made):
    report, pnw = made("pnw_exotic")
    table = pnw.metadata
    counts = pnw.event_table().source_type.value_counts()
    assert counts["earthquake"] > 60 and counts["explosion"] > 5 and counts["surface_event"] > 90
    assert set(table.trace_sampling_rate_hz) == {40} and set(table.trace_component_order) == {"Z"}
    assert table.trace_name.str.endswith(",:1,:2400").all()
    assert report.seconds < 60
    # The place of the onset in the window must not tell the collection.
    onset = pd.to_datetime(table.source_onset_time) - pd.to_datetime(table.trace_start_time)
    spread = onset.dt.total_seconds().groupby(table.source_dataset).describe()
    assert spread["min"].between(9.9, 14).all() and spread["max"].between(26, 30.1).all()
    assert spread["50%"].between(17, 23).all()
    # Nor does a cut edge: the first and last second are as full of motion as the second beside them.
    edges = [pnw.read_trace(row, "Z")[0][0] for row in range(0, len(table), 7)]
    assert all(np.any(samples[:40]) and np.any(samples[-40:]) for samples in edges)


def test_alaska_comes_from_sac_headers_and_is_turned_to_north(made, shared_data):
    report, alaska = made("alaska_2009")
    table = alaska.metadata
    assert report.turned == {"RT": 26} and len(table) == 26 and alaska.source_ids == ["20090407201255351"]
    assert table.path_ep_distance_km.between(15, 492).all() and set(table.trace_unit) == {"cm/s"}
    assert (table.source_depth_km.iloc[0], table.source_magnitude.iloc[0]) == (
        pytest.approx(33.03, abs=0.01),
        pytest.approx(4.6),
    )
    changes = ["window=null", "processing.rate_hz=null", "processing.band_hz=null"]
    whole = load_recipe(CONF / "alaska_2009.yaml", str(shared_data), changes)
    out = alaska.path.with_name("whole")
    run_import(whole, out)
    row = int(np.flatnonzero(table.station_code == "BMR")[0])
    samples = WaveformSet(out).read_trace(row, "ZNE")[0]
    radial, transverse = (read(str(next((shared_data / "alaska_2009_sac").glob(f"*.BMR..BH.{c}"))))[0] for c in "rt")
    north, east = rotate_rt_ne(radial.data, transverse.data, float(radial.stats.sac.baz))
    inside = slice(500, -500)
    for ours, theirs in ((samples[1], north), (samples[2], east)):
        assert np.corrcoef(ours[inside], theirs[inside])[0, 1] > 0.9999


def test_volcanoes_and_unlabelled_events_import(made):
    report, baker = made("mt_baker")
    assert [r.reason for r in report.rejections if r.kind == "recording"] == ["one value for 12 s > 5 s"]
    assert baker.event_table().source_type.value_counts().to_dict() == {
        "earthquake": 255, "low_frequency": 68, "explosion": 7, "surface_event": 4,
    }  # fmt: skip
    _, iceland = made("bardarbunga")
    assert len(iceland.source_ids) == 18 and set(iceland.metadata.trace_component_order) == {"ZNE"}
    assert iceland.metadata.path_ep_distance_km.notna().all()
    _, unlabelled = made("pnw_unlabelled")
    assert len(unlabelled.source_ids) > 90
