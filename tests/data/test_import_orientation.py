"""Sensors that do not point to vertical, north and east: what comes out, against obspy as an independent library."""

import io

import h5py
import numpy as np
import pandas as pd
import pytest
from obspy import Stream, read
from obspy.core.inventory import Channel, Inventory, Network, Station
from obspy.core.inventory.response import InstrumentSensitivity, Response
from obspy.signal.rotate import rotate2zne
from recorded_trees import origin, recipe, trace, write_events, write_stations

from seisvision.data.importing.importer import run_import
from seisvision.data.importing.sensors.orientation import axis, plan_turns
from seisvision.data.sets.waveform_set import WaveformSet

PLAIN = {"taper_fraction": 0}
GALPERIN_DIP = -np.degrees(np.arcsin(1 / np.sqrt(3)))


def ground():
    """Motion up, north and east, three independent series."""
    return [trace(0, "AAA", f"HH{c}", onset_s=5 + i).detrend("linear").data * (1 + i) for i, c in enumerate("ZNE")]


def channels(angles, station="AAA", motion=None, **changes):
    """What channels that point to the azimuth and dip of ``angles`` record of the motion, as floats."""
    motion = ground() if motion is None else motion
    made = []
    for code, (azimuth, dip) in angles.items():
        item = trace(0, station, code, **changes)
        item.data = axis(azimuth, dip) @ np.stack(motion)
        made.append(item)
    return made


def listed(angles, station="AAA", location="", **changes):
    """A station with channels of these angles."""
    where = (46.0, -121.9, 100.0, 0.0)
    items = [
        Channel(code, location, *where, azimuth=azimuth, dip=dip, sample_rate=50, **changes)
        for code, (azimuth, dip) in angles.items()
    ]
    return Station(station, *where[:3], channels=items)


def imported(folder, traces, stations, source=None, **sections):
    """Import one event; report, set by station and rejections."""
    (folder / "waveforms").mkdir(exist_ok=True)
    Stream(traces).write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    return finished(folder, stations, source, **sections)


def finished(folder, stations, source=None, events=True, **sections):
    """Import what lies in the folder."""
    if events:
        write_events(folder / "events.csv", ["ev0"])
    path = folder / "stations.xml"
    if stations is None:
        path = write_stations(folder / "stations.csv", ["AAA", "BBB"])
    else:
        Inventory([Network("XX", stations)], source="test").write(str(path), format="STATIONXML")
    plan = recipe(folder, {"stations": str(path)} | (source or {}), **({"processing": PLAIN} | sections))
    report = run_import(plan, folder / "set", overwrite=True)
    made = WaveformSet(folder / "set")
    rejected = pd.read_csv(folder / "set" / "rejected.csv", keep_default_na=False)
    n_kept = sum(report.n_components.values())
    assert n_kept + (rejected.trace_id != "").sum() == sum(report.n_recordings.values())
    return made.metadata, lambda row=0: made.read_trace(row, "ZNE")[0], rejected


LEVEL = {"HHZ": (0, -90), "HHN": (0, 0), "HHE": (90, 0)}
CROOKED = {
    "level_sensor_of_a_borehole": {"BHZ": (0, -90), "BH1": (213.5, 0), "BH2": (303.5, 0)},
    "named_north_and_east": {"HHZ": (0, -90), "HHN": (41, 0), "HHE": (131, 0)},
    "vertical_called_3": {"HH1": (17, 0), "HH2": (107, 0), "HH3": (0, -90)},
    "vertical_called_1": {"HH1": (0, -90), "HH2": (17, 0), "HH3": (107, 0)},
    "counted_downwards": {"EHZ": (0, 90), "EHN": (0, 0), "EHE": (90, 0)},
    "left_handed": {"EHZ": (0, -90), "EHN": (0, 0), "EHE": (270, 0)},
    "two_upside_down": {"EHZ": (0, 90), "EHN": (180, 0), "EHE": (90, 0)},
    "tilted": {"HHZ": (30, -70), "HHN": (30, 20), "HHE": (120, 0)},
    "not_square": {"HHZ": (0, -80), "HH1": (10, 5), "HH2": (75, -3)},
    "galperin": {"BHU": (270, GALPERIN_DIP), "BHV": (30, GALPERIN_DIP), "BHW": (150, GALPERIN_DIP)},
    "letters_of_a_factory": {"HHA": (5, 0), "HHB": (95, 0), "HHC": (0, 90)},
    "axes_swapped": {"HHZ": (0, 0), "HHN": (0, -90), "HHE": (90, 0)},
}


