"""Units: what one column is called, and that gains bring every unit of ground motion to metres and seconds."""

import numpy as np
import pandas as pd
import pytest
from obspy import Stream
from obspy.core.inventory import Channel, Inventory, Network, Station
from obspy.core.inventory.response import InstrumentSensitivity, PolynomialResponseStage, Response
from obspy.io.sac import SACTrace
from recorded_trees import recipe, trace, write_events, write_stations

from seisvision.data.importing.importer import NothingLeftError, run_import
from seisvision.data.importing.tables.units import ground_unit
from seisvision.data.sets.waveform_set import WaveformSet

PLAIN = {"taper_fraction": 0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("M/S", (1, "m/s")),
        ("nm/sec", (1e-9, "m/s")),
        ("CM/S", (1e-2, "m/s")),
        ("mm", (1e-3, "m")),
        ("µm/s", (1e-6, "m/s")),
        ("M/S**2", (1, "m/s**2")),
        ("m/s/s", (1, "m/s**2")),
        ("M/(SEC^2)", (1, "m/s**2")),
        ("m s-2", (1, "m/s**2")),
        ("meters per second", (1, "m/s")),
        ("G", (9.80665, "m/s**2")),
        ("gal", (1e-2, "m/s**2")),
        ("PA", None),
        ("RAD", None),
        ("M**3/M**3", None),
        ("C", None),
        ("COUNTS", None),
        ("V", None),
        ("", None),
        (None, None),
    ],
)
def test_units_of_ground_motion_are_told_from_others(text, expected):
    assert ground_unit(text) == (None if expected is None else (pytest.approx(expected[0]), expected[1]))


def gain(value, unit="M/S"):
    return Response(instrument_sensitivity=InstrumentSensitivity(value, 1.0, unit, "COUNTS"))


def polynomial():
    stage = PolynomialResponseStage(1, 1.0, 1.0, "M/S", "V", 0, 1, 0, 1, 0.1, [1.0, 2.0])
    return Response(response_stages=[stage])


def write(folder, responses):
    """One event, a station for each response, all with the same samples; StationXML beside."""
    (folder / "waveforms").mkdir()
    traces = [trace(0, "AAA") for _ in responses]
    for item, name in zip(traces, responses, strict=True):
        item.stats.station = name
    Stream(traces).write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    write_events(folder / "events.csv", ["ev0"])
    where = (46.0, -121.9, 100.0)
    stations = [
        Station(name, *where, channels=[Channel("HHZ", "", *where, 0.0, azimuth=0, dip=-90, response=response)])
        for name, response in responses.items()
    ]
    Inventory([Network("XX", stations)], source="test").write(str(folder / "stations.xml"), format="STATIONXML")


def imported(folder, **source):
    """Import with StationXML; the table by station, a reader of samples, rejections by station and the card."""
    plan = recipe(folder, {"stations": str(folder / "stations.xml")} | source, processing=PLAIN)
    run_import(plan, folder / "set", overwrite=True)
    made = WaveformSet(folder / "set")
    rejected = pd.read_csv(folder / "set" / "rejected.csv", keep_default_na=False)
    peaks = {row.station_code: made.read_trace(i, "Z")[0][0] for i, row in enumerate(made.metadata.itertuples())}
    rejected.index = [trace_id.split(".")[1] for trace_id in rejected.trace_id]
    return made.metadata.set_index("station_code"), peaks, rejected, made.card


