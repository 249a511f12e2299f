"""Station tables are read by the column names of those who wrote them, with epochs and units."""

import numpy as np
import pytest
from obspy import UTCDateTime
from obspy.core.inventory import Channel, Inventory, Network, Station

from seisvision.data.importing.formats.waveform_files import Segment
from seisvision.data.importing.tables.station_table import place_from_sac, read_stations
from seisvision.errors import DataError

TIME = UTCDateTime("2020-03-04").ns
CODES = ("XX", "AAA", "", "HHZ")
FDSN = (
    "#Network | Station | Latitude | Longitude | Elevation | SiteName | StartTime | EndTime\n"
    "XX|AAA|40.5|20.0|100.0|Old, hill|2000-01-01T00:00:00|2010-01-01T00:00:00\n"
    "XX|AAA|10.5|185.02|1614.5|New|2010-01-02T00:00:00|2599-12-31T23:59:59\n"
)
CHANNELS = (
    "#Network | Station | Location | Channel | Latitude | Longitude | Elevation | Depth | Azimuth | Dip | "
    "SensorDescription | Scale | ScaleFreq | ScaleUnits | SampleRate | StartTime | EndTime\n"
    "XX|AAA||HHZ|10.5|-174.98|1614.5|0.0|0.0|-90.0|Some, sensor|6.2E8|1.0|M/S|100.0|2010-01-02T00:00:00|\n"
    "XX|AAA|10|HH1|10.5|-174.98|1614.5|50.0|33.0|0.0|Other|6.2E8|1.0|M/S|100.0|2010-01-02T00:00:00|\n"
)


def read(tmp_path, text, name="stations.csv"):
    (tmp_path / name).write_text(text)
    return read_stations(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fdsn.txt", FDSN),
        ("channels.txt", CHANNELS),
        ("a.csv", "net,sta,lat,lon,elevation_km\nXX,AAA,10.5,185.02,1.6145\n"),
        ("b.csv", "Network;Station;Latitude;Longitude;Elevation (m)\nXX;AAA;10,5;-174,98;1614,5\n"),
        ("c.csv", "id,longitude,latitude,elevation(m)\nXX.AAA..HH,185.02,10.5,1614.5\n"),
        ("d.csv", "Latitude,Longitude,Altitude_m,Name\n10.5,-174.98,1614.5,AAA\n"),
        ("e.csv", "knetwk,kstnm,stla,stlo,stel\n*,AAA,10.5,185.02,1614.5\n"),
        ("f.dat", "network station latitude longitude elevation\nXX AAA 10.5 -174.98 1614.5\n"),
    ],
)
def test_places_need_no_renaming(tmp_path, name, text):
    place = read(tmp_path, text, name).find(*CODES, TIME)
    assert (place.latitude_deg, place.elevation_m) == (10.5, pytest.approx(1614.5))
    assert place.longitude_deg == pytest.approx(-174.98)


def test_the_same_from_stationxml(tmp_path):
    station = Station("AAA", 10.5, -174.98, 1614.5, start_date=UTCDateTime(0))
    path = tmp_path / "stations.xml"
    Inventory([Network("XX", [station])], source="test").write(str(path), format="STATIONXML")
    assert read_stations(str(path)).find(*CODES, TIME).longitude_deg == pytest.approx(-174.98)
    assert place_from_sac({"stla": 10.5, "stlo": 185.02}).longitude_deg == pytest.approx(-174.98)


def test_epochs_and_channels_of_a_table(tmp_path):
    table = read(tmp_path, FDSN, "fdsn.txt")
    assert table.find(*CODES, UTCDateTime("2005-01-01").ns).latitude_deg == 40.5
    assert table.find(*CODES, UTCDateTime("1999-01-01").ns) is None
    assert "for other times only" in table.why_missing("XX", "AAA")
    channels = read(tmp_path, CHANNELS, "channels.txt")
    tilted = channels.channels.find(Segment("XX", "AAA", "10", "HH1", TIME, 100.0, 0, np.empty(0), {}))
    assert (tilted.azimuth_deg, tilted.dip_deg) == (33.0, 0.0)
    assert channels.find("XX", "AAA", "77", "HHZ", TIME).latitude_deg == 10.5
    vertical = Segment("XX", "AAA", "", "HHZ", TIME, 100.0, 0, np.empty(0), {})
    assert channels.channels.sensitivity(vertical) == (6.2e8, "m/s")