@pytest.mark.parametrize("angles", CROOKED.values(), ids=CROOKED)
def test_any_sensor_is_turned_to_the_motion_of_the_ground_as_obspy_does(tmp_path, angles):
    traces = channels(angles)
    table, read_row, rejected = imported(tmp_path, traces, [listed(angles)])
    by_obspy = rotate2zne(
        *(part for item in traces for part in (item.data, *angles[item.stats.channel])), inverse=False
    )
    for ours, theirs, truth in zip(read_row(), by_obspy, ground(), strict=True):
        assert np.allclose(theirs, truth, atol=1e-6) and np.allclose(ours, theirs, atol=1)
    row = table.iloc[0]
    assert set(str(row.trace_turned_from)) <= {code[-1] for code in angles} and row.trace_turned_from
    assert (row.trace_orientation, row.trace_misorientation_deg) == ("angles", 0) and rejected.empty


def test_sac_headers_turn_as_stationxml_does(tmp_path):
    (tmp_path / "waveforms").mkdir()
    angles = CROOKED["tilted"]
    for item in channels(angles):
        azimuth, dip = angles[item.stats.channel]
        item.stats.sac = {"cmpaz": azimuth, "cmpinc": dip + 90}
        item.write(str(tmp_path / "waveforms" / f"ev0.{item.stats.channel}.sac"), format="SAC")
    named = {"association": {"pattern": r"(ev\d)"}}
    trace(0, "BBB").write(str(tmp_path / "waveforms" / "ev0.BBB.sac"), format="SAC")
    table, read_row, _ = finished(tmp_path, None, named)
    assert np.allclose(read_row(), ground(), atol=1) and table.trace_turned_from[0] == "ZNE"
    _, read_row, _ = finished(tmp_path, None, named | {"orientation": "letters"})
    assert not np.allclose(read_row()[0], ground()[0], atol=100)
    # A table that says otherwise is not overruled, and does not overrule.
    _, read_row, rejected = finished(tmp_path, [listed({"HHN": (0, 0)})], named)
    assert "azimuth 30 and dip 20" in rejected.set_index("cause").reason["angles_disagree"]


@pytest.mark.parametrize("inclinations", [(0, 90, 90), (-90, 0, 0), (0, 0, 0)])
def test_sac_inclinations_of_both_conventions_and_zeros_are_level(tmp_path, inclinations):
    (tmp_path / "waveforms").mkdir()
    for item, inclination in zip(channels(CROOKED["counted_downwards"] | {"EHZ": (0, -90)}), inclinations, strict=True):
        item.stats.sac = {"cmpaz": 90 if item.stats.channel == "EHE" else 0, "cmpinc": inclination}
        item.write(str(tmp_path / "waveforms" / f"ev0.{item.stats.channel}.sac"), format="SAC")
    table, read_row, rejected = finished(tmp_path, None, {"association": {"pattern": r"(ev\d)"}})
    assert np.allclose(read_row(), ground(), atol=1) and table.trace_turned_from.isna().all() and rejected.empty


def test_a_csv_table_may_give_the_angles_of_channels(tmp_path):
    angles = CROOKED["vertical_called_3"]
    rows = ["network,station,location,channel,latitude,longitude,latitude_deg,longitude_deg,azimuth_deg,dip_deg"]
    rows += [f"XX,AAA,--,{code},46,-122,46,-122,{azimuth},{dip}" for code, (azimuth, dip) in angles.items()]
    (tmp_path / "angles.csv").write_text("\n".join(rows) + "\n")
    table, read_row, _ = imported(tmp_path, channels(angles), None, {"stations": str(tmp_path / "angles.csv")})
    assert np.allclose(read_row(), ground(), atol=1) and table.trace_turned_from[0] == 123


