"""Catalogues are read by the column names of those who wrote them."""

import gzip

import numpy as np
import pytest
from obspy import UTCDateTime
from obspy.core.event import Catalog, CreationInfo, Event, Magnitude, Origin, ResourceIdentifier

from seisvision.data.importing.tables.catalogue import read_events
from seisvision.errors import DataError

USGS = (
    "time,latitude,longitude,depth,mag,magType,nst,gap,dmin,rms,net,id,updated,place,type,horizontalError,depthError,"
    "magError,magNst,status,locationSource,magSource\n"
    '2019-07-06T03:19:53.040Z,35.7695,242.4006667,8,7.1,mw,332,14,,0.16,ci,ci38457511,2023-05-09T06:13:41.040Z,"11 km '
    'N of Here, CA",earthquake,,,,3,reviewed,ci,pas\n'
)
FDSN = (
    "#EventID | Time | Latitude | Longitude | Depth/km | Author | Catalog | Contributor | ContributorID | MagType | "
    "Magnitude | MagAuthor | EventLocationName | EventType\n"
    "ci38457511|2019-07-06T03:19:53.04|35.7695|-117.5993333|8.0|ci|ci|ci|ci38457511|mw|7.1|pas|HERE, CA|earthquake\n"
)
GCMT = (
    "event_name,year,month,day,hour,minute,sec,lat,lon,depth,mb,ms,mw,type\n"
    "ci38457511,2019,7,6,3,19,53.04,35.7695,-117.5993333,8.0,0.0,7.0,7.1,earthquake\n"
)
GEONET = (
    "publicid,eventtype,origintime,modificationtime,longitude, latitude, magnitude, depth,magnitudetype,"
    "evaluationstatus,evaluationmode\n"
    "ci38457511,earthquake,2019-07-06T03:19:53.040Z,2019-09-01T00:00:00Z,-117.5993333,35.7695,7.1,8.0,mw,confirmed,manual\n"
)
SEMICOLONS = (
    "Date;Time (UTC);Latitude;Longitude;Depth (m);Magnitude Type;Magnitude;Eqid;Type\n"
    "2019/07/06;03:19:53,04;35,7695;-117,5993333;8000;mw;7,1;ci38457511;earthquake\n"
)
BLANKS = (
    "#YYY/MM/DD HH:mm:SS.ss ET         GT MAG M   LAT     LON          DEPTH Q EVID       NPH NGRM\n"
    "2019/07/06 03:19:53.04 earthquake l  7.1 mw  35.7695 -117.5993333 8.0   A ci38457511 10  20\n"
)


def quakeml(path):
    origin = Origin(time=UTCDateTime("2019-07-06T03:19:53.04"), latitude=35.7695, longitude=-117.5993333, depth=8000.0)
    event = Event(
        resource_id=ResourceIdentifier("smi:local/ci38457511"),
        event_type="earthquake",
        origins=[origin],
        magnitudes=[Magnitude(mag=7.1, magnitude_type="mw", creation_info=CreationInfo(agency_id="pas"))],
    )
    Catalog([event]).write(str(path), format="QUAKEML")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("usgs.csv", USGS),
        ("fdsn.txt", FDSN),
        ("fdsn.dat", FDSN.replace(" | ", "|")),
        ("gcmt.csv", GCMT),
        ("geonet.csv", GEONET),
        ("europe.csv", SEMICOLONS),
        ("blanks.txt", BLANKS),
        ("tabs.tsv", GCMT.replace(",", "\t")),
        ("events.xml", None),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_places_times_and_magnitudes_need_no_renaming(tmp_path, name, text, packed):
    path = tmp_path / name
    if text is None:
        quakeml(path)
    else:
        path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    if packed:
        path = path.with_name(f"{name}.gz")
        path.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    event = read_events(str(path)).events["ci38457511"]
    assert event["source_origin_time"] == "2019-07-06T03:19:53.040000Z"
    assert event["source_latitude_deg"] == 35.7695
    assert event["source_longitude_deg"] == pytest.approx(-117.5993333, abs=1e-9)
    assert (event["source_depth_km"], event["source_magnitude"]) == (8.0, 7.1)
    assert (event["source_magnitude_type"], event["source_type"]) == ("mw", "earthquake")


