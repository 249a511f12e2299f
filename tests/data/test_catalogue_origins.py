"""Which origin and magnitude of QuakeML is taken, and which events are none."""

import numpy as np
import pytest
from obspy import UTCDateTime
from obspy.core.event import Catalog, Event, Magnitude, Origin, ResourceIdentifier, StationMagnitude

from seisvision.data.importing.tables.catalogue import read_events
from seisvision.errors import DataError


def origin(latitude, **about):
    return Origin(time=UTCDateTime(1000), latitude=latitude, longitude=20, depth=8000, **about)


def read(tmp_path, *events):
    for i, event in enumerate(events):
        event.resource_id = ResourceIdentifier(f"smi:local/e{i}")
    Catalog(list(events)).write(str(tmp_path / "events.xml"), format="QUAKEML")
    return read_events(str(tmp_path / "events.xml"))


def test_rejected_origins_are_none_and_revised_ones_come_first(tmp_path):
    rejected, plain, final = origin(50, evaluation_status="rejected"), origin(11), origin(10, evaluation_status="final")
    catalogue = read(
        tmp_path,
        Event(origins=[rejected, plain, final]),
        Event(origins=[origin(50, evaluation_status="rejected")]),
        Event(
            origins=[bad := origin(50, evaluation_status="rejected"), origin(12)], preferred_origin_id=bad.resource_id
        ),
    )
    latitudes = [event["source_latitude_deg"] for event in catalogue.events.values()]
    assert latitudes[0] == 10 and np.isnan(latitudes[1]) and latitudes[2] == 12
    assert catalogue.events["e1"]["source_origin_time"] == ""
    assert catalogue.events["e0"]["source_origin_status"] == "final"
    assert any("only rejected origins" in note and "(1 event)" in note for note in catalogue.notes)


def test_events_that_do_not_exist_are_refused(tmp_path):
    catalogue = read(
        tmp_path,
        Event(event_type="not existing", origins=[origin(1)]),
        Event(event_type="not reported", origins=[origin(1)]),
        Event(event_type="other event", origins=[origin(1)]),
    )
    assert [(name, refusal.cause) for name, refusal in catalogue.refused] == [("e0", "not_existing")]
    assert [event["source_type"] for event in catalogue.events.values()] == ["", "other event"]
    assert len(catalogue) == 3
    with pytest.raises(DataError, match="no event that can be used"):
        read(tmp_path, Event(event_type="not existing"))


def test_the_preferred_magnitude_else_a_fixed_order(tmp_path):
    local, moment = Magnitude(mag=2.0, magnitude_type="Md"), Magnitude(mag=2.6, magnitude_type="Mw")
    body = Magnitude(mag=2.4, magnitude_type="mb")
    catalogue = read(
        tmp_path,
        Event(magnitudes=[local, body, moment]),
        Event(magnitudes=[one := Magnitude(mag=2.1, magnitude_type="Md"), Magnitude(mag=3, magnitude_type="Mw")],
              preferred_magnitude_id=one.resource_id),
        Event(magnitudes=[Magnitude(mag=4.0, magnitude_type="mb")],
              preferred_magnitude_id=ResourceIdentifier("smi:local/nowhere")),
        Event(station_magnitudes=[StationMagnitude(mag=1.0)]),
    )  # fmt: skip
    taken = [(event["source_magnitude"], event.get("source_magnitude_type")) for event in catalogue.events.values()]
    assert taken[:3] == [(2.6, "Mw"), (2.1, "Md"), (4.0, "mb")] and np.isnan(taken[3][0])
    told = " ".join(catalogue.notes)
    assert "several magnitudes and none preferred" in told and "not in the file" in told and "single stations" in told


def test_numbers_for_none_and_missing_parts(tmp_path):
    nowhere = Origin(time=UTCDateTime(1000), latitude=1, longitude=181, depth=None)
    deep = Origin(time=UTCDateTime(1000), latitude=1, longitude=2, depth=-999000)
    catalogue = read(
        tmp_path, Event(origins=[nowhere]), Event(origins=[deep], magnitudes=[Magnitude(mag=-9.9)]), Event()
    )
    first, second, third = catalogue.events.values()
    assert first["source_longitude_deg"] == -179 and np.isnan(first["source_depth_km"])
    assert np.isnan(second["source_depth_km"]) and np.isnan(second["source_magnitude"])
    assert third["source_origin_time"] == ""


