"""``seisvision locate`` as a person uses it: tables in, tables and QuakeML out, clear words for every mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import ready_python
from made_events import random_events
from obspy import read_events
from obspy.core.event import ResourceIdentifier
from obspy.geodetics import gps2dist_azimuth
from obspy.io.quakeml.core import _validate

from seisvision.cli import main
from seisvision.location.quakeml import NO_TIME, resource_id

PLACE = ["event_id", "latitude_deg", "longitude_deg", "rms_km", "n_stations", "gap_deg"]
ELLIPSES = [f"ellipse{level}_{axis}_km" for level in (68, 95) for axis in ("major", "minor")]
SECOND = ["ellipse_azimuth_deg", "ambiguous", "second_latitude_deg", "second_longitude_deg", "reason"]


def _observations(path: Path, n_events: int = 4, n_stations: int = 7, **columns: object) -> dict[str, np.ndarray]:
    events = random_events(n_events, n_stations)
    rows = {
        "event_id": np.repeat([f"ev{i}" for i in range(n_events)], n_stations),
        **{name: events[name].ravel() for name in ("station_latitude_deg", "station_longitude_deg", "offset_km")},
        **columns,
    }
    # Rows of one event need not lie together.
    pd.DataFrame(rows).sample(frac=1, random_state=1).to_csv(path, index=False)
    return events


def _true(events: dict[str, np.ndarray], event_id: str) -> tuple[float, float]:
    number = int(event_id.removeprefix("ev"))
    return events["latitude_deg"][number], events["longitude_deg"][number]


def test_the_command_writes_the_table(tmp_path: Path) -> None:
    events = _observations(tmp_path / "obs.csv")
    command = [sys.executable, "-m", "seisvision.cli", "locate", "obs.csv", "--out", "loc.csv"]
    done = ready_python.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loc.csv"
    table = pd.read_csv(tmp_path / "loc.csv")
    assert list(table.columns) == PLACE + ELLIPSES + SECOND
    assert len(table) == 4
    for row in table.itertuples():
        assert gps2dist_azimuth(row.latitude_deg, row.longitude_deg, *_true(events, row.event_id))[0] < 100
    assert (table["n_stations"] == 7).all() and not table["ambiguous"].any() and table["reason"].isna().all()
    assert pd.read_csv(tmp_path / "loc.rejected.csv").empty
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loc.csv", "loc.rejected.csv", "obs.csv"]


@pytest.mark.parametrize("mode", ["robust", "paper"])
def test_rows_that_cannot_be_used_are_listed(tmp_path: Path, mode: str) -> None:
    (tmp_path / "obs.csv").write_text(
        "event_id,station_latitude_deg,station_longitude_deg,offset_km,station_id\n"
        "a,64,-20,100,X1\na,65,-20,90,X2\na,64,-18,80,X3\na,65,-17,,X4\na,65,-17,-2,X5\na,65,-17,nan,X6\n"
        "b,64,-20,100,\nb,,-19,100,\nb,65,-18,inf,\n,65,-20,100,\n"
    )
    assert main(["locate", str(tmp_path / "obs.csv"), "--out", str(tmp_path / "loc.csv"), "--mode", mode]) == 0
    rejected = pd.read_csv(tmp_path / "loc.rejected.csv")
    assert rejected["line"].tolist() == [5, 6, 7, 9, 10, 11]
    assert rejected["station_id"].tolist()[:3] == ["X4", "X5", "X6"]
    assert "offset_km=-2 is not" in rejected["reason"][1]
    assert "station_latitude_deg=nan" in rejected["reason"][3]
    assert rejected["reason"][5] == "event_id is empty"
    table = pd.read_csv(tmp_path / "loc.csv").set_index("event_id")
    assert table.loc["a", "n_stations"] == 3
    assert np.isnan(table.loc["b", "latitude_deg"]) and "one distance is a circle" in table.loc["b", "reason"]


def test_sigmas_and_back_azimuths_of_the_table_are_used(tmp_path: Path) -> None:
    events = random_events(3, 1)
    rows = {
        "event_id": ["ev0", "ev1", "ev2"],
        "offset_sigma_km": 5.0,
        "azimuth_sigma_deg": 2.0,
        **{name: events[name].ravel() for name in events if name not in ("latitude_deg", "longitude_deg")},
    }
    pd.DataFrame(rows).to_csv(tmp_path / "obs.csv", index=False)
    assert main(["locate", str(tmp_path / "obs.csv"), "--out", str(tmp_path / "loc.csv")]) == 0
    table = pd.read_csv(tmp_path / "loc.csv")
    for row in table.itertuples():
        assert gps2dist_azimuth(row.latitude_deg, row.longitude_deg, *_true(events, row.event_id))[0] < 100
    # Along the way to the station the ellipse follows the distance, across it the direction.
    axes = table[["ellipse95_major_km", "ellipse95_minor_km"]].to_numpy()
    across = events["offset_km"][:, 0] * np.radians(2)
    wanted = np.sqrt(-2 * np.log(0.05)) * np.sort(np.stack([np.full(3, 5.0), across], axis=1))[:, ::-1]
    assert axes == pytest.approx(wanted, rel=0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("event_id,station_latitude_deg,longitude_deg,offset_km\na,1,2,3\n", "no column 'station_longitude_deg'"),
        ("event_id,station_latitude_deg,station_longitude_deg,offset_km\n", "no rows"),
        ("", "cannot be read as CSV"),
        (
            "event_id,station_latitude_deg,station_longitude_deg,offset_km\na,1,2,3\na,1,2,far\n",
            "line 3: offset_km='far'",
        ),
        ("event_id,station_latitude_deg,station_longitude_deg,offset_km\na,1,2,'3,5'\na,1,2,1,1,1\n", "cannot be read"),
        (
            "event_id,station_latitude_deg,station_longitude_deg,offset_km,back_azimuth_deg\na,1,2,3,4\n",
            "back_azimuth_deg needs azimuth_sigma_deg",
        ),
    ],
)
def test_a_bad_table_is_answered_in_one_sentence(
    tmp_path: Path, text: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "obs.csv").write_text(text)
    assert main(["locate", str(tmp_path / "obs.csv"), "--out", str(tmp_path / "loc.csv")]) in (1, 2)
    assert said in caplog.text and "Traceback" not in caplog.text
    assert not (tmp_path / "loc.csv").exists()


def test_a_missing_table_and_a_table_over_itself_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["locate", str(tmp_path / "no.csv"), "--out", str(tmp_path / "loc.csv")]) == 1
    assert "does not exist" in caplog.text
    _observations(tmp_path / "obs.csv")
    assert main(["locate", str(tmp_path / "obs.csv"), "--out", str(tmp_path / "obs.csv")]) == 2
    assert "different names" in caplog.text


def test_quakeml_holds_the_ellipse_and_is_valid(tmp_path: Path) -> None:
    events = _observations(tmp_path / "obs.csv", source_origin_time="2017-06-17T23:39:12Z")
    paths = [str(tmp_path / name) for name in ("obs.csv", "loc.csv", "loc.xml")]
    assert main(["locate", paths[0], "--out", paths[1], "--quakeml", paths[2], "--level", "0.68"]) == 0
    table = pd.read_csv(paths[1])
    assert _validate(paths[2])
    catalogue = read_events(paths[2])
    assert len(catalogue) == 4
    for event, row in zip(catalogue, table.itertuples(), strict=True):
        origin = event.preferred_origin()
        assert origin.time.isoformat() == "2017-06-17T23:39:12"
        assert event.event_descriptions[0].text == row.event_id
        assert gps2dist_azimuth(origin.latitude, origin.longitude, *_true(events, row.event_id))[0] < 100
        ellipse = origin.origin_uncertainty
        assert ellipse.preferred_description == "uncertainty ellipse" and ellipse.confidence_level == 68
        assert ellipse.max_horizontal_uncertainty == pytest.approx(1000 * row.ellipse68_major_km, abs=1)
        assert ellipse.min_horizontal_uncertainty == pytest.approx(1000 * row.ellipse68_minor_km, abs=1)
        assert ellipse.azimuth_max_horizontal_uncertainty == pytest.approx(row.ellipse_azimuth_deg, abs=1e-2)
        assert origin.quality.used_station_count == 7
        assert origin.quality.azimuthal_gap == pytest.approx(row.gap_deg, abs=1e-2)
        assert origin.quality.standard_error == pytest.approx(row.rms_km, abs=1e-3)
        assert origin.depth is None
        assert ellipse.horizontal_uncertainty == ellipse.max_horizontal_uncertainty
        assert origin.evaluation_mode == "automatic" and origin.time_fixed
        assert event.preferred_origin_id == origin.resource_id


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ({}, [], "proportional to the distance, their size estimated"),
        ({}, ["--errors", "equal"], "equal, their size estimated"),
        ({"offset_sigma_km": 5.0}, [], "as given in offset_sigma_km, and independent from station to station"),
        (
            {"offset_sigma_km": 5.0, "common_share": 0.4},
            [],
            "independent from station to station apart from common_share",
        ),
        ({}, ["--mode", "paper"], "mode paper states no uncertainty"),
    ],
)
def test_quakeml_without_origin_times_is_valid_and_says_what_was_assumed(
    tmp_path: Path, columns: dict[str, float], options: list[str], said: str
) -> None:
    _observations(tmp_path / "obs.csv", **columns)
    paths = [str(tmp_path / name) for name in ("obs.csv", "loc.csv", "loc.xml")]
    assert main(["locate", paths[0], "--out", paths[1], "--quakeml", paths[2], *options]) == 0
    assert _validate(paths[2])
    for event in read_events(paths[2]):
        origin = event.preferred_origin()
        texts = [comment.text for comment in origin.comments]
        assert any(said in text for text in texts)
        assert f"the origin time is not known: {NO_TIME} stands for it" in texts
        assert (origin.origin_uncertainty is None) == ("paper" in options)


def test_quakeml_of_two_solutions_and_of_known_and_unknown_times_is_valid(tmp_path: Path) -> None:
    (tmp_path / "obs.csv").write_text(
        "event_id,station_latitude_deg,station_longitude_deg,offset_km,source_origin_time\n"
        "two,64,-20,100,\ntwo,65,-20,100,\n"
        "timed,64,-20,100,2018-01-05T03:00:00Z\ntimed,65,-18,90,\ntimed,64,-17,80,\n"
    )
    paths = [str(tmp_path / name) for name in ("obs.csv", "loc.csv", "loc.xml")]
    assert main(["locate", paths[0], "--out", paths[1], "--quakeml", paths[2]]) == 0
    assert _validate(paths[2])
    two, timed = read_events(paths[2])
    assert len(two.origins) == 2 and two.preferred_origin_id == two.origins[0].resource_id
    assert len({comment.resource_id.id for origin in two.origins for comment in origin.comments}) == 5
    assert timed.preferred_origin().time.isoformat() == "2018-01-05T03:00:00"
    assert not any("not known" in comment.text for comment in timed.preferred_origin().comments)


def test_strange_event_ids_give_valid_and_different_resource_ids(tmp_path: Path) -> None:
    ids = ["Katla 2017/06?", "Ísland & <b>", "a~20b", "a b", "日本", "x" * 300, "-1", '"quoted", comma']
    stations = [(64.0, -20.0), (65.0, -18.0), (64.2, -16.0), (63.5, -18.0)]
    rows = [
        {"event_id": name, "station_latitude_deg": a, "station_longitude_deg": b, "offset_km": 100.0}
        for name in ids
        for a, b in stations
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "obs.csv", index=False)
    paths = [str(tmp_path / name) for name in ("obs.csv", "loc.csv", "loc.xml")]
    assert main(["locate", paths[0], "--out", paths[1], "--quakeml", paths[2]]) == 0
    assert pd.read_csv(paths[1])["event_id"].tolist() == ids
    assert _validate(paths[2])
    catalogue = read_events(paths[2])
    assert [event.event_descriptions[0].text for event in catalogue] == ids
    assert len({event.resource_id.id for event in catalogue}) == len(ids)
    for event in catalogue:
        identifier = event.resource_id.id
        assert ResourceIdentifier(identifier).get_quakeml_uri_str() == identifier
    assert resource_id("event", "a/b") != resource_id("event", "a", "b")


def test_two_solutions_are_two_origins(tmp_path: Path) -> None:
    (tmp_path / "obs.csv").write_text(
        "event_id,station_latitude_deg,station_longitude_deg,offset_km\ntwo,64,-20,100\ntwo,65,-20,100\n"
    )
    paths = [str(tmp_path / name) for name in ("obs.csv", "loc.csv", "loc.xml")]
    assert main(["locate", paths[0], "--out", paths[1], "--quakeml", paths[2]]) == 0
    row = pd.read_csv(paths[1]).iloc[0]
    assert bool(row["ambiguous"]) and np.isnan(row["ellipse95_major_km"])
    first, second = read_events(paths[2])[0].origins
    assert first.longitude == pytest.approx(row["longitude_deg"], abs=1e-5)
    assert second.longitude == pytest.approx(row["second_longitude_deg"], abs=1e-5)
    assert sorted([first.longitude, second.longitude]) == pytest.approx([-21.727, -18.273], abs=1e-2)


def test_the_command_is_cheap_to_import() -> None:
    code = (
        "import sys, seisvision.cli as c; c.build_parser()\n"
        "heavy = {'torch', 'obspy', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