def read(tmp_path, text, name="events.csv"):
    (tmp_path / name).write_text(text)
    return read_events(str(tmp_path / name))


def test_what_columns_were_taken_for_is_told(tmp_path):
    catalogue = read(tmp_path, USGS)
    assert catalogue.columns["mag"] == "source_magnitude" and catalogue.columns["rms"] == ""
    assert catalogue.events["ci38457511"]["source_rms"] == 0.16
    assert any("depth names no unit" in note for note in catalogue.notes)
    assert not read(tmp_path, FDSN, "fdsn.txt").notes


def test_the_tables_of_seisbench_name_an_event_once_for_each_trace(tmp_path):
    head = "trace_name,source_id,source_origin_time,source_latitude_deg,source_longitude_deg,station_code\n"
    rows = "".join(f"b${i},e1,2020-01-01T00:00:00Z,1.5,2.5,S{i}\n" for i in range(3))
    catalogue = read(tmp_path, head + rows)
    assert list(catalogue.events) == ["e1"] and not catalogue.refused
    moved = read(tmp_path, head + rows + "b$9,e1,2020-01-01T00:00:00Z,1.6,2.5,S9\n")
    assert [refusal.cause for _, refusal in moved.refused] == ["duplicate_id"]


@pytest.mark.parametrize(
    ("head", "row", "message"),
    [
        ("id,time,lattitude,lon", "e,2020-01-01T00:00:00,1,2", "'lattitude', which looks like source_latitude_deg"),
        ("id,orig_time_s,lat,lon", "e,2020-01-01T00:00:00,1,2", "'orig_time_s', which looks like source_origin_time"),
        ("id,time,lat,lon,dpth", "e,2020-01-01T00:00:00,1,2,3", "depth_m where it is in metres"),
        ("id,time,lat,latitude,lon", "e,2020-01-01T00:00:00,1,2,3", "'lat' and 'latitude', and they differ"),
        ("id,time,lat,lon,depth", "e,2020-01-01T00:00:00,1,2,8000", "name it depth_m where they are metres"),
        ("id,time,lat,lon,lat", "e,2020-01-01T00:00:00,1,2,3", "and they differ"),
        ("source_id,source_lattitude,lon", "e,1,2", "'source_lattitude', which looks like source_latitude_deg"),
        ("id,time,lat,Ostwert", "e,2020-01-01T00:00:00,1,2", "'lat', but none that is known for source_longitude_deg"),
        ("id,time_local,lat,lon", "e,2020-01-01T00:00:00,1,2", "'time_local', which looks like"),
        ("e0,2020-01-01T00:00:00,1,2", "e1,2020-01-01T00:00:00,1,2", "has no header"),
    ],
)
def test_columns_in_doubt_are_refused_with_what_was_meant(tmp_path, head, row, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, f"{head}\n{row}\n")


def test_a_column_named_as_in_a_set_is_not_disputed(tmp_path):
    text = "event_id,source_latitude_deg,source_longitude_deg,lat,id\ne,1,2,99,other\n"
    event = read(tmp_path, text).events["e"]
    assert (event["source_latitude_deg"], event["source_lat"], event["source_catalogue_id"]) == (1.0, 99.0, "other")
    assert "source_id" not in event


@pytest.mark.parametrize(("unit", "depth"), [("depth_m", 8.0), ("Depth/km", 8000.0), ("depth [m]", 8.0)])
def test_units_in_names_are_used(tmp_path, unit, depth):
    text = f"id,time,lat,lon,{unit}\ne,2020-01-01T00:00:00,1,2,{8000 if depth == 8 else 800}\n"
    assert read(tmp_path, text).events["e"]["source_depth_km"] == min(depth, 800.0)


