"""Runs that predict numbers and angles: from single traces to epicentres, and from events to depth and azimuth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
from tiny_runs import TINY, plain_config, tiny_config

from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.commands.locate import run as locate_command
from seisvision.earth.geodesics import geodesic
from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.checks import check_location, check_origin, check_split
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.telling import describe_result, sweep_table
from seisvision.runs.ensure import ensure_run

pytestmark = pytest.mark.usefixtures("drawn_figures")

TRACES = [
    "dataset.source.lead_s=300",
    "dataset.source.length_s=2200",
    "dataset.traces.window.length_s=600",
    "dataset.traces.window.start_s=-60",
    "dataset.traces.window.jitter_s=30",
    "dataset.samples.window.length_s=1200",
]


def _offset_config(data_dir: Path, runs_dir: Path, *overrides: str) -> dict:
    choices = ["experiment=atlas/locate", *TRACES, "trainer.batch_size=16", *overrides]
    return tiny_config(data_dir, runs_dir, *choices)


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def located(data_dir: Path, runs_dir: Path) -> RunFolder:
    return ensure_run(_offset_config(data_dir, runs_dir, "evaluation.baselines=true"), ["typed=this"])


def test_distances_become_epicentres_of_every_test_event(located: RunFolder) -> None:
    split = pd.read_csv(located.split_file, comment="#")
    test_events = set(split[split["part"] == "test"]["id"])
    predictions = pd.read_csv(located.predictions_file)
    assert set(predictions["source_id"]) <= test_events
    locations = pd.read_csv(located.path / "locations.csv")
    assert set(locations["event_id"]) == set(predictions["source_id"])
    assert (located.path / "figures" / "location_error.png").is_file()
    assert (located.path / "figures" / "location_map_worst.png").is_file()


def test_the_stored_errors_are_those_of_the_table(located: RunFolder, data_dir: Path) -> None:
    metrics = read_json(located.metrics_file)
    locations = pd.read_csv(located.path / "locations.csv").set_index("event_id")
    (folder,) = data_dir.glob(f"synthetic-{metrics['data']['fingerprint']}")
    true = pd.read_csv(folder / "metadata.csv").groupby("source_id").first().loc[locations.index]
    error_km, _, _ = geodesic(
        true["source_latitude_deg"].to_numpy(),
        true["source_longitude_deg"].to_numpy(),
        locations["latitude_deg"].to_numpy(),
        locations["longitude_deg"].to_numpy(),
    )
    stored = metrics["location"]["network"]["measures"]["median_error_km"]
    assert stored["value"] == pytest.approx(np.nanmedian(error_km), rel=1e-3)
    assert "epicentres of the test events" in describe_result(metrics)


def test_obspy_reads_the_quakeml_with_its_ellipses(located: RunFolder) -> None:
    locations = pd.read_csv(located.path / "locations.csv").dropna(subset=["ellipse95_major_km"])
    catalogue = obspy.read_events(str(located.path / "locations.xml"))
    origins = {event.event_descriptions[0].text: event.preferred_origin() for event in catalogue}
    assert len(locations)
    for row in locations.itertuples():
        origin = origins[row.event_id]
        assert origin.latitude == pytest.approx(row.latitude_deg, abs=1e-5)
        major_m = origin.origin_uncertainty.max_horizontal_uncertainty
        assert major_m == pytest.approx(1000 * row.ellipse95_major_km, rel=1e-3)


def test_the_observations_can_be_located_again_by_hand(located: RunFolder, tmp_path: Path) -> None:
    class Arguments:
        observations = located.path / "observations.csv"
        out = tmp_path / "again.csv"
        quakeml = None
        mode, level, errors = "robust", 0.95, "relative"

    assert locate_command(Arguments) == 0  # type: ignore[arg-type]
    assert (tmp_path / "again.csv").read_text() == (located.path / "locations.csv").read_text()


def test_offsets_are_measured_in_kilometres_beside_baselines(located: RunFolder) -> None:
    metrics = read_json(located.metrics_file)
    predictions = pd.read_csv(located.predictions_file)
    error_km = (predictions["offset_prediction"] - predictions["offset_target"]).abs()
    measured = metrics["test"]["offset"]
    assert measured["median_ae_km"]["value"] == pytest.approx(error_km.median(), rel=1e-3)
    tolerance_km = np.maximum(0.1 * predictions["offset_target"], 10)
    assert measured["acc_tol_rel0.10_abs10km"]["value"] == pytest.approx((error_km <= tolerance_km).mean(), abs=1e-9)
    assert {"median", "two_feature", "s_minus_p"} <= set(metrics["baselines"]["offset"])
    inside = predictions["offset_target"].between(predictions["offset_low95"], predictions["offset_high95"])
    assert measured["coverage_95"]["value"] == pytest.approx(inside.mean())


def test_evaluate_reproduces_a_run_of_single_traces(located: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    from hydra import compose, initialize_config_dir
    from tiny_runs import ROOT

    settings = [f"ckpt={located.path}", f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = compose("evaluate", overrides=[*settings, "system.num_workers=0"])
    folder = evaluate_checkpoint(composed)
    assert (folder / "predictions.csv").read_text() == located.predictions_file.read_text()
    again = json.loads((folder / "metrics.json").read_text())["test"]["offset"]
    assert again["median_ae_km"] == read_json(located.metrics_file)["test"]["offset"]["median_ae_km"]


def test_a_sweep_tells_paired_differences(located: RunFolder, data_dir: Path, runs_dir: Path) -> None:
    other = _offset_config(data_dir, runs_dir, "seed=1", "location=none")
    table = sweep_table([located, ensure_run(other, ["seed=1", "view=another"])])
    assert "minus that of resnet18 (seed 3407)" in table and "resnet18 (seed 1) view=another: " in table


def test_traces_of_one_event_lie_on_both_sides_only_where_that_is_asked_for(data_dir: Path, runs_dir: Path) -> None:
    choices = ["split=paper_traces", "location=none", "trainer.max_epochs=1"]
    folder = ensure_run(_offset_config(data_dir, runs_dir, *choices), [])
    split = pd.read_csv(folder.split_file, comment="#")
    predictions = pd.read_csv(folder.predictions_file, dtype={"trace_id": str})
    assert set(predictions["trace_id"]) == set(split[split["part"] == "test"]["id"].astype(str))
    (data,) = data_dir.glob(f"synthetic-{read_json(folder.metrics_file)['data']['fingerprint']}")
    source_id = pd.read_csv(data / "metadata.csv")["source_id"]
    train = set(source_id.iloc[split[split["part"] == "train"]["id"].astype(int)])
    assert train & set(predictions["source_id"])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["dataset.traces.window.reference=origin"], "reference=origin"),
        (["dataset.traces.window.complete=false"], "complete=False"),
        (["view=depth"], "draws from it"),
        (["dataset=synthetic"], "dataset=synthetic_traces"),
    ],
)
def test_pictures_that_give_the_origin_time_away_are_refused(settings: list[str], problem: str) -> None:
    config = plain_config(["experiment=atlas/offset", *settings])
    with pytest.raises(ConfigurationError, match=problem):
        check_origin(Settings.of(config), build_view(config["view"]))


@pytest.mark.parametrize(
    ("experiment", "output", "unit", "baseline"),
    [("atlas/depth", "depth", "km", "band_power"), ("atlas/force_azimuth", "force_azimuth", "deg", "linear_physics")],
)
def test_events_give_depth_and_azimuth(
    data_dir: Path, runs_dir: Path, experiment: str, output: str, unit: str, baseline: str
) -> None:
    config = tiny_config(data_dir, runs_dir, f"experiment={experiment}", "evaluation.baselines=true")
    metrics = read_json(ensure_run(config, []).metrics_file)
    assert metrics["test"][output][f"median_ae_{unit}"]["n"] == metrics["data"]["events"]["test"]
    assert {"median", baseline} <= set(metrics["baselines"][output])
    assert metrics["differences"]["test"][output][baseline]["p_value"] <= 1


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["experiment=atlas/locate", "location.level=0.9"], "location.level=0.9"),
        (["location=default"], "distance in km from single traces"),
        (["experiment=atlas/locate", "split=paper_traces"], "deals them apart"),
        (["split=by_station"], "Choose split=careful"),
        (["experiment=atlas/offset", "protocol=paper_depth"], "belongs to none of the outputs"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_made(settings: list[str], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        config = plain_config(settings)
        view = build_view(config["view"])
        check_split(Settings.of(config), view)
        check_location(Settings.of(config), view)
        build_task(Settings.of(config), view)


@pytest.mark.parametrize(
    ("protocol", "view", "loss"),
    [
        ("paper_offset", "TraceView", "mse"),
        ("paper_depth", "RecordSectionObspy", "mse"),
        ("paper_azimuth", "RecordSectionObspy", "scalar_mse"),
    ],
)
def test_published_protocols_are_as_published(protocol: str, view: str, loss: str) -> None:
    config = plain_config([f"protocol={protocol}"])
    assert config["view"]["_target_"].endswith(f".{view}") and config["task"]["outputs"][0]["loss"] == loss
    assert config["trainer"]["max_epochs"] == 1000 and config["augment"]["amplitude_jitter_db"] == 0


@pytest.mark.parametrize(("protocol", "kind"), [("paper_depth", "tectonic"), ("paper_azimuth", "glacial")])
def test_published_regressions_see_the_classified_events_in_the_same_parts(
    protocol: str, kind: str, data_dir: Path, runs_dir: Path
) -> None:
    words = [word for word in TINY if not word.startswith("view.")]
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}"]
    sets = []
    for name in ("paper", protocol):
        config = plain_config([*words, *folders, f"protocol={name}"])
        sets.append(build_data(Settings.of(config), build_view(config["view"])))
    classified, regressed = sets
    assert classified.waveform_set.fingerprint == regressed.waveform_set.fingerprint
    assert classified.split.hash == regressed.split.hash
    kinds = classified.waveform_set.event_table()["source_type"]
    for part, samples in regressed.parts.items():
        assert list(samples.source_ids) == [name for name in classified.parts[part].source_ids if kinds[name] == kind]
