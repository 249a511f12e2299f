"""A folder of SEG-Y files with a table of events, as locations of a fixed network are published: nothing is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_readers_segy import file_header, one_trace

from seisvision import keys
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import build_recipe
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.network import StationNetwork
from seisvision.data.samples.window import Window
from seisvision.data.serving.collate import collate_events
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.splits import make_split
from seisvision.views.waveforms.station_matrix import StationMatrix

N_EVENTS, N_STATIONS, N_SAMPLES, RATE_HZ = 6, 6, 400, 20.0
COMPONENTS = "ZNE"


def _signal(event: int, station: int, component: int) -> np.ndarray:
    """Noise of its own, so that every trace can be told from all others."""
    return np.random.default_rng([event, station, component]).normal(size=N_SAMPLES)


@pytest.fixture(scope="module", params=[True, False], ids=["dated", "undated"])
def oklahoma(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[WaveformSet, Any]:
    """Six events of six stations with three components each, 20 Hz; the third event lacks the second station."""
    folder = tmp_path_factory.mktemp("oklahoma")
    (folder / "segy").mkdir()
    events = ["event_id,source_origin_time,source_latitude_deg,source_longitude_deg,source_depth_km,source_magnitude"]
    for event in range(N_EVENTS):
        name = f"ok{event:03d}"
        events.append(f"{name},2020-03-04T0{event}:00:05,{36 + 0.05 * event},{-97 - 0.03 * event},{4 + event},{2.5}")
        date: dict[str, int] = {"b161": event} if request.param else dict.fromkeys(("b157", "b159", "b161"), 0)
        traces = [
            one_trace(
                _signal(event, station, component), b9=1, b13=3 * station + component + 1, b117=50_000,
                b71=0, b73=0, b77=0, b81=0, b85=0, **date,
            )
            for station in range(N_STATIONS)
            for component in range(3)
            if (event, station) != (2, 1)
        ]  # fmt: skip
        header = file_header(numbers={3217: ("H", 50_000), 3221: ("H", N_SAMPLES)})
        (folder / "segy" / f"{name}.sgy").write_bytes(header + b"".join(traces))
    (folder / "events.csv").write_text("\n".join([*events, ""]))
    rows = [
        f"{3 * station + component + 1},OK,S{station:02d},,HH{COMPONENTS[component]},{36 + 0.1 * station},{-97.0},300"
        for station in range(N_STATIONS)
        for component in range(3)
    ]
    head = "trace,network,station,location,channel,latitude_deg,longitude_deg,elevation_m"
    (folder / "traces.csv").write_text("\n".join([head, *rows, ""]))
    source = {
        "name": "oklahoma",
        "waveforms": str(folder / "segy"),
        "events": str(folder / "events.csv"),
        "stations": "sac",
        "traces": str(folder / "traces.csv"),
        "unit": "m/s",
        **({} if request.param else {"undated_s": -5.0}),
    }
    recipe = build_recipe({"name": "oklahoma", "sources": [source], "processing": {"components": COMPONENTS}})
    report = run_import(recipe, folder / "set")
    return WaveformSet(folder / "set"), report


def test_every_trace_of_every_event_arrives(oklahoma: tuple[WaveformSet, Any]) -> None:
    made, report = oklahoma
    assert not report.rejections
    assert len(made.source_ids) == N_EVENTS and len(made.metadata) == N_EVENTS * N_STATIONS - 1
    assert set(made.metadata["trace_sampling_rate_hz"]) == {RATE_HZ}
    for row, (name, code, start) in enumerate(
        made.metadata[["source_id", "station_code", "trace_start_time"]].itertuples(index=False)
    ):
        event, station = int(name[-3:]), int(code[1:])
        recorded = made.read_rows(np.array([row]), COMPONENTS)[0][0]
        assert start.startswith(f"2020-03-04T0{event}:00:00")
        for component in range(3):
            wanted = _signal(event, station, component)
            assert np.corrcoef(recorded[component][: len(wanted)], wanted)[0, 1] > 0.95
    events = made.event_table()
    assert events["source_depth_km"].tolist() == [4, 5, 6, 7, 8, 9]


def test_its_stations_have_slots_and_its_parts_follow_in_time(oklahoma: tuple[WaveformSet, Any]) -> None:
    made, _ = oklahoma
    split = make_split(made.event_table(), by="time", test_fraction=0.33, val_fraction=0.25)
    assert [name for part in ("train", "val", "test") for name in split.parts[part]] == made.source_ids
    network = StationNetwork.of(made, split.parts["train"], {"stations": "training"})
    assert network.names == tuple(f"OK.S{number:02d}" for number in range(N_STATIONS))
    columns = dict.fromkeys(["source_latitude_deg", "source_longitude_deg", "source_depth_km"])
    samples = EventSamples(
        made, made.source_ids, window=Window(length_s=20.0), components=COMPONENTS, network=network, targets=columns
    )
    batch = collate_events([samples[number] for number in range(N_EVENTS)])
    assert batch[keys.STATION_MASK].tolist() == [
        [event != 2 or slot != 1 for slot in range(N_STATIONS)] for event in range(N_EVENTS)
    ]
    assert batch[keys.TARGETS]["source_latitude_deg"].tolist() == pytest.approx([36 + 0.05 * n for n in range(6)])
    picture = StationMatrix(N_SAMPLES, N_STATIONS, coordinates=True)(batch)
    assert picture.shape == (N_EVENTS, 6, N_STATIONS, N_SAMPLES) and not picture[2, :, 1].any()
