"""Azimuths of samples are those of the coordinates, whatever the columns are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from obspy.geodetics import gps2dist_azimuth
from small_sets import event_waveforms, trace_row

from seisvision import keys
from seisvision.data.audit.audit import check_set
from seisvision.data.samples.events import EventSamples, Window
from seisvision.data.samples.paths import COORDINATES, table_paths
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter

SOURCE, STATIONS = (31.2, 103.4), [(32.0, 104.5), (30.1, 103.0), (31.4, 101.9), (31.21, 103.42)]


def table(**changes: object) -> pd.DataFrame:
    """True rows of four stations, the last 3 km from the source, but for the changes."""
    rows = []
    for i, station in enumerate(STATIONS):
        metres, azimuth, back = gps2dist_azimuth(*SOURCE, *station)
        places = dict(zip(("source_latitude_deg", "source_longitude_deg"), SOURCE, strict=True))
        places |= dict(zip(("station_latitude_deg", "station_longitude_deg"), station, strict=True))
        paths = {"path_ep_distance_km": metres / 1e3, "path_azimuth_deg": azimuth, "path_back_azimuth_deg": back}
        rows.append(trace_row(0, i) | places | paths)
    return pd.DataFrame(rows).assign(**changes)


def test_a_column_of_azimuths_that_is_called_back_azimuth_is_not_believed(tmp_path: Path) -> None:
    true = table()
    wrong = table(path_back_azimuth_deg=lambda t: t["path_azimuth_deg"])
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        writer.add_event(wrong.to_dict("records"), event_waveforms(0))
    waveform_set = WaveformSet(tmp_path / "set")
    event = EventSamples(waveform_set, ["ev000"], window=Window(length_s=5.0))[0]
    far = slice(0, 3)
    for column, key in (("path_azimuth_deg", keys.AZIMUTH_DEG), ("path_back_azimuth_deg", keys.BACK_AZIMUTH_DEG)):
        np.testing.assert_allclose(event[key][far], true[column][far], atol=0.01)
    traces = TraceSamples(waveform_set, [0, 1, 2], window=Window(length_s=5.0), targets={"path_back_azimuth_deg": None})
    np.testing.assert_allclose(traces.targets["path_back_azimuth_deg"], true["path_back_azimuth_deg"][far], atol=0.01)
    (found,) = [one for one in check_set(waveform_set) if one.code == "path_back_azimuth_contradicts"]
    assert found.title == "azimuth and back azimuth exchanged" and found.severity == "warning"


@pytest.mark.parametrize("off_deg", [0.5, 4.0, -4.0])
def test_a_table_that_agrees_as_far_as_coordinates_can_tell_keeps_its_numbers(off_deg: float) -> None:
    given = table(path_azimuth_deg=lambda t: t["path_azimuth_deg"] + off_deg)
    np.testing.assert_array_equal(table_paths(given)[1], given["path_azimuth_deg"].to_numpy() % 360)


def test_without_coordinates_the_table_counts_and_the_audit_compares_both_columns(tmp_path: Path) -> None:
    places = [f"{end}_{axis}_deg" for end in ("source", "station") for axis in ("latitude", "longitude")]
    wrong = table(path_back_azimuth_deg=lambda t: t["path_azimuth_deg"]).drop(columns=places)
    np.testing.assert_array_equal(table_paths(wrong)[2], wrong["path_back_azimuth_deg"])
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        writer.add_event(wrong.to_dict("records"), event_waveforms(0))
    (found,) = [one for one in check_set(WaveformSet(tmp_path / "set")) if one.code == "back_azimuth_is_azimuth"]
    assert (found.count, found.of, found.severity) == (4, 4, "fatal")


def test_poles_antipodes_and_impossible_places_do_no_harm() -> None:
    places = np.array([(90.0, 0, 80, 10), (10, 20, -10, -160), (0, 179.9, 0, -179.9), (95, 0, 0, 0), (10, 20, 10, 20)])
    rows = pd.DataFrame(places, columns=list(COORDINATES)).assign(path_back_azimuth_deg=0.0, path_ep_distance_km=1.0)
    rows["path_azimuth_deg"] = [170.0, 12.0, 90.0, 33.0, 44.0]
    azimuth, back = table_paths(rows)[1:]
    np.testing.assert_allclose(azimuth, [170.0, 12.0, 90.0, 33.0, 44.0], atol=0.01)
    assert back[0] == 0 and back[2] == pytest.approx(270)