@pytest.mark.parametrize(
    ("dates", "latitude"),
    [
        (("2000-01-01,2010-01-01", "2010-01-02,"), 10.5),
        (("2000001,2010001", "2010002,2599365"), 10.5),
        (("2019-01-01 00:00:00,", "1990-01-01,2018-12-31"), 40.5),
        (("1000-01-01,2010-01-01", "2010-01-02,9999-12-31"), 10.5),
        (("2000-01-01,2020-03-03", "2020-03-05,now"), None),
    ],
)
def test_the_epoch_of_the_recording_is_taken(tmp_path, dates, latitude):
    rows = "".join(f"XX,AAA,{place},20,{span}\n" for place, span in zip((40.5, 10.5), dates, strict=True))
    place = read(tmp_path, "network,station,latitude,longitude,start_date,end_date\n" + rows).find(*CODES, TIME)
    assert (place and place.latitude_deg) == latitude


def test_two_places_at_one_time_are_no_place(tmp_path):
    table = read(tmp_path, "network,station,latitude,longitude\nXX,AAA,10,20\nXX,AAA,40,20\nXX,BBB,1,2\nXX,BBB,1,2\n")
    assert table.find(*CODES, TIME) is None
    assert "two places at one time (10, 20 and 40, 20)" in table.problem("XX", "AAA")
    assert table.find("XX", "BBB", "", "HHZ", TIME).latitude_deg == 1 and not table.problem("XX", "BBB")
    overlapping = "network,station,lat,lon,start,end\nXX,AAA,1,2,2000-01-01,2010-01-01\nXX,AAA,9,2,2009-01-01,\n"
    assert read(tmp_path, overlapping).problem("XX", "AAA")


def inventory(path, *places):
    """StationXML with one station at several places, each from a date on."""
    stations = [
        Station("AAA", latitude, 20.0, 100.0, start_date=None if date is None else UTCDateTime(date))
        for latitude, date in places
    ]
    Inventory([Network("XX", stations)], source="test").write(str(path), format="STATIONXML")
    return read_stations(str(path))


def test_of_epochs_left_open_in_stationxml_the_last_to_begin_holds(tmp_path):
    moved = inventory(tmp_path / "moved.xml", (10.0, "1990-01-01"), (40.0, "2015-06-01"))
    assert moved.find(*CODES, TIME).latitude_deg == 40
    assert moved.find(*CODES, UTCDateTime("2010-01-01").ns).latitude_deg == 10
    first_record = UTCDateTime("2015-05-31T23:59:59.6")
    assert moved.find(*CODES, first_record.ns).latitude_deg == 40
    new = inventory(tmp_path / "new.xml", (10.0, "2015-06-01"))
    assert new.find(*CODES, first_record.ns).latitude_deg == 10
    assert new.find(*CODES, (first_record - 10).ns) is None


@pytest.mark.parametrize("date", [None, "2001-01-01"])
def test_two_places_at_one_time_in_stationxml_are_no_place(tmp_path, date):
    table = inventory(tmp_path / "two.xml", (10.0, date), (40.0, date))
    assert table.find(*CODES, TIME) is None
    assert "two places at one time (10, 20 and 40, 20)" in table.why_missing("XX", "AAA")
    rounded = inventory(tmp_path / "rounded.xml", (10.0, date), (10.0004, date))
    assert rounded.find(*CODES, TIME).latitude_deg == pytest.approx(10, abs=1e-3)


