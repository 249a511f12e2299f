"""The whole fetch against a real dataselect server on the loopback, behind a proxy that misbehaves."""

import gzip
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from fdsn_loopback import GAIN, DataCentre, catalogue, inventory
from obspy import UTCDateTime
from obspy.clients.fdsn import Client
from obspy.core.inventory.response import Response
from obspy.geodetics import gps2dist_azimuth
from recorded_trees import origin, write_events, write_stations
from small_fetches import (
    N_EVENTS,
    N_ITEMS,
    STATIONS,
    fetch,
    make_centre,
    rejected,
    same_as_seen,
    settings,
    start_server,
    write_recipe,
)

from seisvision.cli import main
from seisvision.data.fetching.fetcher import run_fetch
from seisvision.data.fetching.recipe import build_recipe
from seisvision.data.fetching.source import FetchSource
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError


@pytest.fixture(scope="module")
def dataselect(tmp_path_factory):
    server = start_server(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture
def centre(dataselect):
    proxy = make_centre(dataselect)
    yield proxy
    proxy.close()


def test_a_complete_set_with_the_samples_that_obspy_gets(centre, dataselect, tmp_path):
    out = tmp_path / "set"
    report = fetch(centre, out)
    assert (report.asked, report.had, report.not_had) == (N_ITEMS, N_ITEMS - 1, {"no_data": 1})
    made = WaveformSet(out)
    assert made.source_ids == [f"ev{i}" for i in range(N_EVENTS)] and len(made.metadata) == N_ITEMS - 1
    client = Client(dataselect.url, service_mappings={"station": None, "event": None})
    row = made.metadata[(made.metadata.source_id == "ev1") & (made.metadata.station_code == "AAA")].iloc[0]
    begin = origin(1) - 30
    stream = client.get_waveforms("XX", "AAA", "--", "HH?", begin, begin + 150).detrend("linear")
    event = made.read_event("ev1")
    samples = event.waveforms[list(event.metadata.station_code).index("AAA")]
    for letter, series in zip("ZNE", samples, strict=True):
        expected = stream.select(component=letter)[0]
        assert UTCDateTime(row.trace_start_time) == expected.stats.starttime
        assert np.allclose(series[: expected.stats.npts], expected.data, atol=0.05)
    assert row.path_ep_distance_km == pytest.approx(gps2dist_azimuth(46.1, -122.0, 46.0, -121.9)[0] / 1000)
    assert list(made.metadata.trace_channel[:3]) == ["HH", "HH", "BH"]
    assert list(made.metadata.drop_duplicates("source_id").source_type) == ["earthquake", "explosion"] * 2
    assert centre.most_at_once == 2 and same_as_seen(out, centre)
    about = made.card["fetch"]
    assert about["asked"] == N_ITEMS and about["requests"]["total"] == len(centre.seen)
    assert made.card["citation"] == ["events: a catalogue; recordings: a network"]


def test_a_finished_set_asks_nothing_even_of_a_dead_server(centre, tmp_path):
    fetch(centre, tmp_path / "set")
    before = (tmp_path / "set" / "card.json").read_bytes()
    centre.close()
    report = fetch(centre, tmp_path / "set")
    assert report.already and report.had == N_ITEMS - 1
    assert (tmp_path / "set" / "card.json").read_bytes() == before
    # Killed between the set and its list of rejections: written again from what was kept.
    listed = (tmp_path / "set" / "rejected.csv").read_bytes()
    (tmp_path / "set" / "rejected.csv").unlink()
    assert not fetch(centre, tmp_path / "set").already
    assert (tmp_path / "set" / "rejected.csv").read_bytes() == listed
    with pytest.raises(DataError, match="not made by this recipe; choose another --out, or add --overwrite"):
        fetch(centre, tmp_path / "set", response="gain")


def test_several_stations_at_once(centre, tmp_path):
    def fault(seen, before):
        return "cut_at_record" if seen.method == "POST" and "01:59:30" in seen.lines[0] else None

    centre.fault = fault
    out, alone = tmp_path / "set", tmp_path / "alone"
    report = fetch(centre, out, requests={"stations_per_request": 10})
    assert report.had == N_ITEMS - 1
    methods = Counter(seen.method for seen in centre.requests())
    # Alone: what was cut away at event 2 (BBB, CCC, perhaps AAA), and at event 3 BBB with nothing, CCC with too little.
    assert methods["POST"] == N_EVENTS and methods["GET"] in (4, 5)
    centre.fault = lambda seen, before: None
    fetch(centre, alone)
    assert WaveformSet(out).fingerprint == WaveformSet(alone).fingerprint


def test_gain_window_and_arrivals(centre, tmp_path):
    out = tmp_path / "set"
    window = {"reference": "origin", "before_s": 10, "length_s": 60}
    fetch(centre, tmp_path / "counts", window=window)
    fetch(centre, out, response="gain", window=window)
    counts, ground = WaveformSet(tmp_path / "counts"), WaveformSet(out)
    assert set(ground.metadata.trace_unit) == {"m/s"} and set(counts.metadata.trace_unit) == {"counts"}
    assert np.allclose(ground.read_event("ev0").waveforms[1] * GAIN, counts.read_event("ev0").waveforms[1], atol=1e-3)
    starts = [UTCDateTime(time) for time in ground.metadata.trace_start_time]
    assert max(abs(start - (origin(0) - 10)) for start in starts[:3]) < 0.03
    span = {"reference": "arrivals", "before_s": 5, "after_s": 15, "last": "P"}
    fetch(centre, tmp_path / "arrivals", span=span, stations={"radius_km": [0, 300], "maximum": 2})
    rows = WaveformSet(tmp_path / "arrivals").metadata
    rows = rows[rows.source_id == "ev0"]
    assert len(rows) == 2
    for row in rows.itertuples():
        # Straight through the upper crust of ak135: 5 km down, 5.8 km/s.
        p_s = np.hypot(row.path_ep_distance_km, 5.0) / 5.8
        assert UTCDateTime(row.trace_start_time) - origin(0) == pytest.approx(p_s - 5, abs=0.05)


def test_responses_are_asked_for_once_and_removed(centre, tmp_path):
    for station in centre.inventory[0]:
        for channel in station:
            # A seismometer that is flat above a hundredth of a hertz.
            channel.response = Response.from_paz([0, 0], [-0.044 + 0.044j, -0.044 - 0.044j], GAIN, 5.0, "M/S", "COUNTS")
    shared = {"span": {"before_s": 35, "after_s": 150}, "processing": {"band_hz": [1, 15]}}
    fetch(centre, tmp_path / "removed", response="remove", **shared)
    assert sum(seen.status == 200 for seen in centre.requests("station")) == N_EVENTS + 1
    fetch(centre, tmp_path / "divided", response="gain", **shared)
    removed, divided = (WaveformSet(tmp_path / name) for name in ("removed", "divided"))
    assert set(removed.metadata.trace_unit) == {"m/s"} and len(removed.metadata) == N_ITEMS - 1
    one, other = (made.read_event("ev1").waveforms[0][..., 500:-500] for made in (removed, divided))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99
    assert np.std(one) == pytest.approx(np.std(other), rel=0.03)


def test_events_from_a_table_stations_in_a_box_or_a_file(centre, tmp_path):
    events = write_events(tmp_path / "events.csv", ["mine0", "mine1", "lost"])
    table = pd.read_csv(events)
    table.loc[2, "source_origin_time"] = None
    table.to_csv(events, index=False)
    group = [{"name": "list", "file": str(events), "source_type": "blast", "id_prefix": "x_"}]
    box = {"box_deg": [45, 47, -123, -121], "channels": ["HH"]}
    fetch(centre, tmp_path / "box", events=group, stations=box)
    made = WaveformSet(tmp_path / "box")
    assert made.source_ids == ["x_mine0", "x_mine1"] and set(made.metadata.source_type) == {"blast"}
    assert len(centre.requests("station")) == 1 and not centre.requests("event")
    lost = rejected(tmp_path / "box")
    assert list(zip(lost.event_id, lost.cause, strict=True)) == [("x_lost", "no_origin_time")]
    inventory(STATIONS).write(str(tmp_path / "own.xml"), format="STATIONXML")
    fetch(centre, tmp_path / "file", events=group, stations={"file": str(tmp_path / "own.xml"), "channels": ["HH"]})
    assert WaveformSet(tmp_path / "file").fingerprint == made.fingerprint
    assert len(centre.requests("station")) == 1
    table = write_stations(tmp_path / "own.csv", ["AAA"])
    with pytest.raises(DataError, match=r"own\.csv is no station file"):
        fetch(centre, tmp_path / "none", events=group, stations={"file": str(table)})


def test_a_packed_table_of_another_style_and_its_bad_row(centre, tmp_path):
    rows = [f"{origin(i)},46.0,238.0,5,1.5,ml,us{i},earthquake" for i in range(2)] + [
        f"{origin(2)},460,238,5,1,ml,us2,x"
    ]
    text = "\n".join(["time,latitude,longitude,depth,mag,magType,id,type", *rows])
    (tmp_path / "events.csv.gz").write_bytes(gzip.compress(text.encode()))
    group = {"name": "list", "file": str(tmp_path / "events.csv.gz"), "id_prefix": "x_"}
    report = fetch(centre, tmp_path / "set", events=[group])
    made = WaveformSet(tmp_path / "set")
    assert made.source_ids == ["x_us0", "x_us1"] and set(made.metadata.source_longitude_deg) == {-122.0}
    assert report.imported.n_catalogue["list"] == 3
    lost = rejected(tmp_path / "set")
    assert list(zip(lost.event_id, lost.cause, lost.file, strict=True)) == [("x_us2", "bad_value", "events.csv.gz")]
    assert made.card["import"]["columns"]["list"]["events"]["mag"] == "source_magnitude"


def test_nothing_is_asked_for_events_of_a_class_that_is_left_out(centre, tmp_path):
    group = {"name": "quakes", "query": {"starttime": "2020-01-01"}, "source_type": {"explosion": None}}
    report = fetch(centre, tmp_path / "set", events=[group])
    assert report.asked == N_ITEMS // 2 and len(centre.requests("station")) == N_EVENTS // 2
    assert WaveformSet(tmp_path / "set").source_ids == ["ev0", "ev2"]
    lost = rejected(tmp_path / "set").query("stage == 'event'")
    assert list(zip(lost.event_id, lost.cause, strict=True)) == [("ev1", "class_left_out"), ("ev3", "class_left_out")]
    assert report.imported.n_catalogue["quakes"] == N_EVENTS


def test_a_station_of_two_servers_is_asked_for_at_the_first(centre, dataselect, tmp_path):
    other = DataCentre(dataselect, inventory({"AAA": ("HHZ",), "BBB": ("HHZ",)}), catalogue(N_EVENTS))
    try:
        servers = [other.url, centre.url]
        report = run_fetch(build_recipe(settings(centre, servers=servers)), tmp_path / "set")
        assert report.had == N_ITEMS - 1
        asked = [{seen.lines[0].split()[1] for seen in each.requests()} for each in (other, centre)]
        assert asked == [{"AAA", "BBB"}, {"CCC"}]
    finally:
        other.close()


def test_command_dry_run_and_last_line(centre, tmp_path, capsys):
    recipe, out = write_recipe(tmp_path / "recipe.yaml", centre), tmp_path / "set"
    assert main(["data", "fetch", str(recipe), "--out", str(out), "stations.maximum=2", "--dry-run"]) == 0
    assert f"dry run: {2 * N_EVENTS} recordings to come, about" in capsys.readouterr().out
    assert not centre.requests() and not out.exists()
    assert main(["data", "fetch", str(recipe), "stations.maximum=2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    lock = out.with_name("set.download") / ".lock"
    lock.touch()
    assert main(["data", "fetch", str(recipe), "stations.maximum=2", "--out", str(out)]) == 0
    assert not lock.exists(), "left by a process that was killed when all was written"
    assert printed[-1] == str(out) and f"recordings asked for {2 * N_EVENTS}, had {2 * N_EVENTS - 1}" in printed
    assert main(["data", "fetch", str(recipe), "--out", str(out), "stations.maximum=none"]) == 2


def test_a_recipe_as_source_fetches_only_where_that_is_allowed(centre, tmp_path):
    recipe = write_recipe(tmp_path / "recipe.yaml", centre)
    with pytest.raises(DataError, match=r"nothing is fetched unasked.*allow_network=true"):
        FetchSource(str(recipe)).fingerprint(tmp_path / "data")
    assert not centre.seen
    source = FetchSource(str(recipe), name="loop", allow_network=True)
    assert source.prepare(tmp_path / "data") == tmp_path / "data" / "loop"
    centre.close()
    lock = tmp_path / "data" / "loop.download" / ".lock"
    lock.touch()
    quiet = FetchSource(str(recipe), name="loop")
    assert quiet.fingerprint(tmp_path / "data") == WaveformSet(tmp_path / "data" / "loop").fingerprint
    assert lock.parent.is_dir() and not lock.exists()
