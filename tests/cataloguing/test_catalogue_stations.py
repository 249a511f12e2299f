"""Stations are who they are said to be, whatever their codes, and picks of others are refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_networks import CENTRE, network, uniform

from seisvision.cataloguing.exchange import read_gamma
from seisvision.cataloguing.job import CatalogueJob
from seisvision.cataloguing.network import predict, station_numbers
from seisvision.cataloguing.picks_to_events import associate, locate
from seisvision.cataloguing.settings import CatalogueSettings
from seisvision.errors import DataError

SOURCE = (CENTRE[0] + 0.03, CENTRE[1] - 0.02, 8.0)


def _job(folder: Path, codes: list[tuple[str, str]], picked_as: list[tuple[str, str]] | None = None) -> CatalogueJob:
    """One event seen by stations of these codes, whose picks may be written with others."""
    made = network(len(codes))
    place = {"latitude_deg": made.latitude_deg, "longitude_deg": made.longitude_deg, "elevation_m": 0.0}
    table = pd.DataFrame(codes, columns=["network", "station"]).assign(**place)
    table.to_csv(folder / "stations.csv", index=False)
    travel = predict(*(np.array([one]) for one in SOURCE), made, uniform()).travel_s[0]
    zero = pd.Timestamp("2024-03-01T00:00:00Z")
    rows = [
        (*code, "PS"[phase], (zero + pd.Timedelta(seconds=travel[at, phase])).isoformat().replace("+00:00", "Z"), 0.9)
        for at, code in enumerate(picked_as or codes)
        for phase in (0, 1)
    ]
    columns = ["network", "station", "phase", "time", "probability"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "picks.csv", index=False)
    settings = CatalogueSettings.of(
        {"stages": ["pick", "associate", "locate"], "pick": {"table": str(folder / "picks.csv")}}
    )
    return CatalogueJob(("none",), str(folder / "stations.csv"), "6.0,3.4", folder / "out", settings)


def _away_km(job: CatalogueJob) -> float:
    found = job.read("hypocentres").iloc[0]
    return 111 * float(np.hypot(found["latitude_deg"] - SOURCE[0], 0.79 * (found["longitude_deg"] - SOURCE[1])))


@pytest.mark.parametrize(
    "codes",
    [
        [("NA", f"S{number}") for number in range(8)],
        [("XX", name) for name in ("NA", "NULL", "NAN", "N/A", "01", "1", "S6", "S7")],
        [("07", f"{number}0") for number in range(1, 9)],
    ],
    ids=["network_na", "station_na", "numbers"],
)
def test_codes_that_look_like_nothing_are_codes(codes: list[tuple[str, str]], tmp_path: Path) -> None:
    job = _job(tmp_path, codes)
    associate(job)
    locate(job)
    assert _away_km(job) < 0.1
    read = job.read("associated")
    assert set(zip(read["network"], read["station"], strict=True)) == set(codes)
    assert len(job.read("rejected")) == 0


def test_picks_without_a_network_are_those_of_the_one_station_of_the_name(tmp_path: Path) -> None:
    codes = [("XX", f"S{number}") for number in range(8)]
    job = _job(tmp_path, codes, [("", station) for _, station in codes])
    associate(job)
    locate(job)
    assert _away_km(job) < 0.1


def test_picks_of_stations_without_a_place_are_refused_with_the_reason(tmp_path: Path) -> None:
    codes = [("XX", f"S{number}") for number in range(8)]
    job = _job(tmp_path, codes)
    associate(job)
    table = job.read("associated")
    job.write("associated", table.assign(station=table["station"].replace("S3", "OTHER")))
    locate(job)
    refused = job.read("rejected")
    assert refused["station_id"].tolist() == ["XX.OTHER"] * 2
    assert (refused["reason"] == "its station has no place in stations.csv").all()
    assert _away_km(job) < 0.1
    job.write("associated", table.assign(station="OTHER"))
    with pytest.raises(DataError, match=r"stations\.csv"):
        locate(job)


def test_a_station_whose_network_is_written_otherwise_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    codes = [("XX", f"S{number}") for number in range(8)]
    job = _job(tmp_path, codes, [("YY", "S0"), *codes[1:]])
    associate(job)
    assert "2 picks of YY.S0 are left out" in caplog.text and "the table has XX.S0" in caplog.text
    left = job.read("unassociated")
    assert left[["network", "station"]].drop_duplicates().to_numpy().tolist() == [["YY", "S0"]]


def test_numbers_of_stations_are_never_those_of_another() -> None:
    picks = pd.DataFrame({"network": ["XX", None, "YY"], "station": ["S01", "S01", "S01"]})
    assert station_numbers(network(3), picks).tolist() == [1, -1, -1]


def test_codes_of_gamma_stay_what_they_are(tmp_path: Path) -> None:
    pd.DataFrame({"event_index": [3], "time": ["2020-09-13T12:26:40"]}).to_csv(tmp_path / "events.csv", index=False)
    (tmp_path / "picks.csv").write_text(
        "id,timestamp,type,prob,event_index\n1.10,2020-09-13T12:26:41,p,0.9,3\nNA.NULL,2020-09-13T12:26:42,s,0.8,3\n"
    )
    found = read_gamma(tmp_path / "events.csv", tmp_path / "picks.csv")
    assert list(zip(found["network"], found["station"], strict=True)) == [("1", "10"), ("NA", "NULL")]
