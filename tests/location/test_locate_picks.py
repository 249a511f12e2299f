"""``seisvision locate`` with picks: tables in, hypocentres, refusals and QuakeML out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from obspy import UTCDateTime, read_events

from seisvision.cli import main
from seisvision.earth.geodesics import geodesic
from tests.location.made_arrivals import VP, VS, arrivals, straight_s

ORIGIN = UTCDateTime("2024-02-29T23:59:50")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with picks of three events across midnight, at ten stations, one of them nowhere to be found."""
    folder = tmp_path_factory.mktemp("picks")
    rng = np.random.default_rng(3407)
    _, made = arrivals(1, 10)
    names = [f"ST{number:02d}" for number in range(10)]
    place = {name: made[name][0, :10] for name in made if name.startswith("station_")}
    stations = pd.DataFrame(
        {
            "network": "XX",
            "station": names,
            "latitude": place["station_latitude_deg"],
            "longitude": place["station_longitude_deg"],
            "elevation_m": 1000 * place["station_elevation_km"],
        }
    )
    stations.to_csv(folder / "stations.csv", index=False)
    rows, truth = [], []
    for event in range(3):
        latitude, longitude, depth_km = 46 + rng.uniform(-0.05, 0.05), 10 + rng.uniform(-0.05, 0.05), 8.0
        truth.append({"event_id": f"e{event}", "latitude_deg": latitude, "longitude_deg": longitude})
        offset_km = geodesic(latitude, longitude, stations["latitude"].to_numpy(), stations["longitude"].to_numpy())[0]
        for phase, velocity in (("P", VP), ("S", VS)):
            travel = straight_s(offset_km, depth_km, place["station_elevation_km"], velocity)
            for name, seconds in zip(names, travel, strict=True):
                if phase == "P" or name != "ST04":
                    rows.append((f"e{event}", "XX", name, phase, str(ORIGIN + 100 * event + seconds)))
    rows += [("e0", "XX", "GONE", "P", str(ORIGIN + 3)), ("e0", "XX", "ST00", "Lg", str(ORIGIN + 30))]
    rows += [("e1", "XX", "ST01", "P", str(ORIGIN + 140)), ("", "XX", "ST02", "P", str(ORIGIN + 9))]
    columns = ["event_id", "network", "station", "phase", "time"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "picks.csv", index=False)
    pd.DataFrame(truth).to_csv(folder / "truth.csv", index=False)
    layers = {"top_km": [0.0, 20.0], "vp_km_s": [VP, 8.0], "vs_km_s": [VS, 4.6]}
    pd.DataFrame(layers).to_csv(folder / "layers.csv", index=False)
    return folder


def locate(folder: Path, velocity: str, *words: str) -> pd.DataFrame:
    out = folder / "loc.csv"
    given = [str(folder / "picks.csv"), "--stations", str(folder / "stations.csv"), "--velocity", velocity]
    assert main(["locate", *given, "--out", str(out), *words]) == 0
    return pd.read_csv(out)


def test_events_are_where_and_when_they_were_and_every_other_pick_has_a_reason(network: Path) -> None:
    table, truth = locate(network, f"{VP},{VS}", "--sigma", "0.05"), pd.read_csv(network / "truth.csv")
    assert table["event_id"].tolist() == truth["event_id"].tolist()
    np.testing.assert_allclose(table["latitude_deg"], truth["latitude_deg"], atol=2e-4)
    np.testing.assert_allclose(table["longitude_deg"], truth["longitude_deg"], atol=3e-4)
    np.testing.assert_allclose(table["depth_km"], 8.0, atol=0.05)
    for event, text in enumerate(table["origin_time"]):
        assert abs(UTCDateTime(text) - (ORIGIN + 100 * event)) < 0.01
    assert table["depth95_km"].between(0, 5).all() and table["n_picks"].tolist() == [19, 19, 19]
    rejected = pd.read_csv(network / "loc.rejected.csv", keep_default_na=False)
    said = dict(zip(rejected["station_id"].str.split(".").str[1], rejected["reason"], strict=True))
    assert len(rejected) == 4 and set(said) == {"GONE", "ST00", "ST01", "ST02"}
    assert "no place" in said["GONE"] and "no first P or S" in said["ST00"]
    assert "second P" in said["ST01"] and "no event" in said["ST02"]


def test_quakeml_holds_arrivals_that_a_reader_can_check(network: Path) -> None:
    locate(network, f"{VP},{VS}", "--sigma", "0.05", "--quakeml", str(network / "loc.xml"))
    catalogue = read_events(str(network / "loc.xml"))
    assert len(catalogue) == 3
    for number, event in enumerate(catalogue):
        origin = event.preferred_origin() or event.origins[0]
        assert abs(origin.time - (ORIGIN + 100 * number)) < 0.01 and origin.depth == pytest.approx(8000, abs=50)
        picks = {pick.resource_id: pick for pick in event.picks}
        assert len(origin.arrivals) == len(picks) == 19
        for arrival in origin.arrivals:
            pick = picks[arrival.pick_id]
            assert abs(arrival.time_residual) < 0.01 and arrival.phase in "PS"
            assert 0 < pick.time - origin.time < 40 and pick.waveform_id.station_code.startswith("ST")


def test_where_velocities_jump_no_interval_of_depth_is_stated(network: Path) -> None:
    table = locate(network, str(network / "layers.csv"), "--sigma", "0.05", "--quakeml", str(network / "jump.xml"))
    assert table["depth95_km"].isna().all() and table["ellipse95_major_km"].notna().all()
    assert table["reason"].str.contains("velocities jump").all()
    np.testing.assert_allclose(table["depth_km"], 8.0, atol=0.3)
    assert len(read_events(str(network / "jump.xml"))) == 3


@pytest.mark.parametrize("velocity", ["6.0", "nowhere.csv"])
def test_velocities_that_are_none_are_refused(network: Path, velocity: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(network / "picks.csv"), "--stations", str(network / "stations.csv"), "--velocity", velocity]
    assert main(["locate", *given, "--out", str(network / "none.csv")]) != 0
    assert "no such file and no model" in capsys.readouterr().err
