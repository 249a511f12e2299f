"""Times that can be read in one way are read, all others are refused."""

import pytest

from seisvision.data.importing.tables.catalogue import read_events
from seisvision.data.importing.tables.times import AmbiguousTimeError, format_ns, time_ns
from seisvision.errors import DataError


@pytest.mark.parametrize(
    "text",
    [
        "2020-03-04T05:06:30.25Z", "2020-03-04 05:06:30.250000", "2020/03/04 05:06:30,25", "2020.03.04 05:06:30.25",
        "20200304T050630.25", "20200304050630.25", "2020-064T05:06:30.25", "2020,064,05:06:30.25",
        "04-Mar-2020 05:06:30.25", "Mar 4, 2020 05:06:30.25", "Wed, 04 Mar 2020 05:06:30.25 GMT", "1583298390.25",
        "1583298390250", "1583298390250000", "2020-03-04T14:06:30.25+09:00", "2020-03-04 14:06:30.25 JST",
        "2020-03-03T21:06:30.25-08", "2020-03-04 5:6:30.25", "2020-03-04 05:06:30.25 AM",
    ],
)  # fmt: skip
def test_one_moment_in_many_hands(text):
    assert format_ns(time_ns(text)) == "2020-03-04T05:06:30.250000Z"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2020-03-04T24:00:00", "2020-03-05T00:00:00.000000Z"),
        ("2016-12-31T23:59:60", "2017-01-01T00:00:00.000000Z"),
        ("2020-03-04T05:06:60.5", "2020-03-04T05:07:00.500000Z"),
        ("2020-03-04T05:06", "2020-03-04T05:06:00.000000Z"),
        ("2020064050607", "2020-03-04T05:06:07.000000Z"),
        ("202003040506", "2020-03-04T05:06:00.000000Z"),
        ("915148800123", "1999-01-01T00:00:00.123000Z"),
        ("915148800123456", "1999-01-01T00:00:00.123456Z"),
        ("915148800123456789", "1999-01-01T00:00:00.123457Z"),
        ("13/03/2020 05:06:30 PM", "2020-03-13T17:06:30.000000Z"),
        ("2020-366T00:00:01", "2020-12-31T00:00:01.000000Z"),
    ],
)
def test_edges_of_the_clock(text, read):
    assert format_ns(time_ns(text)) == read


@pytest.mark.parametrize("text", ["05/03/2020 05:06:30", "5.3.2020 05:06", "05-03-2020T05:06:30", "3/4/20 05:06:30"])
def test_what_can_be_read_in_two_ways_is_refused(text):
    with pytest.raises(AmbiguousTimeError):
        time_ns(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2020-03-04", "no time of day"), ("05:06:30", "no date"), ("43894.2128", "spreadsheet"),
        ("2020.1735", "decimal year"), ("2020-02-30T01:00:00", "a day that there is not"),
        ("2019-366T01:00:00", "a day that there is not"), ("2020-03-04T25:00:00", "a time of day that there is not"),
        ("2020-03-04T05:61:00", "a time of day that there is not"), ("2020-03-04 05:06:30 PST", "zone 'pst'"),
        ("1799-03-04T05:06:30", "1900 to 2200"), ("soon", "is no time"), ("", "is no time"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_the_reason(text, message):
    with pytest.raises(ValueError, match=message):
        time_ns(text)


def read(tmp_path, head, *rows):
    (tmp_path / "events.csv").write_text("\n".join([head, *rows]) + "\n")
    return read_events(str(tmp_path / "events.csv"))


def times(catalogue):
    return [event["source_origin_time"][:19] for event in catalogue.events.values()]


def test_one_day_above_twelve_settles_a_table_and_is_told(tmp_path):
    catalogue = read(tmp_path, "id,time", "a,05/03/2020 01:00:00", "b,14/03/2020 01:00:00")
    assert times(catalogue) == ["2020-03-05T01:00:00", "2020-03-14T01:00:00"]
    assert any("read day first" in note for note in catalogue.notes)
    catalogue = read(tmp_path, "id,time", "a,05/03/2020 01:00:00", "b,03/14/2020 01:00:00")
    assert times(catalogue) == ["2020-05-03T01:00:00", "2020-03-14T01:00:00"]


def test_a_table_that_contradicts_itself_or_tells_nothing_loses_only_what_is_in_doubt(tmp_path):
    rows = ("a,05/03/2020 01:00:00", "b,14/03/2020 01:00:00", "c,03/14/2020 01:00:00", "d,04/04/2020 01:00:00")
    catalogue = read(tmp_path, "id,time", *rows)
    assert list(catalogue.events) == ["b", "c", "d"]
    assert [(name, refusal.cause) for name, refusal in catalogue.refused] == [("a", "ambiguous_time")]
    with pytest.raises(DataError, match="day first or month first"):
        read(tmp_path, "id,time", "a,05/03/2020 01:00:00")


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("id,date,time", "a,2020-03-04,05:06:30"),
        ("id,Date,Time (JST)", "a,2020/03/04,14:06:30"),
        ("id,date,time", "a,20200304,50630"),
        ("id,date,hour,minute,second", "a,2020-03-04,5,6,30.0"),
        ("id,year,month,day,time", "a,2020,3,4,05:06:30"),
        ("id,year,julday,hour,min,sec", "a,2020,64,5,6,30"),
        ("id,yr,mon,dy,hr,min,sec", "a,2020.0,3.0,4.0,5.0,6.0,30"),
        ("id,year,month,day,hour,minute,sec", "a,2020,3,4,5,6,30"),
        ("id,date,time", "a,2020-03-04 00:00:00,05:06:30"),
    ],
)
def test_dates_and_times_in_columns_of_their_own(tmp_path, head, row):
    assert times(read(tmp_path, head, row)) == ["2020-03-04T05:06:30"]


def test_a_column_that_is_only_named_like_a_part_of_a_time_is_kept(tmp_path):
    event = read(tmp_path, "id,time,min,day", "a,2020-03-04T05:06:30,1.5,Monday").events["a"]
    assert (event["source_min"], event["source_day"]) == (1.5, "Monday")
    assert event["source_origin_time"].startswith("2020-03-04T05:06:30")


def test_a_day_without_a_time_of_day_is_no_origin_time(tmp_path):
    catalogue = read(tmp_path, "id,date", "a,2020-03-04", "b,2020-03-04T05:06:30")
    assert list(catalogue.events) == ["b"] and "no time of day" in str(catalogue.refused[0][1])
