"""Events and stations from every kind of file."""

import numpy as np
import pytest
from obspy import UTCDateTime
from obspy.core.event import Catalog, Event, Magnitude, Origin, ResourceIdentifier
from obspy.core.inventory import Channel, Inventory, Network, Station
from recorded_trees import write_events, write_table

from seisvision.data.importing.tables.catalogue import read_events
from seisvision.data.importing.tables.station_table import read_stations
from seisvision.errors import DataError


def test_csv_events_keep_extra_columns_with_their_kind(tmp_path):
    path = write_events(
        tmp_path / "events.csv", ["007", "NA"], volume_m3=[12.5, ""], source_subtype=["rock, ice", ""], note=["1", "x"]
    )
    events = read_events(str(path)).events
    assert list(events) == ["007", "NA"]
    assert events["007"]["source_volume_m3"] == 12.5
    assert np.isnan(events["NA"]["source_volume_m3"])
    assert events["007"]["source_subtype"] == "rock, ice"
    assert events["007"]["source_note"] == "1"
    assert events["007"]["source_origin_time"] == "2020-01-01T00:00:00.000000Z"
    assert events["NA"]["source_cell"] == ""


def test_a_cell_of_the_table_is_kept(tmp_path):
    path = write_events(tmp_path / "events.csv", ["a"], source_cell=["glacier 3"])
    assert read_events(str(path)).events["a"]["source_cell"] == "glacier 3"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"source_latitude_deg": ["here"]}, "'here', which is not a number"),
        ({"source_latitude_deg": ["95"]}, "must lie within"),
        ({"source_origin_time": ["yesterday"]}, "write it like"),
    ],
)
def test_impossible_events_are_refused(tmp_path, columns, message):
    with pytest.raises(DataError, match=message):
        read_events(str(write_events(tmp_path / "events.csv", ["a"], **columns)))


def test_duplicate_events_and_missing_columns_are_refused(tmp_path):
    twice = read_events(str(write_events(tmp_path / "events.csv", ["a", "a"])))
    assert list(twice.events) == ["a"] and [refusal.cause for _, refusal in twice.refused] == ["duplicate_id"]
    with pytest.raises(DataError, match="no column 'event_id'"):
        read_events(str(write_table(tmp_path / "x.csv", [{"happening": "a"}])))
    with pytest.raises(DataError, match="not found"):
        read_events(str(tmp_path / "none.xml"))
    (tmp_path / "bad.xml").write_text("<a/>")
    with pytest.raises(DataError, match="no catalogue"):
        read_events(str(tmp_path / "bad.xml"))


def test_quakeml_takes_the_preferred_origin_and_keeps_events_without_one(tmp_path):
    first, second = (
        Origin(time=UTCDateTime(0), latitude=1, longitude=2),
        Origin(time=UTCDateTime(10), latitude=3, longitude=4, depth=5500),
    )
    full = Event(
        resource_id=ResourceIdentifier("smi:local/net/uw1"),
        event_type="explosion",
        origins=[first, second],
        magnitudes=[Magnitude(mag=1.25, magnitude_type="ML")],
        preferred_origin_id=second.resource_id,
    )
    bare = Event(resource_id=ResourceIdentifier("smi:local/uw2"), event_type="earthquake")
    path = tmp_path / "events.xml"
    Catalog([full, bare]).write(str(path), format="QUAKEML")
    events = read_events(str(path)).events
    assert list(events) == ["uw1", "uw2"]
    assert events["uw1"]["source_type"] == "explosion"
    assert events["uw1"]["source_depth_km"] == 5.5
    assert events["uw1"]["source_latitude_deg"] == 3
    assert events["uw1"]["source_magnitude"] == 1.25
    assert events["uw1"]["source_origin_time"] == "1970-01-01T00:00:10.000000Z"
    assert np.isnan(events["uw2"]["source_latitude_deg"]) and events["uw2"]["source_cell"] == ""


@pytest.mark.parametrize(
    ("resource", "event_id"),
    [
        ("quakeml:earthquake.usgs.gov/fdsnws/event/1/query?eventid=uw61001&format=quakeml", "uw61001"),
        ("smi:service.iris.edu/fdsnws/event/1/query?eventid=3279407", "3279407"),
        ("smi:ISC/evid=600516598", "600516598"),
    ],
)
def test_event_ids_of_data_centres(tmp_path, resource, event_id):
    path = tmp_path / "events.xml"
    Catalog([Event(resource_id=ResourceIdentifier(resource))]).write(str(path), format="QUAKEML")
    assert list(read_events(str(path)).events) == [event_id]


def test_network_na_is_a_network_and_an_empty_one_serves_all(tmp_path):
    row = {"station": "AAA", "latitude_deg": 1.0, "longitude_deg": 2.0, "elevation_m": ""}
    named = read_stations(str(write_table(tmp_path / "a.csv", [{"network": "NA"} | row])))
    assert named.find("NA", "AAA", "", "HHZ", 0).latitude_deg == 1.0
    assert named.find("XX", "AAA", "", "HHZ", 0) is None
    assert np.isnan(named.find("NA", "AAA", "", "HHZ", 0).elevation_m)
    anonymous = read_stations(str(write_table(tmp_path / "b.csv", [{"network": ""} | row])))
    assert anonymous.find("Z7", "AAA", "", "HHZ", 0).longitude_deg == 2.0


def test_impossible_station_positions_are_refused(tmp_path):
    row = {"network": "XX", "station": "AAA", "latitude_deg": 150.0, "longitude_deg": 2.0}
    with pytest.raises(DataError, match=r"station 'AAA'.*must lie within"):
        read_stations(str(write_table(tmp_path / "a.csv", [row])))


def test_seisbench_column_names_work_for_stations(tmp_path):
    row = {"station_network_code": "XX", "station_code": "AAA", "station_latitude_deg": 1, "station_longitude_deg": 2}
    assert read_stations(str(write_table(tmp_path / "a.csv", [row]))).find("XX", "AAA", "", "HHZ", 0) is not None


def test_stationxml_gives_the_place_of_the_epoch(tmp_path):
    def channel(latitude, start, end, azimuth):
        return Channel(
            "BH1", "00", latitude, 2.0, 30.0, 0.0, azimuth=azimuth, dip=0.0, start_date=start, end_date=end
        )  # fmt: skip

    early = channel(1.0, UTCDateTime(0), UTCDateTime(100), 10.0)
    late = channel(1.5, UTCDateTime(100), None, 20.0)
    station = Station("AAA", 1.0, 2.0, 30.0, channels=[early, late], start_date=UTCDateTime(0))
    path = tmp_path / "stations.xml"
    Inventory([Network("XX", [station])], source="test").write(str(path), format="STATIONXML")
    table = read_stations(str(path))
    assert table.find("XX", "AAA", "00", "BH1", 200 * 10**9).latitude_deg == 1.5
    assert table.find("XX", "AAA", "00", "BHZ", 50 * 10**9).latitude_deg == 1.0
    assert table.find("XX", "AAA", "00", "BHZ", -(10**10)) is None