def test_one_bad_row_is_the_loss_of_one_station(tmp_path):
    head = "network,station,latitude,longitude,elevation\n"
    table = read(tmp_path, head + "XX,AAA,95,20,1\nXX,BBB,ten,20,1\nXX,CCC,1,2\nXX,DDD,1,2,-9999\nXX,EEE,-999,-999,1\n")
    assert set(table.problems) == {("XX", "AAA"), ("XX", "BBB"), ("XX", "CCC")}
    assert table.find("XX", "DDD", "", "HHZ", TIME).latitude_deg == 1
    assert np.isnan(table.find("XX", "DDD", "", "HHZ", TIME).elevation_m)
    assert table.find("XX", "EEE", "", "HHZ", TIME) is None
    with pytest.raises(DataError, match=r"no station of .* can be used"):
        read(tmp_path, head + "XX,AAA,95,20,1\n")


@pytest.mark.parametrize(
    ("head", "row", "message"),
    [
        ("network,station,lattitude,longitude", "XX,AAA,1,2", "'lattitude', which looks like latitude_deg"),
        ("station,latitude,longitude,elevation_yards", "AAA,1,2,3", "elevation_km where it is in kilometres"),
        ("network,station,station_latitud,longitude", "XX,AAA,1,2", "'station_latitud', which looks like"),
        ("network,station,lat,latitude,lon", "XX,AAA,1,2,3", "'lat' and 'latitude', and they differ"),
        ("network,station,lat", "XX,AAA,1", "no column 'longitude_deg'"),
    ],
)
def test_columns_in_doubt_are_refused_with_what_was_meant(tmp_path, head, row, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, f"{head}\n{row}\n")


def test_elevations_that_could_be_kilometres_are_missing_and_told(tmp_path):
    table = read(tmp_path, "station,latitude,longitude,elevation\nAAA,1,2,1.614\nBBB,3,4,0.9\n")
    assert np.isnan(table.find(*CODES, TIME).elevation_m) and table.find(*CODES, TIME).latitude_deg == 1
    assert "elevation_m or elevation_km" in table.notes[0]
    assert read(tmp_path, "station,latitude,longitude,elevation\nAAA,1,2,5\n").find(*CODES, TIME).elevation_m == 5


def test_another_network_is_named(tmp_path):
    table = read(tmp_path, "network,station,latitude,longitude\nYY,AAA,10,20\n")
    assert table.find(*CODES, TIME) is None
    assert "a AAA is listed of network YY" in table.why_missing("XX", "AAA")


def test_station_codes_with_their_network_before_them(tmp_path):
    stations = read(tmp_path, "network,station,latitude,longitude\nXX,XX.AAA,10,20\nYY,AAA,30,40\nXX,YY.B,1,2\n")
    assert stations.find(*CODES, TIME).latitude_deg == 10
    assert stations.find("YY", "AAA", "", "HHZ", TIME).latitude_deg == 30
    assert ("XX", "B", None, None) not in stations.epochs


@pytest.mark.parametrize("name", ["elev (feet)", "altitude_ft", "Height [ft]"])
def test_elevations_in_feet_are_brought_to_metres(tmp_path, name):
    stations = read(tmp_path, f"network,station,lat,lon,{name}\nXX,AAA,10,20,5000\n")
    assert stations.find(*CODES, TIME).elevation_m == pytest.approx(1524)


def test_headers_of_german_and_spanish_lists(tmp_path):
    german = read(tmp_path, "Netz;Station;Breite;L\u00e4nge;H\u00f6he\nXX;AAA;10,5;185,02;1614,5\n")
    spanish = read(tmp_path, "net;Station;Latitud;Longitud;Altitud\nXX;AAA;10,5;-174,98;1614,5\n")
    for stations in (german, spanish):
        place = stations.find(*CODES, TIME)
        assert (place.latitude_deg, place.longitude_deg, place.elevation_m) == pytest.approx((10.5, -174.98, 1614.5))


