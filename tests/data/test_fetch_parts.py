"""Parts of the fetch by themselves: spans, choice of channels, bodies, turns."""

import io
import threading
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest
from fdsn_loopback import inventory
from obspy import Stream, UTCDateTime, read
from recorded_trees import origin, trace

from seisvision.data.fetching.asking import DamagedBody, Gate, Stopped
from seisvision.data.fetching.plan import Item
from seisvision.data.fetching.recipe import Span, build_recipe
from seisvision.data.fetching.request_log import RequestLog
from seisvision.data.fetching.selection import choose_sensors
from seisvision.data.fetching.servers import read_server
from seisvision.data.fetching.spans import Spans
from seisvision.data.fetching.transport import Answer, Request, retry_after_s
from seisvision.data.fetching.waveforms import split_body
from seisvision.data.importing.rejections import Refusal, RejectionLog

SERVER = read_server("http://127.0.0.1:1", "test")
EVENT = {
    "source_origin_time": "2020-01-01T00:00:00.000000Z",
    "source_latitude_deg": 46.0,
    "source_longitude_deg": -122.0,
    "source_depth_km": 0.0,
}


def span_s(span, distance_km, event=EVENT):
    begin_ns, end_ns = Spans(span).of_station(event, distance_km)
    origin_ns = UTCDateTime(event["source_origin_time"]).ns
    return (begin_ns - origin_ns) / 1e9, (end_ns - origin_ns) / 1e9


def test_spans_follow_the_travel_times():
    assert span_s(Span("origin", 30, 100), 500) == (-30, 100)
    # Kennett, Engdahl and Buland (1995), tables of ak135 at 60 degrees: P 608 s, S 1100 s.
    begin, end = span_s(Span("arrivals", 60, 120, "S"), 60 * 111.195)
    assert begin + 60 == pytest.approx(608, abs=4) and end - 120 == pytest.approx(1100, abs=6)
    # The upper crust of ak135 has 5.8 km/s.
    begin, end = span_s(Span("arrivals", 10, 20, "P"), 58.0)
    assert begin + 10 == pytest.approx(10, abs=0.1) and end - 20 == pytest.approx(10, abs=0.1)
    assert span_s(Span("arrivals", 10, 20, "surface", 2.5), 5000)[1] == pytest.approx(2020)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [({"source_origin_time": ""}, "no_origin_time"), ({"source_latitude_deg": np.nan}, "no_place")],
)
def test_events_without_time_or_place_are_refused(changes, cause):
    with pytest.raises(Refusal) as caught:
        choose(
            stations(AAA="HHZ"),
            EVENT | changes,
            {"reference": "arrivals"},
            radius_km=None,
            box_deg=[40, 50, -130, -110],
        )
    assert caught.value.cause == cause


def stations(**codes):
    return inventory({name: tuple(text.split()) for name, text in codes.items()})


def choose(found, event=EVENT, span=None, components="ZNE", **rules):
    plain = {"name": "x", "servers": ["http://127.0.0.1:1"], "events": [{"query": {"starttime": "2020"}}]}
    rules = {"radius_km": [0, 500]} | rules
    recipe = build_recipe(plain | {"stations": rules, "span": span or {}, "processing": {"components": components}})
    log = RejectionLog("x")
    sensors = choose_sensors(event, iter([(SERVER, found)]), recipe, Spans(recipe.span), log)
    return {sensor.name: [channel.code for channel in sensor.channels] for sensor in sensors}, log.items


def test_channels_are_asked_for_by_where_they_point():
    found = stations(AAA="HHZ HHN HHE", BBB="HHZ HHN HHE", CCC="HHZ HHN HHE")
    second, third = found[0][1], found[0][2]
    for channel, code, angles in zip(second, ("HH1", "HH2", "HH3"), ((17, 0), (107, 0), (0, -90)), strict=True):
        channel.code, (channel.azimuth, channel.dip) = code, angles
    third[0].dip = -70
    codes = {"XX.AAA": ["HHE", "HHN", "HHZ"], "XX.BBB": ["HH1", "HH2", "HH3"], "XX.CCC": ["HHE", "HHN", "HHZ"]}
    assert choose(found)[0] == codes
    assert choose(found, components="Z")[0] == {"XX.AAA": ["HHZ"], "XX.BBB": ["HH3"], "XX.CCC": ["HHN", "HHZ"]}
    third[2].azimuth = 5
    assert list(choose(found)[0]) == ["XX.AAA", "XX.BBB"]


def test_one_sensor_a_station_by_components_then_by_order():
    found = stations(AAA="BHZ BHN BHE HHZ HHN HHE", BBB="HHZ BHZ BHN BHE", CCC="EHZ", DDD="LHZ")
    assert choose(found)[0] == {
        "XX.AAA": ["HHE", "HHN", "HHZ"],
        "XX.BBB": ["BHE", "BHN", "BHZ"],
        "XX.CCC": ["EHZ"],
    }
    assert choose(found, components="Z", channels=["BH", "HH"])[0] == {"XX.AAA": ["BHZ"], "XX.BBB": ["BHZ"]}
    assert list(choose(found, codes=["B*", "C??"])[0]) == ["XX.BBB", "XX.CCC"]