def test_one_unit_whatever_the_station_file_counts_in(tmp_path):
    responses = {"SI": gain(1e9), "NANO": gain(1.0, "NM/S"), "CENTI": gain(1e7, "cm/sec"), "MILLI": gain(1e6, "MM/S")}
    responses |= {"DOWN": gain(-1e9), "ACC": gain(1e6, "m/s/s"), "GRAV": gain(9.80665e6, "G")}
    write(tmp_path, responses)
    table, samples, rejected, card = imported(tmp_path, response="gain")
    assert set(table.trace_unit.drop(["ACC", "GRAV"])) == {"m/s"} and set(table.trace_unit[["ACC", "GRAV"]]) == {
        "m/s**2"
    }
    for name in ("NANO", "CENTI", "MILLI"):
        assert np.allclose(samples[name], samples["SI"], rtol=1e-5, atol=1e-15)
    assert np.allclose(samples["DOWN"], -samples["SI"]) and np.allclose(samples["GRAV"], samples["ACC"], rtol=1e-5)
    assert rejected.empty and card["unit"] == "m/s or m/s**2"
    assert card["import"]["counts"]["units"] == {"m/s": 5, "m/s**2": 2}


def test_gains_that_are_none_are_refused_with_the_reason(tmp_path):
    responses = {"FINE": gain(1e9), "ZERO": gain(0.0), "NONE": Response(), "POLY": polynomial()}
    responses |= {"PRESS": gain(1e3, "PA"), "TILT": gain(1e3, "RAD"), "WARM": gain(5.0, "degC")}
    write(tmp_path, responses)
    table, _, rejected, _ = imported(tmp_path, response="gain")
    assert list(table.index) == ["FINE"] and len(rejected) == 6
    assert "sensitivity of 0" in rejected.reason["ZERO"] and "polynomial" in rejected.reason["POLY"]
    assert set(rejected.cause[["PRESS", "TILT", "WARM"]]) == {"not_ground_motion"}
    assert "'PA'" in rejected.reason["PRESS"]


def test_removing_a_response_gives_the_unit_asked_for_or_a_refusal(tmp_path):
    def poles(unit, stage_gain):
        return Response.from_paz(
            zeros=[0j, 0j], poles=[-4 + 4j, -4 - 4j], stage_gain=stage_gain, input_units=unit, output_units="COUNTS"
        )  # fmt: skip

    lost = {"PRESS": poles("PA", 1e9), "BARE": gain(1e9), "DEAD": poles("M/S", 1e9)}
    lost["DEAD"].response_stages[0].stage_gain = 0.0
    write(
        tmp_path,
        lost
        | {
            "ACC": poles("M/S**2", 1e9),
            "SI": poles("M/S", 1e9),
            "NANO": poles("NM/S", 1.0),
            "GRAV": poles("G", 9.80665e9),
        },
    )
    table, samples, rejected, _ = imported(tmp_path, response="remove", output="ACC")
    assert set(table.trace_unit) == {"m/s**2"} and set(rejected.index) == set(lost)
    assert rejected.cause["PRESS"] == "not_ground_motion" and "no stages" in rejected.reason["BARE"]
    assert np.allclose(samples["GRAV"], samples["ACC"], rtol=1e-4, atol=1e-12)
    assert np.allclose(samples["NANO"], samples["SI"], rtol=1e-4, atol=1e-12)


def staged(value, unit="M/S", stage_gain=1e9, frequency=1.0):
    """A sensitivity, and a stage in counts per m/s at 1 Hz."""
    made = Response.from_paz(
        zeros=[0j, 0j], poles=[-4 + 4j, -4 - 4j], stage_gain=stage_gain, input_units="M/S", output_units="COUNTS"
    )  # fmt: skip
    made.instrument_sensitivity = InstrumentSensitivity(value, frequency, unit, "COUNTS")
    return made


def test_gains_of_stages_and_of_the_whole_must_agree(tmp_path):
    sound = {"SI": staged(1e9), "NANO": staged(1.0, "NM/S"), "ABOUT": staged(1.2e9), "OTHER": staged(7e9, frequency=9)}
    lost = {"SEVEN": staged(7e9), "SIGN": staged(-1e9), "ACC": staged(1e9, "M/S**2")}
    write(tmp_path, sound | lost)
    _, samples, rejected, _ = imported(tmp_path, response="gain")
    assert set(samples) == set(sound) and set(rejected.index) == set(lost)
    assert set(rejected.cause) == {"no_response"} and "multiply to 1e+09" in rejected.reason["SEVEN"]
    assert np.allclose(samples["NANO"], samples["SI"], rtol=1e-5, atol=1e-15)


