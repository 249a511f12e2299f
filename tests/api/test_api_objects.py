"""Sets and events as Python objects, to and from ObsPy, and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import obspy
import pytest

import seisvision as sv
from seisvision.api.obspy_objects import stream_of
from seisvision.api.sets import OpenSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import ConfigurationError, DataError

HEAVY = {"numpy", "pandas", "torch", "h5py", "obspy", "matplotlib", "hydra", "omegaconf", "scipy", "pytorch_lightning"}
MOST_MODULES = 120
EVIL = "<script>alert(1)</script>"


def small_set(path: Path) -> OpenSet:
    with WaveformSetWriter(path, card={"name": "small", "unit": "m/s", "licence": EVIL}) as writer:
        for event in range(4):
            rows = [
                {
                    "source_id": f"event-{event}",
                    "source_type": EVIL if event == 3 else "quake" if event % 2 else "blast",
                    "source_magnitude": float(event),
                    "source_origin_time": f"2020-01-0{event + 1}T00:00:00.123456Z",
                    "source_latitude_deg": 46.0 + event,
                    "source_longitude_deg": 7.0,
                    "source_depth_km": 5.5,
                    "station_network_code": "XX",
                    "station_code": f"S{station}",
                    "station_location_code": "",
                    "station_latitude_deg": 46.3 + station,
                    "station_longitude_deg": 7.1,
                    "station_elevation_m": 400.0,
                    "trace_channel": "HH",
                    "trace_start_time": f"2020-01-0{event + 1}T00:00:01.5Z",
                    "trace_sampling_rate_hz": 20.0,
                    "trace_p_arrival_sample": 40.0 + station,
                    "trace_p_status": "manual",
                    "trace_component_order": "ZNE" if station else "Z",
                }
                for station in range(3)
            ]
            noise = np.random.default_rng(event).normal(size=(3, 3, 200)).astype(np.float32)
            writer.add_event(rows, [noise[0, :1], *noise[1:]])
    return sv.open_set(path)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenSet:
    return small_set(tmp_path_factory.mktemp("sets") / "small")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys; before = set(sys.modules); import seisvision as sv; dir(sv); "
        "print(len(set(sys.modules) - before), *sorted(set(sys.modules)))"
    )
    number, *loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(number) < MOST_MODULES
    assert not HEAVY & set(loaded)


def test_names_are_few_and_a_wrong_one_is_told() -> None:
    assert {"open_set", "open_run", "load", "train", "compare"} == set(sv.__all__)
    assert all(callable(getattr(sv, name)) for name in sv.__all__)
    with pytest.raises(AttributeError, match="it offers compare, load, open_run, open_set, train"):
        sv.opn_set  # noqa: B018


def test_events_are_found_by_number_id_slice_and_filter(opened: OpenSet) -> None:
    assert len(opened) == 4 and opened[1].id == opened["event-1"].id == opened[-3].id
    assert [event.id for event in opened[1:3]] == ["event-1", "event-2"]
    assert opened.where(type="quake").ids == ["event-1"]
    assert opened.where(magnitude=lambda size: size > 1, source_type=["blast", "quake"]).ids == ["event-2"]
    assert opened[0] in opened[:1] and "event-3" not in opened[:1]
    assert len(opened[:2].table) == 6 and len(opened[:2].events) == 2
    with pytest.raises(DataError, match=r"no event 'event-7' here. Did you mean 'event-"):
        opened["event-7"]
    with pytest.raises(DataError, match="No event"):
        opened.where(magnitude=17.0)
    with pytest.raises(ConfigurationError, match=r"no column 'magnitud'\. Did you mean 'source_magnitude'"):
        opened.where(magnitud=1)


def test_obspy_gets_what_is_stored(opened: OpenSet) -> None:
    event = opened["event-2"]
    stream = event.to_stream()
    assert [trace.id for trace in stream] == ["XX.S0..HHZ", *(f"XX.S{one}..HH{two}" for one in (1, 2) for two in "ZNE")]
    waveforms, recorded = event.waveforms()
    assert recorded.sum() == len(stream)
    np.testing.assert_array_equal(stream[1].data, waveforms[1][0])
    assert stream[0].stats.starttime.isoformat() == "2020-01-03T00:00:01.500000"
    assert stream[0].stats.sampling_rate == 20
    inventory = event.to_inventory()
    assert inventory.get_coordinates("XX.S1..HHE")["latitude"] == 47.3
    assert inventory.get_orientation("XX.S1..HHE") == {"azimuth": 90.0, "dip": 0.0}
    (told,) = event.to_catalog()
    assert told.resource_id.id.endswith("/event-2") and told.magnitudes[0].mag == 2
    assert told.origins[0].time.isoformat() == "2020-01-03T00:00:00.123456" and told.origins[0].depth == 5500
    assert sorted(str(pick.time - stream[0].stats.starttime) for pick in told.picks) == ["2.0", "2.05", "2.1"]
    assert len(opened.to_catalog()) == 4 and len(opened.to_inventory()[0]) == 3


@pytest.mark.parametrize("column", ["trace_s_arrival_sample", "trace_S_arrival_sample", "trace_Sg_arrival_sample"])
def test_a_catalogue_holds_the_observed_s_however_a_set_spells_it(tmp_path: Path, column: str) -> None:
    """P and S of the first event were observed, and those of the second computed."""
    status = f"trace_{column.split('_')[1][0]}_status"
    with WaveformSetWriter(tmp_path / "set", card={"name": "set"}) as writer:
        for name, said in (("seen", "manual"), ("computed", "Theoretical")):
            row = {
                "source_id": name, "trace_sampling_rate_hz": 20.0, "trace_start_time": "2020-01-01T00:00:00Z",
                "trace_P_arrival_sample": 40.0, "trace_P_status": said, column: 90.0, status: said,
            }  # fmt: skip
            writer.add_event([row], np.ones((1, 3, 200), dtype=np.float32))
    seen, computed = sv.open_set(tmp_path / "set").to_catalog()
    started = obspy.UTCDateTime("2020-01-01")
    assert {pick.phase_hint: pick.time - started for pick in seen.picks} == {"P": 2.0, "S": 4.5}
    assert computed.picks == []


def test_a_section_has_axes_units_and_the_event(opened: OpenSet) -> None:
    axes = opened["event-0"].plot().axes[0]
    assert axes.get_xlabel() == "seconds after the origin" and axes.get_ylabel() == "epicentral distance, km"
    assert "event-0" in axes.get_title() and "component Z" in axes.get_title()
    traces = [line for line in axes.get_lines() if len(line.get_xdata()) == 200]
    assert len(traces) == 3
    # The recordings begin 1.377 s after the origin, and P was picked 2 s later.
    assert traces[0].get_xdata()[0] == pytest.approx(1.376544, abs=1e-5)
    marks = [line.get_xdata()[0] for line in axes.get_lines() if line.get_label() == "P of the set"]
    assert min(marks) == pytest.approx(3.376544, abs=1e-5)
    lines = opened["event-0"].plot(component="N").axes[0].get_lines()
    assert len([line for line in lines if len(line.get_xdata()) == 200]) == 2
    with pytest.raises(DataError, match="component='Q' was recorded at no station of this event; it has E, N, Z"):
        opened["event-0"].plot(component="Q")
    with pytest.raises(ConfigurationError, match="up to 10 Hz, half the sampling rate"):
        opened["event-0"].plot(band_hz=(1, 20))
    assert opened.plot().axes[0].get_xlabel() == "longitude, degrees"


def test_notebooks_get_text_that_is_escaped(opened: OpenSet) -> None:
    for shown in (opened._repr_html_(), opened["event-3"]._repr_html_()):
        assert EVIL not in shown and "&lt;script&gt;" in shown
    assert "4 events, 12 recordings" in repr(opened) and "2 events of 4" in repr(opened[:2])


def test_recordings_without_times_are_shown_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with WaveformSetWriter(tmp_path / "timeless", card={"name": "timeless"}) as writer:
        row = {"source_id": "a", "trace_sampling_rate_hz": 10.0}
        writer.add_event([row], np.ones((1, 3, 50), dtype=np.float32))
    found = sv.open_set(tmp_path / "timeless")
    stream = stream_of(found.waveform_set, np.array([0]))
    assert len(stream) == 3 and stream[0].stats.starttime.year == 1970
    assert "does not say when all recordings began" in caplog.text
    axes = found[0].plot().axes[0]
    assert axes.get_xlabel() == "seconds after the first sample" and "order of the set" in axes.get_ylabel()