def test_one_id_twice_refuses_the_second_only(tmp_path):
    events = [Event(origins=[origin(1)]), Event(origins=[origin(2)]), Event(origins=[origin(3)])]
    for i, (event, name) in enumerate(zip(events, ("a", "a", "b"), strict=True)):
        event.resource_id = ResourceIdentifier(f"smi:network{i}/{name}")
    Catalog(events).write(str(tmp_path / "events.xml"), format="QUAKEML")
    catalogue = read_events(str(tmp_path / "events.xml"))
    assert [event["source_latitude_deg"] for event in catalogue.events.values()] == [1, 3]
    assert [(name, refusal.cause) for name, refusal in catalogue.refused] == [("a", "duplicate_id")]


def test_formats_without_ids_are_named_by_time(tmp_path):
    # ZMAP: longitude, latitude, year with fraction, month, day, magnitude, depth, hour, minute, second.
    (tmp_path / "zmap.dat").write_text("79.689\t41.818\t2012.258465590847\t4\t4\t4.4\t1.0\t14\t21\t42.3\n")
    events = read_events(str(tmp_path / "zmap.dat")).events
    assert list(events) == ["20120404T142142"]
    assert events["20120404T142142"]["source_magnitude"] == 4.4


def written(tmp_path, text, *changes, name="events.xml"):
    """A catalogue whose text is changed as no program that knows the standard would write it."""
    events = [Event(origins=[origin(10 + i)], event_type="other event") for i in range(3)]
    read(tmp_path, *events)
    content = (tmp_path / name).read_text()
    for old, new in ((text, changes[0]), *changes[1:]):
        assert old in content
        content = content.replace(old, new, 1)
    (tmp_path / name).write_text(content)
    return read_events(str(tmp_path / name))


@pytest.mark.parametrize("kind", ["icequake", "LP", "low frequency", "Glacial &amp; calving"])
def test_events_of_types_unknown_to_quakeml_are_not_lost(tmp_path, kind):
    catalogue = written(tmp_path, "<type>other event", f"<type>{kind}")
    kinds = [event["source_type"] for event in catalogue.events.values()]
    assert kinds == [kind.replace("&amp;", "&"), "other event", "other event"]
    assert [event["source_latitude_deg"] for event in catalogue.events.values()] == [10, 11, 12]


@pytest.mark.parametrize("text", ["nan", "NaN", "-inf"])
def test_one_number_that_is_none_does_not_end_a_catalogue(tmp_path, text):
    catalogue = written(tmp_path, "<value>8000.0", f"<value>{text}", ("<type>other event", "<type>slide"))
    depths = [event["source_depth_km"] for event in catalogue.events.values()]
    assert np.isnan(depths[0]) and depths[1:] == [8, 8]
    assert next(iter(catalogue.events.values()))["source_type"] == "slide"


def test_origins_whose_time_cannot_be_read_are_told(tmp_path):
    catalogue = written(tmp_path, "1970-01-01T00:16:40.000000Z", "soon")
    assert catalogue.events["e0"]["source_origin_time"] == "" and catalogue.events["e1"]["source_origin_time"]
    assert any("no time that can be read" in note and "(1 event)" in note for note in catalogue.notes)


SEISCOMP = (
    '<seiscomp xmlns="http://geofon.gfz-potsdam.de/ns/seiscomp3-schema/0.11" version="0.11"><EventParameters>{}'
    "</EventParameters></seiscomp>"
)
SEISCOMP_EVENT = (
    '<origin publicID="O/{0}"><time><value>2020-03-04T05:06:07Z</value></time><latitude><value>1</value></latitude>'
    '<longitude><value>2</value></longitude></origin><event publicID="here{0}"><preferredOriginID>O/{0}'
    "</preferredOriginID><type>{1}</type><originReference>O/{0}</originReference></event>"
)


def test_types_of_seiscomp_stay_as_they_are(tmp_path):
    kinds = ("duplicate", "not locatable", "other", "icequake", "earthquake")
    events = "".join(SEISCOMP_EVENT.format(i, kind) for i, kind in enumerate(kinds))
    (tmp_path / "events.xml").write_text('<?xml version="1.0" encoding="UTF-8"?>' + SEISCOMP.format(events))
    catalogue = read_events(str(tmp_path / "events.xml"))
    assert [(name, refusal.cause) for name, refusal in catalogue.refused] == [("here0", "not_existing")]
    found = {name: event["source_type"] for name, event in catalogue.events.items()}
    assert found == {"here1": "not locatable", "here2": "other event", "here3": "icequake", "here4": "earthquake"}
