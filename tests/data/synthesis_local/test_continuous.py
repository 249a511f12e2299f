"""Continuous recordings with a known catalogue: what is written is what happened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest

from seisvision.data.importing.tables.station_table import read_stations
from seisvision.data.synthesis_local.continuous import COUNTS_PER_M_S, in_band, synthesise_continuous
from seisvision.data.synthesis_local.scene import CENTRE, ContinuousParameters, draw_scene
from seisvision.errors import ConfigurationError, DataError

SMALL = ContinuousParameters(
    n_earthquakes=6, n_repeats=4, n_families=2, network_size=6, hours=0.4, n_gaps=1, quiet_hours=(), n_bursts=0.0
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesise_continuous(SMALL, tmp_path_factory.mktemp("continuous") / "made")


def test_arrivals_stand_where_the_table_says(archive: Path) -> None:
    events = pd.read_csv(archive / "events.csv").set_index("event_id")
    strongest = events["magnitude"].idxmax()
    arrivals = pd.read_csv(archive / "arrivals.csv")
    best = arrivals[(arrivals["event_id"] == strongest) & (arrivals["phase"] == "P") & (arrivals["station"] == "C001")]
    trace = obspy.read(str(archive / "SDS" / "*" / "*" / "C001" / "HHZ.D" / "*"))[0]
    at = round((obspy.UTCDateTime(best["time"].item()) - trace.stats.starttime) * 50)
    banded = np.abs(in_band(trace.data.astype(float), 50.0))
    assert banded[at : at + 50].max() > 5 * np.median(banded[at - 150 : at - 10])


def test_repeats_have_the_size_that_was_asked_for(archive: Path) -> None:
    events = pd.read_csv(archive / "events.csv")
    repeats = events[events["kind"] == "repeat"]
    assert len(repeats) == 4
    np.testing.assert_allclose(repeats["s_snr_median"], 1.0, atol=1e-3)
    for family, some in events[events["family"] >= 0].groupby("family"):
        assert some["latitude_deg"].max() - some["latitude_deg"].min() < 0.01, family


def test_gaps_clocks_and_lost_channels_are_in_the_files(archive: Path) -> None:
    faults = pd.read_csv(archive / "faults.csv")
    assert set(faults["fault"]) == {"gap", "clock", "no_channel"}
    gap = faults[faults["fault"] == "gap"].iloc[0]
    stream = obspy.read(str(archive / "SDS" / "*" / "*" / gap["station"] / "HHZ.D" / "*"))
    assert not stream.slice(obspy.UTCDateTime(gap["start"]) + 1, obspy.UTCDateTime(gap["end"]) - 1)
    late = obspy.read(str(archive / "SDS" / "*" / "*" / "C002" / "HHZ.D" / "*"))
    clock = faults[faults["fault"] == "clock"].iloc[0]
    starts = [one.stats.starttime - obspy.UTCDateTime(clock["start"]) for one in late]
    assert min(abs(start - SMALL.clock_error_s) for start in starts) < 1e-3


def test_stations_say_what_a_count_is(archive: Path) -> None:
    stations = read_stations(str(archive / "stations.xml"))
    place = stations.find("SY", "C001", "", "HHZ", 1_709_251_200_000_000_000)
    assert place is not None and abs(place.latitude_deg - CENTRE[0]) < 0.5
    inventory = obspy.read_inventory(str(archive / "stations.xml"))
    assert inventory[0][0][0].response.instrument_sensitivity.value == COUNTS_PER_M_S


def test_the_same_seed_gives_the_same_scene_and_quiet_hours_stay_quiet() -> None:
    parameters = ContinuousParameters(n_earthquakes=30, n_repeats=6, hours=6, quiet_hours=(2,))
    scene = draw_scene(parameters)
    assert scene.events == draw_scene(parameters).events
    assert not any(int(event.origin_s // 3600) == 2 for event in scene.events)


def test_what_makes_no_recording_is_refused(archive: Path) -> None:
    with pytest.raises(ConfigurationError, match="do not fit"):
        ContinuousParameters(n_earthquakes=500, hours=1)
    with pytest.raises(ConfigurationError, match="network-size"):
        ContinuousParameters(network_size=2)
    with pytest.raises(DataError, match="exists"):
        synthesise_continuous(SMALL, archive)