LOST = {
    "vertical_far_off": ({"HHZ": (0, -60)}, ["tilted"]),
    "horizontal_far_off": ({"HHZ": (0, -90), "HHN": (238, 0)}, ["half_of_a_pair"]),
    "dipping_pair_without_vertical": ({"HH1": (0, 20), "HH2": (90, 20)}, ["tilted", "tilted"]),
    "parallel_horizontals": ({"HHZ": (0, -90), "HH1": (30, 0), "HH2": (40, 0)}, ["parallel", "parallel"]),
    "one_axis_twice": ({"HHZ": (0, -90), "HHN": (30, 0), "HHE": (210, 0)}, ["parallel", "parallel"]),
}


@pytest.mark.parametrize(("angles", "causes"), LOST.values(), ids=LOST)
def test_what_cannot_be_turned_is_refused_with_its_angles(tmp_path, angles, causes):
    sound = channels({"HHZ": (0, -90)}, "BBB")
    stations = [listed(angles), listed({"HHZ": (0, -90)}, "BBB")]
    table, _, rejected = imported(tmp_path, channels(angles) + sound, stations)
    assert rejected.cause.tolist() == causes and rejected.reason.str.contains("points to azimuth").all()
    assert set(table.trace_component_order) == {"Z"}


def test_small_errors_without_a_partner_are_kept_and_told(tmp_path):
    angles = {"HHZ": (200, -87), "HHN": (2, 0)}
    table, read_row, _ = imported(tmp_path, channels(angles), [listed(angles)])
    assert table.trace_component_order[0] == "ZN" and pd.isna(table.trace_turned_from[0])
    assert table.trace_misorientation_deg[0] == pytest.approx(3, abs=0.01)
    assert np.allclose(read_row()[0], channels(angles)[0].data, atol=1)


def test_only_what_is_wanted_is_kept_of_what_is_turned(tmp_path):
    angles = CROOKED["tilted"]
    table, read_row, rejected = imported(
        tmp_path, channels(angles), [listed(angles)], processing=PLAIN | {"components": "Z"}
    )
    assert np.allclose(read_row()[0], ground()[0], atol=1) and table.trace_component_order[0] == "Z"
    assert rejected.cause.tolist() == ["component"] * 2
    level = CROOKED["named_north_and_east"]
    table, read_row, rejected = imported(
        tmp_path, channels(level), [listed(level)], processing=PLAIN | {"components": "E"}
    )
    assert np.allclose(read_row()[2], ground()[2], atol=1) and len(rejected) == 2


def test_zeros_of_lazy_writers_are_told_from_angles(tmp_path):
    zeros = {f"HH{letter}": (0, 0) for letter in "ZNE"}
    table, read_row, _ = imported(tmp_path, channels(LEVEL), [listed(zeros)])
    assert np.allclose(read_row(), ground(), atol=1) and table.trace_orientation[0] == "letters_against_angles"
    # Where one horizontal is known to be off, the letter of the other says nothing.
    table, _, rejected = imported(tmp_path, channels(LEVEL), [listed({"HHZ": (0, -90), "HHN": (30, 0)})])
    assert table.trace_component_order[0] == "Z" and set(rejected.cause) == {"half_of_a_pair", "no_azimuth"}


def test_polarity_of_a_negative_gain_counts_once_in_counts_and_in_metres(tmp_path):
    traces = channels(LEVEL)
    traces[0].data *= -1
    station = listed(LEVEL)
    for channel in station:
        gain = -1000.0 if channel.code == "HHZ" else 1000.0
        channel.response = Response(instrument_sensitivity=InstrumentSensitivity(gain, 1, "M/S", "COUNTS"))
    table, read_row, _ = imported(tmp_path, traces, [station])
    assert np.allclose(read_row(), ground(), atol=1) and table.trace_turned_from[0] == "Z"
    table, read_row, _ = imported(tmp_path, traces, [station], {"response": "gain"})
    assert np.allclose(1000 * read_row(), ground(), atol=1) and table.trace_unit[0] == "m/s"