def test_what_is_no_counts_has_no_response_to_be_taken_from(tmp_path):
    write(tmp_path, {name: gain(1e9) for name in ("RAW", "VEL", "VOLT")})
    (tmp_path / "waveforms" / "ev0.mseed").unlink()
    for name, idep in (("RAW", "iunkn"), ("VEL", "ivel"), ("VOLT", "ivolts")):
        made = SACTrace.from_obspy_trace(trace(0, name))
        made.idep = idep
        made.write(str(tmp_path / "waveforms" / f"ev0.{name}"))
    named = {"association": {"by": "name", "pattern": "^(ev0)"}, "response": "gain"}
    table, _, rejected, _ = imported(tmp_path, **named)
    assert list(table.index) == ["RAW"] and rejected.cause.tolist() == ["no_counts"] * 2
    table, samples, rejected, _ = imported(tmp_path, unit="counts", **named)
    assert set(table.trace_unit) == {"m/s"} and rejected.empty and np.abs(samples["VEL"]).max() < 1e-5


def test_channels_of_one_row_have_one_unit(tmp_path):
    write(tmp_path, {"AAA": gain(1e9)})
    Stream([trace(0, "AAA", f"HH{c}") for c in "ZN"]).write(str(tmp_path / "waveforms" / "ev0.mseed"), format="MSEED")
    where = (46.0, -121.9, 100.0)
    channels = [
        Channel(code, "", *where, 0.0, azimuth=0, dip=dip, response=gain(1e6, unit))
        for code, dip, unit in (("HHZ", -90, "M/S"), ("HHN", 0, "M/S**2"))
    ]
    stations = Inventory([Network("XX", [Station("AAA", *where, channels=channels)])], source="test")
    stations.write(str(tmp_path / "stations.xml"), format="STATIONXML")
    table, _, rejected, _ = imported(tmp_path, response="gain")
    assert table.trace_component_order["AAA"] == "Z" and rejected.cause["AAA"] == "mixed_units"


@pytest.mark.parametrize(("unit", "n_kept"), [("COUNTS", 1), ("counts, filtered", 1), ("m/s", 0)])
def test_a_unit_that_is_named_says_whether_samples_are_counts(tmp_path, unit, n_kept):
    write(tmp_path, {"AAA": gain(1e9)})
    if n_kept:
        table, _, _, _ = imported(tmp_path, response="gain", unit=unit)
        assert table.trace_unit.tolist() == ["m/s"]
        return
    with pytest.raises(NothingLeftError) as caught:
        imported(tmp_path, response="gain", unit=unit)
    assert "no counts" in caught.value.rejections.read_text()


@pytest.mark.parametrize(
    ("idep", "unit"), [("idisp", "nm"), ("ivel", "nm/s"), ("iacc", "nm/s**2"), ("iunkn", "counts")]
)
def test_the_unit_of_sac_headers_is_that_of_the_row_unless_another_is_named(tmp_path, idep, unit):
    (tmp_path / "waveforms").mkdir()
    made = SACTrace.from_obspy_trace(trace(0, "AAA"))
    made.idep = idep
    made.write(str(tmp_path / "waveforms" / "ev0.sac"))
    write_events(tmp_path / "events.csv", ["ev0"])
    stations = str(write_stations(tmp_path / "stations.csv", ["AAA"]))
    table, _, _, card = imported(tmp_path, stations=stations)
    assert table.trace_unit["AAA"] == unit == card["unit"]
    table, _, _, _ = imported(tmp_path, stations=stations, unit="m/s")
    assert table.trace_unit["AAA"] == "m/s"
