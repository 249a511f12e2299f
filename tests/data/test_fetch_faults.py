"""Faults of the server and ends of the program: what is lost, what is told, what is asked for again."""

import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import numpy as np
import pytest
import ready_python
from obspy import UTCDateTime, read
from small_fetches import (
    N_EVENTS,
    N_ITEMS,
    STATIONS,
    asks_for_first,
    fetch,
    first_channel,
    logged,
    make_centre,
    rejected,
    start_server,
    write_recipe,
)

from seisvision.data.fetching.fetcher import run_fetch
from seisvision.data.fetching.recipe import load_recipe
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


FAULTS = {
    ("AAA", 0): [(429, {"Retry-After": "1"})],
    ("AAA", 1): [500, "cut"],
    ("AAA", 2): ["hang"],
    ("AAA", 3): ["cut_announced", "garbage"],
    ("BBB", 0): ["cut_at_record"],
    ("BBB", 1): [403],
    ("BBB", 2): [500, 500, 500],
    ("CCC", 0): [404],
    ("CCC", 1): ["hang", "hang", "hang"],
    ("CCC", 2): ["cut", "cut", "cut"],
}


def misbehave(seen, before):
    if seen.service != "dataselect":
        return 503 if before == 0 else None
    faults = FAULTS.get(first_channel(seen), [])
    return faults[before] if before < len(faults) else None


def test_every_kind_of_fault(centre, tmp_path):
    out = tmp_path / "set"
    centre.fault = misbehave
    report = fetch(centre, out)
    assert report.had == N_ITEMS - 6
    lost = {row.file.split(".")[1] + row.event_id: row for row in rejected(out).query("stage == 'fetch'").itertuples()}
    causes = {name: row.cause for name, row in lost.items()}
    assert causes == {
        "BBBev1": "restricted",
        "BBBev2": "server_error",
        "BBBev3": "no_data",
        "CCCev0": "no_data",
        "CCCev1": "timeout",
        "CCCev2": "damaged",
    }
    assert "The stub says 403" in lost["BBBev1"].reason and float(lost["BBBev1"].value) == 403
    assert "The stub says 500" in lost["BBBev2"].reason and "(3 attempts)" in lost["BBBev2"].reason
    assert lost["CCCev1"].reason == "silent for 0.5 s (3 attempts)"
    rows = logged(out)
    outcomes = Counter(rows.outcome[rows.service == "dataselect"])
    assert {name: outcomes[name] for name in ("throttled", "server_error", "timeout", "truncated", "restricted")} == {
        "throttled": 1, "server_error": 4, "timeout": 4, "truncated": 1, "restricted": 1,
    }  # fmt: skip
    assert outcomes["damaged"] == 5 and outcomes["no_data"] == 2
    assert len(rows) == len(centre.seen)
    # The answer cut between records and the recording that ends early look alike: both were asked for twice.
    twice = {first_channel(seen) for seen in centre.requests() if seen.delivered}
    repeated = [line for line, number in centre.deliveries().items() if number > 1]
    assert {line.split()[1] for line in repeated} == {"CCC"} and len(repeated) == 1
    assert ("BBB", 0) in twice and outcomes["short"] == 3


def test_nothing_is_asked_while_the_server_wants_a_pause(centre, tmp_path):
    centre.fault = lambda seen, before: (429, {"Retry-After": "1"}) if asks_for_first(seen) and before == 0 else None
    fetch(centre, tmp_path / "set", requests={"max_concurrent": 1})
    rows = logged(tmp_path / "set")
    at = int(np.flatnonzero(rows.outcome == "throttled")[0])
    told, following = (UTCDateTime(rows.time[i]) for i in (at, at + 1))
    assert following - told >= 0.99


def test_a_server_that_asks_for_too_much_patience_or_died_ends_the_fetch_but_loses_nothing(centre, tmp_path):
    out = tmp_path / "set"
    busy = (503, {"Retry-After": "5000"})
    centre.fault = lambda seen, before: busy if len(centre.requests()) > 5 else None
    with pytest.raises(DataError, match=r"asks to wait 5000 s.*requests\.max_wait_s=900.*repeat the command later"):
        fetch(centre, out)
    assert not out.exists()
    centre.fault = lambda seen, before: 502
    with pytest.raises(DataError, match=r"events of group 'quakes' could not be had.*The stub says 502 \(3 attempts\)"):
        fetch(centre, tmp_path / "other")
    centre.fault = lambda seen, before: 502 if seen.service == "dataselect" else None
    with pytest.raises(DataError, match=r"10 requests in a row .* failed, 3 times each, .*The stub says 502"):
        fetch(centre, tmp_path / "other")
    delivered = centre.deliveries()
    assert sum(delivered.values()) >= 5
    centre.fault = lambda seen, before: None
    assert fetch(centre, out).had == N_ITEMS - 1
    assert {line: centre.deliveries()[line] for line in delivered} == delivered


def test_what_failed_is_asked_for_again_only_on_request(centre, tmp_path):
    out = tmp_path / "set"
    centre.fault = lambda seen, before: 500 if asks_for_first(seen) else None
    assert fetch(centre, out).not_had == {"server_error": 1, "no_data": 1}
    centre.fault = lambda seen, before: None
    n_seen = len(centre.seen)
    assert fetch(centre, out).already and len(centre.seen) == n_seen
    report = fetch(centre, out, retry=True)
    assert report.not_had == {"no_data": 1} and len(centre.seen) == n_seen + 1
    assert len(WaveformSet(out).metadata) == N_ITEMS - 1
    assert fetch(centre, out, retry=True).already and len(centre.seen) == n_seen + 1