def test_angles_are_those_of_the_epoch_and_location(tmp_path):
    old, new = CROOKED["level_sensor_of_a_borehole"], {"BHZ": (0, -90), "BH1": (80, 0), "BH2": (170, 0)}
    station = listed(old, location="00", start_date=origin(0) - 9e6, end_date=origin(0) - 3600)
    station.channels += listed(new, location="00", start_date=origin(0) - 3600).channels
    table, read_row, _ = imported(tmp_path, channels(new), [station])
    assert np.allclose(read_row(), ground(), atol=1)
    assert table.trace_metadata_channel[0].startswith("XX.AAA.00.BH")
    station.channels += listed(old, location="10", start_date=origin(0) - 3600).channels
    _, _, rejected = imported(tmp_path, [*channels(new), trace(0, "BBB")], [station])
    assert rejected.cause.tolist() == ["unknown_location"] * 2 and "00, 10" in rejected.reason[0]
    for channel in station:
        channel.end_date = None if channel.end_date is None else origin(0) + 10
        channel.start_date = origin(0) + 10 if channel.end_date is None else channel.start_date
    _, _, rejected = imported(tmp_path, [*channels(new, location="00"), trace(0, "BBB")], [station])
    assert rejected.cause.tolist() == ["epoch_boundary"] * 2


@pytest.mark.parametrize("codes", ["3NE", "1NE", "Z1E", "ZN2"])
def test_letters_of_two_habits_are_one_sensor(tmp_path, codes):
    angles = {f"HH{letter}": pair for letter, pair in zip(codes, ((0, -90), (30, 0), (120, 0)), strict=True)}
    table, read_row, rejected = imported(tmp_path, channels(angles), [listed(angles)])
    assert table.trace_component_order.tolist() == ["ZNE"] and rejected.empty
    assert np.allclose(read_row(), ground(), atol=2)


def test_two_descriptions_of_one_channel_and_time_are_none(tmp_path):
    first, second = listed(LEVEL), listed({"HHN": (40, 0), "HHE": (90.4, 0)})
    for item in first.channels + second.channels:
        gain = 2.0 if item in second.channels and item.code == "HHE" else 1.0
        item.response = Response(instrument_sensitivity=InstrumentSensitivity(gain, 1.0, "M/S", "COUNTS"))
    first.channels += second.channels
    table, _, rejected = imported(tmp_path, channels(LEVEL), [first])
    assert table.trace_component_order.tolist() == ["ZE"] and rejected.cause.tolist() == ["two_epochs"]
    table, _, rejected = finished(tmp_path, [first], {"response": "gain"})
    assert table.trace_component_order.tolist() == ["Z"]
    assert sorted(rejected.trace_id) == ["XX.AAA..HHE", "XX.AAA..HHN"] and set(rejected.cause) == {"two_epochs"}


@pytest.mark.parametrize(("signs", "n_kept"), [((1, 1), 2), ((-1, -1), 2), ((1, -1), 1)])
def test_letters_at_their_word_need_no_more_of_a_location_than_its_sign(tmp_path, signs, n_kept):
    stations = [listed({"HHZ": (0, -90)}, location=location) for location in ("01", "02")]
    for station, sign, dip in zip(stations, signs, (-90, -70), strict=True):
        station.channels[0].response = Response(
            instrument_sensitivity=InstrumentSensitivity(sign, 1.0, "M/S", "COUNTS")
        )
        station.channels[0].dip = dip
    stations[0].channels += stations[1].channels
    traces = [trace(0, "AAA", location="00"), trace(0, "BBB")]
    asked = {"orientation": "letters"}
    table, read_row, rejected = imported(tmp_path, traces, [stations[0], listed({"HHZ": (0, -90)}, "BBB")], asked)
    assert len(table) == n_kept and rejected.cause.tolist() == ["unknown_location"] * (2 - n_kept)
    if n_kept == 2:
        assert np.allclose(read_row(0)[0], signs[0] * traces[0].copy().detrend("linear").data, atol=1)


def test_a_channel_known_at_other_times_only_is_taken_at_its_word_where_it_kept_it(tmp_path):
    before = {"end_date": origin(0) - 86400}
    _, read_row, rejected = imported(tmp_path, channels(LEVEL), [listed(LEVEL, **before)])
    assert np.allclose(read_row(), ground(), atol=1) and rejected.empty
    table, _, rejected = imported(tmp_path, channels(LEVEL), [listed(CROOKED["named_north_and_east"], **before)])
    assert table.trace_component_order[0] == "Z" and set(rejected.cause) == {"no_azimuth"}