def test_an_inventory_with_two_places_at_one_time_gives_the_later_or_none(tmp_path):
    def station(latitude_deg, start, end=None, code="AAA"):
        dates = {"start_date": UTCDateTime(start), "end_date": None if end is None else UTCDateTime(end)}
        return Station(code, latitude_deg, 20, 100, **dates)

    moved = [station(10, "2000-01-01", "2010-01-01"), station(11, "2010-01-01")]
    open_ended = [station(10, "2000-01-01", code="BBB"), station(11, "2010-01-01", code="BBB")]
    twice = [station(10, "2000-01-01", code="CCC"), station(10.0005, "2010-01-01", code="CCC")]
    networks = [Network("XX", moved + open_ended), Network("XX", twice)]
    Inventory(networks, source="test").write(str(tmp_path / "stations.xml"), "STATIONXML")
    stations = read_stations(str(tmp_path / "stations.xml"))
    assert stations.find(*CODES, TIME).latitude_deg == 11
    assert stations.find("XX", "CCC", "", "HHZ", TIME) is not None
    # The end of the first was forgotten.
    assert stations.find("XX", "BBB", "", "HHZ", TIME).latitude_deg == 11
    assert stations.find("XX", "BBB", "", "HHZ", UTCDateTime("2005-01-01").ns).latitude_deg == 10
    both = [station(10, "2000-01-01", code="DDD"), station(11, "2000-01-01", code="DDD")]
    Inventory([Network("XX", both)], source="test").write(str(tmp_path / "both.xml"), "STATIONXML")
    contradictory = read_stations(str(tmp_path / "both.xml"))
    assert contradictory.find("XX", "DDD", "", "HHZ", TIME) is None
    assert "two places at one time" in contradictory.why_missing("XX", "DDD")


@pytest.mark.parametrize(("azimuth", "dip"), [("-90.0", "0.0"), ("-90", "0"), ("270.0", "0.0"), ("270", "-95")])
def test_text_of_a_service_keeps_the_directions_that_obspy_does_not_read(tmp_path, azimuth, dip):
    row = f"XX|AAA||HHE|10.5|-174.98|1614.5|0.0|{azimuth}|{dip}|Sensor|6.2E8|1.0|M/S|100.0|2010-01-02T00:00:00|\n"
    channels = read(tmp_path, CHANNELS + row, "channels.txt").channels
    (found,) = channels.epochs["XX", "AAA", "HHE"]
    assert (found.azimuth_deg % 360, found.dip_deg) == (270, float(dip))
    assert (found.response is not None) == (abs(float(dip)) <= 90)
    assert len(channels.epochs["XX", "AAA", "HHZ"]) == 1


def test_epochs_of_channels_tell_where_a_station_without_dates_was(tmp_path):
    def station(latitude_deg, start, end):
        times = {"start_date": UTCDateTime(start), "end_date": UTCDateTime(end)}
        channel = Channel("HHZ", "", latitude_deg, 20.0, 100.0, 0.0, azimuth=0.0, dip=-90.0, **times)
        return Station("AAA", latitude_deg, 20, 100, channels=[channel])

    moved = [station(40, "2000-01-01", "2010-01-01"), station(10.5, "2010-01-01", "2030-01-01")]
    Inventory([Network("XX", moved)], source="test").write(str(tmp_path / "stations.xml"), "STATIONXML")
    stations = read_stations(str(tmp_path / "stations.xml"))
    assert stations.find("XX", "AAA", "", "HHZ", UTCDateTime("2020-03-04").ns).latitude_deg == 10.5
    assert stations.find("XX", "AAA", "", "HHZ", UTCDateTime("2005-03-04").ns).latitude_deg == 40
    # A channel, or a location, that is not listed is where the others are.
    assert stations.find("XX", "AAA", "00", "HHN", UTCDateTime("2020-03-04").ns).latitude_deg == 10.5
    assert not stations.problems