def test_both_conventions_of_longitude_are_one_place(tmp_path):
    rows = "a,2020-01-01T00:00:00,-20,185.02\nb,2020-01-01T00:00:00,-20,-174.98\nc,2020-01-01T00:00:00,-20S,180\n"
    events = read(tmp_path, "id,time,lat,lon\n" + rows.replace("-20S", "20S")).events
    assert events["a"]["source_longitude_deg"] == pytest.approx(events["b"]["source_longitude_deg"])
    assert events["a"]["source_cell"] == events["b"]["source_cell"]
    assert (events["c"]["source_latitude_deg"], events["c"]["source_longitude_deg"]) == (-20, -180)


def test_magnitudes_come_with_their_types_and_numbers_for_none_are_missing(tmp_path):
    head = "id,time,lat,lon,depth_km,mag\n"
    rows = ("2.3ML", "Mw 5.5", "-9.99", "99.9", "9.1", "-1.2")
    text = head + "".join(
        f"e{i},2020-01-01T00:00:00,1,2,{'-999' if i == 4 else 99.9},{m}\n" for i, m in enumerate(rows)
    )
    catalogue = read(tmp_path, text)
    events = list(catalogue.events.values())
    assert [event["source_magnitude"] for event in events[:2]] == [2.3, 5.5]
    assert [event["source_magnitude_type"] for event in events[:2]] == ["ML", "Mw"]
    assert [np.isnan(event["source_magnitude"]) for event in events[2:]] == [True, True, False, False]
    assert [np.isnan(event["source_depth_km"]) for event in events] == [False] * 4 + [True, False]
    assert "events.csv: 2 values of mag stand for none (such as -999), and are missing" in catalogue.notes


def test_of_several_typed_magnitudes_the_first_in_a_fixed_order_is_taken(tmp_path):
    rows = "a,2020-01-01T00:00:00,1,2,4.1,4.5,4.8\nb,2020-01-01T00:00:00,1,2,4.1,4.5,\n"
    events = read(tmp_path, "id,time,lat,lon,ML,mb,magnitude_Mw\n" + rows).events
    assert (events["a"]["source_magnitude"], events["a"]["source_magnitude_type"]) == (4.8, "Mw")
    assert (events["b"]["source_magnitude"], events["b"]["source_magnitude_type"]) == (4.5, "mb")


def test_thousands_are_not_taken_for_decimals(tmp_path):
    text = "id\ttime\tlat\tlon\tdepth\ne\t2020-01-01 00:00:00\t10.5\t20.5\t8,000\nf\t2020-01-01 00:00:00\t1.5\t2\t8\n"
    catalogue = read(tmp_path, text, "events.tsv")
    assert list(catalogue.events) == ["f"] and "'8,000', which is not a number" in str(catalogue.refused[0][1])


def test_without_ids_the_origin_times_name_events(tmp_path):
    text = "time,lat,lon\n2020-01-01T00:00:00.2,1,2\n2020-01-01T00:00:00.9,3,4\n2020-01-01T00:00:02,5,6\n"
    assert list(read(tmp_path, text).events) == ["20200101T000000", "20200101T000000_2", "20200101T000002"]


def test_without_ids_a_time_that_cannot_be_read_is_the_reason(tmp_path):
    rows = "2020-01-01T00:00:00,1,2\n05/03/2020 01:02:03,3,4\n,5,6\n2020-13-01T00:00:00,7,8\n"
    refused = read(tmp_path, "time,lat,lon\n" + rows).refused
    assert [refusal.cause for _, refusal in refused] == ["ambiguous_time", "bad_time", "bad_time"]
    assert "neither an id nor an origin time" in str(refused[1][1])


