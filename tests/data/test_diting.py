"""DiTing made small after its description: keys, order, rate, and a column baz that holds azimuths."""

from __future__ import annotations

import csv
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from small_sets import write_foreign

from seisvision import keys
from seisvision.data import DiTingSource
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.samples.window import Window
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError

N = 1500
AZIMUTHS = [30.0, 200.0, 355.0, 90.0]


def samples_of(number: int) -> np.ndarray:
    """Samples (T, 3): the trace in Z, twice that in N, thrice in E."""
    return np.random.default_rng(number).normal(size=(N, 1)) * [1.0, 2.0, 3.0]


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "part": [0, 0, 0, 1],
            # A spreadsheet took the zeros.
            "key": ["1.0001", "1.002", "000002.0001", "2.0002"],
            "ev_id": [1, 1, 2, 2],
            "evmag": [2.5, 2.5, 3.0, 3.0],
            "mag_type": ["ML"] * 4,
            "p_pick": [500, 520, 480, 5000],
            "p_clarity": ["I", "E", "I", "I"],
            "p_motion": ["U", "N", "D", "U"],
            "s_pick": [700, 760, 690, 720],
            "net": ["SC", "SC", "NA", "NA"],
            "sta_id": [7, 8, 7, 9],
            "dis": [33.0, 40.0, 35.0, 36.0],
            "st_mag": [2.4, 2.6, 3.1, 2.9],
            "baz": AZIMUTHS,
            "Z_P_power_snr": [20.0, 12.0, 30.0, 8.0],
        }
    )


def as_handed_out(folder: Path) -> Path:
    folder.mkdir()
    for part, table in rows().groupby("part"):
        table.to_csv(folder / f"DiTing330km_part_{part}.csv")
        with h5py.File(folder / f"DiTing330km_part_{part}.hdf5", "w") as file:
            for number, row in table.iterrows():
                before, after = row["key"].split(".")
                file[f"earthquake/{before.rjust(6, '0')}.{after.ljust(4, '0')}"] = samples_of(number)
    return folder


def as_seisbench(folder: Path) -> Path:
    given = rows()
    table = pd.DataFrame(
        {
            "trace_name": [f"bucket0${i},:3,:{N}" for i in range(4)],
            "source_id": given["ev_id"],
            "source_magnitude": given["evmag"],
            "station_network_code": given["net"],
            "station_code": given["sta_id"],
            "trace_p_arrival_sample": given["p_pick"],
            "trace_s_arrival_sample": given["s_pick"],
            "path_ep_distance_km": given["dis"],
            "path_back_azimuth_deg": given["baz"],
            "trace_sampling_rate_hz": 50.0,
        }
    )
    stacked = np.stack([samples_of(i).T[::-1] for i in range(4)])
    return write_foreign(folder, table, {"bucket0": stacked}, {"component_order": "ENZ", "dimension_order": "NCW"})


@pytest.mark.parametrize("written", [as_handed_out, as_seisbench])
def test_azimuths_order_rate_and_picks_are_those_of_the_recordings(tmp_path: Path, written) -> None:
    path = DiTingSource(str(written(tmp_path / "given"))).prepare(tmp_path / "data")
    waveform_set = WaveformSet(path)
    assert waveform_set.source_ids == ["1", "2"] and set(waveform_set.metadata["trace_sampling_rate_hz"]) == {50.0}
    assert waveform_set.metadata["station_network_code"].tolist() == ["SC", "SC", "NA", "NA"], "NA is a network"
    samples = TraceSamples(waveform_set, range(4), window=Window(length_s=N / 50), components="ZNE")
    for i in range(4):
        sample = samples[i]
        np.testing.assert_allclose(sample[keys.WAVEFORM][0], samples_of(i).T, rtol=1e-6)
        assert float(sample[keys.AZIMUTH_DEG]) == AZIMUTHS[i]
        assert float(sample[keys.BACK_AZIMUTH_DEG]) == (AZIMUTHS[i] + 180) % 360
        assert float(sample[keys.OFFSET_KM]) == rows()["dis"][i]
    arrivals = np.array([samples[i][keys.ARRIVALS_S][0].tolist() for i in range(4)])
    expected = rows()[["p_pick", "s_pick"]].to_numpy() / 50
    expected[3, 0] = np.nan
    np.testing.assert_allclose(arrivals, expected)


def test_made_once_named_by_content_and_what_is_missing_is_listed(tmp_path: Path) -> None:
    given = as_handed_out(tmp_path / "given")
    with h5py.File(given / "DiTing330km_part_0.hdf5", "r+") as file:
        del file["earthquake/000001.0020"]
    source = DiTingSource(str(given))
    name = source.fingerprint(tmp_path / "data")
    path = source.prepare(tmp_path / "data")
    before = (path / "card.json").stat().st_mtime_ns
    assert source.prepare(tmp_path / "data") == path and (path / "card.json").stat().st_mtime_ns == before
    assert source.fingerprint(tmp_path / "data") == name == WaveformSet(path).fingerprint
    assert len(WaveformSet(path).metadata) == 3
    with (path / "rejected.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert line["event_id"] == "1" and "earthquake/000001.0020 is not there" in line["reason"]


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="DiTing330km_part"):
        DiTingSource(str(tmp_path / "empty")).prepare(tmp_path / "data")