def test_radial_and_transverse_follow_the_header_and_its_conventions(tmp_path):
    (tmp_path / "waveforms").mkdir()
    back_azimuth = 70.0
    angles = {"BHZ": (0, -90), "BHR": (back_azimuth + 180, 0), "BHT": (back_azimuth + 270, 0)}
    for item in channels(angles):
        item.stats.sac = {"baz": back_azimuth, "cmpaz": 0 if item.stats.channel == "BHR" else 90, "cmpinc": 90}
        if item.stats.channel == "BHZ":
            item.stats.sac.cmpinc = 0
        item.write(str(tmp_path / "waveforms" / f"ev0.{item.stats.channel}.sac"), format="SAC")
    named = {"association": {"pattern": r"(ev\d)"}}
    table, read_row, _ = finished(tmp_path, None, named)
    assert np.allclose(read_row(), ground(), atol=1)
    assert (table.trace_turned_from[0], table.trace_orientation[0]) == ("RT", "back_azimuth")
    for path in (tmp_path / "waveforms").glob("*.sac"):
        item = read(str(path))[0]
        del item.stats.sac["baz"]
        item.stats.sac.cmpaz = angles[item.stats.channel][0]
        item.write(str(path), format="SAC")
    write_events(tmp_path / "events.csv", ["ev0"], source_latitude_deg=[""])
    _, read_row, _ = finished(tmp_path, None, named, events=False)
    assert np.allclose(read_row(), ground(), atol=1)
    path = tmp_path / "waveforms" / "ev0.BHR.sac"
    towards = read(str(path))[0]
    towards.stats.sac.cmpaz = towards.stats.sac.baz = back_azimuth
    towards.write(str(path), format="SAC")
    _, _, rejected = finished(tmp_path, None, named)
    assert "angles_disagree" in set(rejected.cause)


@pytest.mark.parametrize(("azimuth", "n_kept"), [("-30.0", 3), ("390", 1), ("-12345", 1), ("nan", 1)])
def test_angles_beyond_their_limits_do_not_end_the_import(tmp_path, azimuth, n_kept):
    angles = {"HHZ": (0, -90), "HHN": (330, 0), "HHE": (60, 0)}
    path = tmp_path / "odd.xml"
    Inventory([Network("XX", [listed(angles)])], source="test").write(str(path), format="STATIONXML")
    path.write_text(path.read_text().replace(">330.0</Azimuth>", f">{azimuth}</Azimuth>"))
    table, read_row, rejected = imported(tmp_path, channels(angles), None, {"stations": str(path)})
    assert len(table.trace_component_order[0]) == n_kept == 3 - len(rejected)
    assert n_kept == 1 or np.allclose(read_row(), ground(), atol=1)


def test_a_sensor_in_an_asdf_archive_is_turned(tmp_path):
    angles, content = CROOKED["named_north_and_east"], io.BytesIO()
    Inventory([Network("XX", [listed(angles)])], source="test").write(content, format="STATIONXML")
    (tmp_path / "waveforms").mkdir()
    with h5py.File(tmp_path / "waveforms" / "ev0.h5", "w") as archive:
        archive.attrs["file_format"] = "ASDF"
        group = archive.create_group("Waveforms/XX.AAA")
        group["StationXML"] = np.frombuffer(content.getvalue(), dtype=np.int8)
        for item in channels(angles):
            data = group.create_dataset(f"XX.AAA..{item.stats.channel}__2020__raw", data=item.data)
            data.attrs["starttime"], data.attrs["sampling_rate"] = item.stats.starttime.ns, 50.0
    _, read_row, _ = finished(tmp_path, None, {"stations": str(tmp_path / "waveforms" / "ev0.h5")})
    assert np.allclose(read_row(), ground(), atol=1)


def test_plans_hold_for_random_sensors():
    random = np.random.default_rng(5)
    for _ in range(50):
        axes = np.linalg.qr(random.normal(size=(3, 3)))[0] * random.choice([-1, 1], size=3)
        (turn,) = plan_turns(list(axes))
        assert np.allclose(turn.matrix @ axes[list(turn.channels)], np.eye(3))