def test_distance_number_and_epoch_limit_the_stations():
    found = stations(**{f"S{i}": "HHZ" for i in range(9)})
    # A tenth of a degree at 46 degrees north is 7.7 km; the first stands one tenth from the event.
    assert list(choose(found, radius_km=[10, 30])[0]) == ["XX.S1", "XX.S2"]
    assert list(choose(found, maximum=3)[0]) == ["XX.S0", "XX.S1", "XX.S2"]
    assert list(choose(found, maximum=3, choice="spread")[0]) == ["XX.S0", "XX.S4", "XX.S8"]
    found[0][2][0].end_date = UTCDateTime("2020-01-01T00:01:00")
    assert "XX.S2" not in choose(found)[0]
    with pytest.raises(Refusal, match="no station with the wanted channels"):
        choose(found, channels=["LH"])


def test_horizontals_1_and_2_and_closed_stations():
    found = stations(AAA="HHZ HHN HHE", BBB="HHZ")
    for channel, code in zip(found[0][0][1:], ("HH1", "HH2"), strict=True):
        channel.code = code
    found[0][1].restricted_status = "closed"
    sensors, rejected = choose(found)
    assert sensors == {"XX.AAA": ["HH1", "HH2", "HHZ"]}
    assert [(item.file, item.cause) for item in rejected] == [("XX.BBB", "restricted")]


def item(station="AAA", channels=("HHZ",), begin_s=-30.0, end_s=60.0):
    begin, end = (origin(0) + seconds for seconds in (begin_s, end_s))
    rates = (50.0,) * len(channels)
    path = Path(f"ev0/XX.{station}.mseed")
    return Item(0, "ev0", SERVER, "XX", station, "", channels, rates, begin.ns, end.ns, path)


def body(*traces, **span):
    text = io.BytesIO()
    Stream([each.slice(origin(0) - 30, origin(0) + 60) for each in traces]).write(text, "MSEED", reclen=512)
    return text.getvalue()


def test_records_go_to_the_items_they_belong_to():
    items = [item("AAA", ("HHZ", "HHN")), item("BBB")]
    whole = body(trace(0, "AAA"), trace(0, "BBB"), trace(0, "AAA", "HHN"), trace(0, "CCC"))
    pieces = split_body(whole, items)
    assert [pieces[each.path].lacks(each) for each in items] == ["", ""]
    stream = read(io.BytesIO(bytes(pieces[items[0].path].records)))
    assert {each.stats.channel for each in stream} == {"HHZ", "HHN"}
    assert np.array_equal(
        stream.select(channel="HHN")[0].data, trace(0, "AAA", "HHN").slice(origin(0) - 30, origin(0) + 60).data
    )


def test_what_is_missing_is_measured_within_the_span():
    late = item(begin_s=-30, end_s=100)
    assert split_body(body(trace(0, "AAA")), [late])[late.path].lacks(late) == "HHZ 90.0 of 130.0 s"
    two = item(channels=("HHZ", "HHN"))
    assert split_body(body(trace(0, "AAA")), [two])[two.path].lacks(two) == "HHN 0.0 of 90.0 s"
    cut = split_body(body(trace(0, "AAA"))[: 512 * 5], [item()])[item().path]
    assert cut.lacks(item()).startswith("HHZ ")


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-100], lambda b: b[:1024] + b"<html>" + b[1030:]])
def test_damaged_bodies_are_refused(damage):
    with pytest.raises(DamagedBody):
        split_body(damage(body(trace(0, "AAA"))), [item()])


def test_retry_after_as_number_and_as_date():
    assert retry_after_s("7") == 7 and retry_after_s(None) is None and retry_after_s("soon") is None
    assert retry_after_s(formatdate(time.time() + 30, usegmt=True)) == pytest.approx(30, abs=2)
    assert retry_after_s(formatdate(time.time() - 30, usegmt=True)) == 0


def test_turns_keep_their_distance_and_end_with_the_fetch():
    stop = threading.Event()
    gate = Gate(5, 0.03, stop)
    starts = []
    for _ in range(4):
        with gate.turn():
            starts.append(time.monotonic())
    assert np.diff(starts).min() >= 0.029
    gate.close_for(60)
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(Stopped), gate.turn():
        pass


def test_the_log_tells_of_requests_that_a_kill_cut_off(tmp_path):
    log = RequestLog(tmp_path)
    request = Request("centre", "dataselect", "http://127.0.0.1/query?a=1,2")
    log.end(log.begin(request, 1), Answer(200, b"abc", 3, 0.5), "ok", "")
    log.begin(replace(request, body="X Y\nZ\n"), 2)
    with (tmp_path / "requests.csv").open("ab") as file:
        file.write(b"torn line without an e")
    rows = RequestLog(tmp_path).rows()
    assert [(row["outcome"], row["attempt"], row["bytes"]) for row in rows] == [
        ("ok", "1", "3"),
        ("interrupted", "2", ""),
    ]
    assert rows[0]["request"] == request.url and rows[1]["request"].endswith("X Y; Z")
    assert RequestLog(tmp_path).summary()["total"] == 2


@pytest.mark.parametrize("left", [b"", b"request_id,ti"])
def test_the_log_begins_anew_where_a_full_disk_took_no_line(tmp_path, left):
    (tmp_path / "requests.csv").write_bytes(left)
    log = RequestLog(tmp_path)
    log.end(log.begin(Request("centre", "dataselect", "http://127.0.0.1/query"), 1), Answer(204, b"", 0, 0.5), "no", "")
    assert RequestLog(tmp_path).summary()["by_outcome"] == {"no": 1}