def command_line(recipe, out):
    words = [sys.executable, "-m", "seisvision.cli", "data", "fetch", str(recipe), "--out", str(out)]
    return ready_python.Ready(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=20):
    for _ in range(seconds * 100):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited in vain")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_an_ended_fetch_goes_on_where_it_stopped(centre, tmp_path, end):
    recipe, out = write_recipe(tmp_path / "recipe.yaml", centre), tmp_path / "set"
    centre.delay_s = 0.15
    running = command_line(recipe, out)
    wait_for(lambda: len(centre.deliveries()) >= 6)
    running.send_signal(end)
    _, said = running.communicate(timeout=20)
    assert running.returncode == (-signal.SIGKILL if end == signal.SIGKILL else 130), said
    assert not out.exists()
    folder = tmp_path / "set.download"
    had = {path.name: path.read_bytes() for path in folder.rglob("[!.]*.mseed")}  # what was being written has a dot
    assert 2 <= len(had) < N_ITEMS and all(len(read(path)) for path in folder.rglob("[!.]*.mseed"))
    n_before = len(centre.seen)
    centre.delay_s = 0.0
    report = run_fetch(load_recipe(recipe), out)
    assert report.had == N_ITEMS - 1
    # Not asked again: what had arrived. Asked again: at most the two requests under way, and those that fell short.
    asked_again = [seen for seen in centre.seen[n_before:] if seen.service == "dataselect"]
    assert len(asked_again) <= N_ITEMS - len(had) + 1
    assert had == {path.name: path.read_bytes() for path in folder.rglob("[!.]*.mseed") if path.name in had}
    rows = logged(out)
    interrupted = (rows.outcome == "interrupted").sum()
    # A request noted down when the program was killed may or may not have reached the server.
    assert len(rows) - interrupted <= len(centre.seen) <= len(rows) and interrupted <= 2
    assert len(set(rows.request_id)) == len(rows)


def test_short_answers_are_believed_when_two_agree_else_the_longest_is_kept(centre, tmp_path):
    def fault(seen, before):
        cuts = {("AAA", 0): ["keep 3", "keep 5", "keep 4"], ("AAA", 1): ["keep 3", "keep 5", "keep 5"]}
        answers = cuts.get(first_channel(seen), []) if seen.service == "dataselect" else []
        return answers[before] if before < len(answers) else None

    centre.fault = fault
    fetch(centre, tmp_path / "set", processing={"components": "Z"}, span={"before_s": 30, "after_s": 120})
    files = (tmp_path / "set.download" / "waveforms").glob("ev[01]/XX.AAA.*.mseed")
    assert sorted(path.stat().st_size for path in files) == [5 * 512, 5 * 512]
    short = logged(tmp_path / "set").query("outcome == 'short'")
    assert len(short) == 3 + 3 + 2 and "XX.AAA HHZ " in short.reason.iloc[0]


def test_a_disk_that_cannot_be_written_to_is_told_in_one_sentence(centre, tmp_path):
    (tmp_path / "set.download").mkdir()
    (tmp_path / "set.download" / "waveforms").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot be written: .*; mend that and repeat the command"):
        fetch(centre, tmp_path / "set")


def test_an_event_whose_stations_are_not_told_is_listed_and_had_later(centre, tmp_path):
    out = tmp_path / "set"
    centre.fault = lambda seen, before: 500 if seen.service == "station" and "T00:59:30" in seen.lines[0] else None
    assert fetch(centre, out).asked == N_ITEMS - len(STATIONS)
    lost = rejected(out).query("stage == 'event'")
    assert list(zip(lost.event_id, lost.cause, strict=True)) == [("ev1", "stations_server_error")]
    centre.fault = lambda seen, before: None
    assert fetch(centre, out).already
    assert fetch(centre, out, retry=True).asked == N_ITEMS
    assert WaveformSet(out).source_ids == [f"ev{i}" for i in range(N_EVENTS)]
    # Only the recording that ends early came twice.
    assert sorted(centre.deliveries().values()).count(2) == 1


def test_only_one_fetch_works_in_a_folder(centre, tmp_path):
    centre.delay_s = 0.1
    first = threading.Thread(target=fetch, args=(centre, tmp_path / "set"))
    first.start()
    wait_for(lambda: len(centre.requests()) > 1)
    with pytest.raises(DataError, match="another fetch is at work"):
        fetch(centre, tmp_path / "set")
    first.join()
    assert (tmp_path / "set" / "card.json").is_file()


def test_no_other_server_is_asked(centre, tmp_path):
    elsewhere = centre.url.replace("127.0.0.1", "localhost")
    centre.fault = lambda seen, before: (302, {"Location": elsewhere}) if asks_for_first(seen) else None
    fetch(centre, tmp_path / "set")
    reasons = rejected(tmp_path / "set").query("cause == 'refused'").reason
    assert list(reasons) == ["302 redirects to localhost, which the recipe does not name"]
