"""Catalogues of agencies, databases and spreadsheets whose tables differ from all others."""

import numpy as np
import pytest

from seisvision.data.importing.tables.catalogue import read_events
from seisvision.errors import DataError

TIME = "2020-03-04T05:06:07.500000Z"


def read(tmp_path, text, name="events.csv"):
    (tmp_path / name).write_text(text)
    return read_events(str(tmp_path / name))


def times(catalogue):
    return {name: event["source_origin_time"] for name, event in catalogue.events.items()}


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("evid,orid,datetime,lat,lon\na,7,1583298394.5,10,20\n", TIME),
        ("evid,to_timestamp,lat,lon\na,2020-03-03 21:06:34.5-08,10,20\n", TIME),
        (
            "evid,orid,to_timestamp,datetime,lat,lon\na,7,1985-07-01 00:00:11+00,489024011,10,20\n",
            "1985-06-30T23:59:59.000000Z",
        ),
    ],
)
def test_origins_of_aqms_are_brought_to_utc(tmp_path, text, time):
    catalogue = read(tmp_path, text)
    assert times(catalogue) == {"a": time}
    assert any("leap seconds" in note for note in catalogue.notes)


@pytest.mark.parametrize(
    "text", ["evid,datetime,lat,lon\na,1583298367.5,10,20\n", "evid,orid,time,lat,lon\na,7,1583298367.5,10,20\n"]
)
def test_other_databases_count_as_utc_does(tmp_path, text):
    assert times(read(tmp_path, text)) == {"a": TIME}


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("year,month,day,hour,minute,second,msec", "2020,3,4,5,6,7,500"),
        ("year,month,day,hour,minute,second,microsecond", "2020,3,4,5,6,7,500000"),
        ("time,milliseconds", "2020-03-04 05:06:07Z,500.0"),
        ("date,time,millis", "2020/03/04,05:06:07,500"),
        ("date,hhmm,sec", "20200304,0506,7.5"),
        ("year,month,day,hrmn,second", "2020,3,4,506.0,7.5"),
        ("time,tz", "2020-03-04 14:06:07.5,JST"),
        ("time,utc_offset", "2020-03-04 07:06:07.5,+02:00"),
        ("time,timezone", "2020-03-04 05:06:07.5,UTC"),
        ("time,tz", "1583298367500,-480"),
        ("time,timezone", "2020-03-04T05:06:07.5Z,JST"),
    ],
)
def test_every_part_of_a_time_counts(tmp_path, head, row):
    assert times(read(tmp_path, f"event_id,{head},lat,lon\na,{row},10,20\n")) == {"a": TIME}


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("time,timezone", "2020-03-04 05:06:07.5,Europe/Zurich"),
        ("time,tz", "2020-03-04 05:06:07.5,-480"),
        ("time,msec", "2020-03-04 05:06:07.25,500"),
        ("year,month,day,minute,second", "2020,3,4,6,7.5"),
        ("year,month,day,hour,minute,second", "2020,3,4,5,,7.5"),
        ("date,second", "2020-03-04,7.5"),
    ],
)
def test_times_that_lack_a_part_or_tell_it_twice_are_refused(tmp_path, head, row):
    text = f"event_id,{head},lat,lon\na,{row},10,20\nb,{row},10,20\n"
    with pytest.raises(DataError, match="all 2 are refused"):
        read(tmp_path, text)


ISC_HEAD = "EVENTID,TYPE,AUTHOR   ,DATE      ,TIME       ,LAT     ,LON      ,DEPTH,DEPFIX"
ISC_ROW = "{},ke,ISC,2020-03-04,05:06:07.50,10.1,20.2,10.0,TRUE{}\n"


@pytest.mark.parametrize("n_named", [1, 2, 3])
def test_the_isc_writes_as_many_magnitudes_as_an_event_has(tmp_path, n_named):
    told = ["", ",IDC,mb,4.1", ",IDC,mb,4.1,NEIC,Ms,3.9", ",IDC,mb,4.1,NEIC,Ms,3.9,GCMT,MW,4.6,,,", ",IDC,mb", ",,,"]
    rows = [ISC_ROW.format(i, magnitudes) for i, magnitudes in enumerate(told)]
    catalogue = read(tmp_path, ISC_HEAD + ",AUTHOR   ,TYPE  ,MAG" * n_named + "\n" + "".join(rows))
    found = {name: event.get("source_magnitude") for name, event in catalogue.events.items()}
    assert {name: found[name] for name in "123"} == dict.fromkeys("123", 4.1)
    assert np.isnan(found["0"]) and np.isnan(found["5"])
    assert catalogue.events["3"]["source_magnitude_type"] == "mb" and set(times(catalogue).values()) == {TIME}
    assert [(name, refusal.cause) for name, refusal in catalogue.refused] == [("4", "bad_row")]


@pytest.mark.parametrize(
    "text",
    [
        "Datum;Uhrzeit;Breite;L\u00e4nge;Tiefe [km];Magnitude\n14.03.2020;05:06:07,5;47,5;8,25;10,3;2,1\n",
        "date;heure;latitude;longitude;profondeur (km);magnitude\n14/03/2020;05:06:07,5;47,5;8,25;10,3;2,1\n",
        "Fecha;Hora;Latitud;Longitud;Profundidad;Magnitud\n14/03/2020;05:06:07,5;47,5;8,25;10,3;2,1\n",
    ],
)
def test_headers_in_other_languages(tmp_path, text):
    (event,) = read(tmp_path, text).events.values()
    assert event["source_origin_time"] == TIME.replace("-04T", "-14T")
    place = (event["source_latitude_deg"], event["source_longitude_deg"], event["source_depth_km"])
    assert (*place, event["source_magnitude"]) == (47.5, 8.25, 10.3, 2.1)
