"""``seisvision stream --archive``: from a finished training and day files to a table of what was said when."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
import ready_python

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.data.synthesis_local.synthesise import synthesise_local
from seisvision.earth.geodesics import geodesic
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.records.checkpoint import find_checkpoint

ROOT = Path(__file__).parents[2]
RATE_HZ, ONSET_S, SECONDS = 20.0, 60.0, 120.0
BEGIN = obspy.UTCDateTime(2021, 3, 1, 4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PreSEIS after one epoch on eight events of six stations."""
    folder = tmp_path_factory.mktemp("stream")
    parameters = LocalSynthesisParameters(
        n_events=8, sampling_rate_hz=RATE_HZ, length_s=14.0, lead_s=(3.0, 3.0), n_stations=(6, 6), network_km=15.0,
        repeat=0.0, noise_db=-20.0, magnitude=(2.0, 3.0),
    )  # fmt: skip
    synthesise_local(parameters, folder / "set")
    words = [
        "experiment=preseis", "dataset=folder", f"dataset.source.path={folder / 'set'}", "view.n_stations=6",
        "dataset.labels.source_type=null", "dataset.samples.network={stations: training, fixed: true}",
        "dataset.samples.window.length_s=14.0", "trainer.batch_size=4", "trainer.max_epochs=1", "logger=csv",
        f"system.data_dir={folder}", f"system.runs_dir={folder / 'runs'}", "system.num_workers=0",
        "evaluation.baselines=false", "run.test=false",
    ]  # fmt: skip
    done = ready_python.run([sys.executable, str(ROOT / "train.py"), *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1])


def test_an_archive_becomes_a_table_of_statements_with_the_lead_of_the_training(run: Path, tmp_path: Path) -> None:
    made = WaveformSet(run.parents[2] / "set")
    stations = made.metadata.groupby("station_code")[["station_latitude_deg", "station_longitude_deg"]].first()
    place = stations.mean() + 0.02
    lead_s = TrainedNetwork.open(find_checkpoint(run)).lead_s
    assert lead_s is not None and 3.0 < lead_s < 8.0
    rng = np.random.default_rng(0)
    for code, (latitude, longitude) in stations.iterrows():
        distance_km = float(geodesic(*place, latitude, longitude)[0])
        onset = round((ONSET_S + np.hypot(distance_km, 8.0) / 6.0) * RATE_HZ)
        samples = rng.normal(0, 10, (3, round(SECONDS * RATE_HZ)))
        samples[:, onset : onset + 100] += rng.normal(0, 2000, (3, 100))
        for letter, row in zip("ZNE", samples, strict=True):
            header = {"network": "SL", "station": code, "channel": f"HH{letter}", "sampling_rate": RATE_HZ}
            trace = obspy.Trace(row.astype(np.int32), header | {"starttime": BEGIN})
            trace.write(str(tmp_path / f"{code}.{letter}.mseed"), format="MSEED")
    log = tmp_path / "said.csv"
    command = [
        sys.executable, "-m", "seisvision.cli", "stream", str(run), "--archive", str(tmp_path / "*.mseed"),
        "--velocity", "6.0,3.5", "--packet", "4", "--out", str(log),
    ]  # fmt: skip
    done = ready_python.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == str(log)
    said = pd.read_csv(log)
    assert set(said["estimator"]) == {"preseis", "triggers and locator"} and set(said["source_id"]) == {1}
    times = pd.to_datetime(said["time"])
    assert times.is_monotonic_increasing and times.min().timestamp() > BEGIN.timestamp + ONSET_S
    last = said[said["estimator"] == "triggers and locator"].iloc[-1]
    assert geodesic(*place, last["latitude_deg"], last["longitude_deg"])[0] < 3.0
    assert said["since_first_trigger_s"].max() == pytest.approx(14.0 - lead_s, abs=0.1)