def test_the_list_of_the_isc_repeats_columns(tmp_path):
    head = "EVENTID,TYPE,AUTHOR   ,DATE      ,TIME       ,LAT     ,LON,DEPTH,DEPFIX" + ",AUTHOR   ,TYPE  ,MAG" * 2
    row = "617,ke,ISC,2020-03-04,05:06:30.50,10.1,20.2,10.0,TRUE,IDC,mb,4.1,NEIC,Ms,3.9"
    event = read(tmp_path, f"{head}\n{row}\n").events["617"]
    assert (event["source_magnitude"], event["source_magnitude_type"], event["source_magnitude_author"]) == (
        4.1,
        "mb",
        "IDC",
    )
    assert (event["source_origin_time"][11:23], event["source_origin_author"]) == ("05:06:30.500", "ISC")


def test_rows_of_empty_cells_and_comments_are_no_events(tmp_path):
    rows = "a,2020-01-01T00:00:00,1,2,\n,,,,\n#b,2020-01-01T00:00:00,1,2,\n\n"
    catalogue = read(tmp_path, "sep=,\n# by hand\n\nid,time,lat,lon,\n" + rows)
    assert list(catalogue.events) == ["a"] and not catalogue.refused
    assert "events.csv: 1 lines that begin with # were left out" in catalogue.notes


def test_a_stray_quote_does_not_swallow_rows(tmp_path):
    rows = 'a,2020-01-01T00:00:00,1,2,"5 km\nb,2020-01-01T00:00:00,1,2,x\nc,2020-01-01T00:00:00,1,2,"y, z"\n'
    assert list(read(tmp_path, "id,time,lat,lon,place\n" + rows).events) == ["a", "b", "c"]


def test_depths_that_are_heights_are_told(tmp_path):
    rows = "a,2020-01-01T00:00:00,1,2,-4\nb,2020-01-01T00:00:00,1,2,-7\nc,2020-01-01T00:00:00,1,2,-33\n"
    catalogue = read(tmp_path, "id,time,lat,lon,depth_km\n" + rows)
    assert [name for name, _ in catalogue.refused] == ["c"] and any(
        "above sea level" in note for note in catalogue.notes
    )


def test_a_catalogue_without_places_says_so(tmp_path):
    catalogue = read(tmp_path, "event_id,source_type,Ostwert,MLv\na,slide,46.1,2.3\n")
    assert catalogue.events["a"]["source_magnitude_type"] == "MLv"
    assert "events.csv: no column is known for places of events, so they are missing" in catalogue.notes


@pytest.mark.parametrize("column", ["datetime", "to_timestamp"])
def test_origin_times_of_aqms_count_leap_seconds_and_columns_of_picks_are_left_out(tmp_path, column):
    time = {"datetime": "931300367.1", "to_timestamp": "1999-07-06 22:32:47.1+00"}[column]
    (tmp_path / "phases.csv").write_text(
        f"evid,orid,{column},lat,lon,depth,arid,iphase,net,sta\n"
        f"7,1,{time},48.5,-121.5,2.5,11,P,UW,AAA\n7,1,{time},48.5,-121.5,2.5,12,S,UW,BBB\n"
    )
    catalogue = read_events(str(tmp_path / "phases.csv"))
    event = catalogue.events["7"]
    assert event["source_origin_time"] == "1999-07-06T22:32:25.100000Z"
    assert event["source_orid"] == 1 and not {"source_arid", "source_sta"} & set(event)
    assert any("counts leap seconds" in note for note in catalogue.notes)
    assert any("left out: arid, iphase, sta" in note for note in catalogue.notes)


@pytest.mark.parametrize(
    ("head", "time"),
    [("evid,orid,datetime", "1999-07-06T22:32:47.1Z"), ("event_id,run,datetime", "931300367.1")],
)
def test_other_times_do_not_count_leap_seconds(tmp_path, head, time):
    (tmp_path / "events.csv").write_text(f"{head},lat,lon\n7,1,{time},48.5,-121.5\n")
    assert (
        read_events(str(tmp_path / "events.csv")).events["7"]["source_origin_time"].startswith("1999-07-06T22:32:47.1")
    )
