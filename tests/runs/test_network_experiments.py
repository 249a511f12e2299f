"""Experiments on whole networks of stations, on recordings in a folder: what they were told at the door arrives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from opened_benchmarks import benchmark, run
from tiny_runs import plain_config

from seisvision import keys
from seisvision.data.samples.network import StationNetwork
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.data.synthesis_local.synthesise import synthesise_local
from seisvision.errors import ConfigurationError, DataError
from seisvision.evaluation.baselines.arrival_features import COLUMNS
from seisvision.evaluation.baselines.feature_table import FeatureTable, compute_any
from seisvision.experiments.waveforms import early_warning
from seisvision.experiments.waveforms.checks import check_places, check_truncation, tell_same_lead
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.noise_hours import noise_batches
from seisvision.experiments.waveforms.settings import Settings
from seisvision.judging.baselines import Features, fit_output
from seisvision.outputs.places.output import PlaceOutput
from seisvision.outputs.truth import truth_of
from seisvision.views.sections.record_section import RecordSection

__all__ = ["benchmark"]
N_STATIONS, N_EVENTS = 6, 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parameters = LocalSynthesisParameters(
        n_events=N_EVENTS, sampling_rate_hz=20.0, length_s=14.0, lead_s=(1.0, 2.0), n_stations=(5, N_STATIONS),
        network_km=15.0, repeat=0.0, noise_db=-20.0, magnitude=(2.0, 3.0),
    )  # fmt: skip
    return synthesise_local(parameters, tmp_path_factory.mktemp("network") / "set")


def _settings(folder: Path, experiment: str, *more: str) -> Settings:
    words = [
        f"experiment={experiment}", "dataset=folder", f"dataset.source.path={folder}",
        "dataset.labels.source_type=null", "dataset.samples.network={stations: training, fixed: true}",
        "dataset.samples.window.length_s=12.8", "view.n_samples=256", f"view.n_stations={N_STATIONS}",
        "trainer.batch_size=4", f"system.data_dir={folder.parent}",
    ]  # fmt: skip
    return Settings.of(plain_config([*words, *more]))


def test_a_locator_learns_from_a_folder_whose_stations_have_slots(folder: Path) -> None:
    settings = _settings(folder, "fcn_locator", "model.width=0.0625")
    view = build_view(settings.view)
    data = build_data(settings, view)
    order = data.waveform_set.event_table()["source_origin_time"]
    assert max(order[list(data.split.parts["train"])]) < min(order[list(data.split.parts["test"])])
    assert data.network is not None and len(data.network) == N_STATIONS
    torch.manual_seed(0)
    task = build_task(settings, view)
    (output,) = task.outputs
    output.count_from(*data.network.origin_deg)
    output.fit_statistics(torch.from_numpy(truth_of({"columns": output.columns}, data.parts["train"].targets)))
    batch = next(iter(data.loader("train")))
    assert batch[keys.WAVEFORM].shape[1] == N_STATIONS == batch[keys.STATION_KM].shape[1]
    target = output.truth(batch)
    optimizer = torch.optim.Adam(task.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = output.loss(task(batch)["place"], target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.isfinite(losses).all() and losses[-1] < losses[0] - 0.01
    inside = output.extent_km
    places = output.local(target)
    assert ((places >= inside[:, 0]) & (places <= inside[:, 1])).all()


def test_the_benchmark_of_networks_in_short(
    folder: Path, benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = _settings(folder, "fcn_locator", "model.width=0.0625")
    view = build_view(settings.view)
    data = build_data(settings, view)
    task = build_task(settings, view).eval()
    (output,) = task.outputs
    output.count_from(*data.network.origin_deg)
    output.fit_statistics(torch.from_numpy(truth_of({"columns": output.columns}, data.parts["train"].targets)))
    module = benchmark("network_locations")
    monkeypatch.setattr(module, "train", lambda asked: [("fcn_locator", folder)])
    monkeypatch.setattr(module, "opened", lambda *where: (SimpleNamespace(task=task), data))
    run(module, [], monkeypatch)
    said = capsys.readouterr().out
    assert "threads, load" in said and "| true arrivals and locator |" in said
    assert "| fcn_locator, a third of the stations absent |" in said


def test_a_view_for_another_number_of_stations_is_refused(folder: Path) -> None:
    settings = _settings(folder, "kriegerowski", "view.n_stations=9")
    with pytest.raises(ConfigurationError, match=r"Set view\.n_stations=6"):
        build_data(settings, build_view(settings.view))


def test_views_that_draw_the_future_are_not_asked_early(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(folder, "fcn_locator", "augment.truncate_s=[0.0,3.0]")
    check_truncation(settings, build_view(settings.view))
    view = RecordSection()
    with pytest.raises(ConfigurationError, match=r"augment\.truncate_s.*station_matrix"):
        check_truncation(settings, view)
    opened = SimpleNamespace(task=SimpleNamespace(view=view, outputs=[PlaceOutput("place")]), config=settings)
    monkeypatch.setattr(early_warning, "find_checkpoint", lambda run: run)
    monkeypatch.setattr(early_warning.TrainedNetwork, "open", lambda *_: opened)
    with pytest.raises(ConfigurationError, match=r"RecordSection.*comes later"):
        early_warning.recordings([folder], "test")
    settings = _settings(folder, "fcn_locator", "view.truncate_s=4.0", "dataset.samples.window.reference=onset")
    with pytest.raises(ConfigurationError, match=r"view\.truncate_s=4\.0.*median"):
        check_truncation(settings, build_view(settings.view))


def test_places_are_not_looked_for_in_what_knows_them(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = _settings(folder, "fcn_locator")
    view = build_view(settings.view)
    check_places(settings, view)
    with pytest.raises(ConfigurationError, match="true distances"):
        check_places(settings, RecordSection())
    with pytest.raises(ConfigurationError, match="true distances"):
        check_places(settings, RecordSection(spacing="rank", order="offset"))
    origin = _settings(folder, "fcn_locator", "dataset.samples.window.reference=origin")
    with pytest.raises(ConfigurationError, match=r"reference=origin.*hides_origin=false"):
        check_places(origin, view)
    stated = "+task.outputs.place.hides_origin=false"
    knows = _settings(folder, "fcn_locator", "dataset.samples.window.reference=origin", stated)
    check_places(knows, view)
    lead_s = -np.array([5.0, 5.1, 4.9, np.nan])
    tell_same_lead(settings, lead_s * [1, 3, 1, 1])
    tell_same_lead(knows, lead_s)
    assert not caplog.records
    tell_same_lead(settings, lead_s)
    assert "conditional on that" in caplog.text and "5.0 s" in caplog.text


def test_a_replay_knows_when_windows_begin(folder: Path) -> None:
    settings = _settings(
        folder, "fcn_locator", "dataset.samples.window.start_s=0.7", "dataset.samples.window.jitter_s=0.3",
        "dataset.samples.window.length_s=10.0", "view.components=NZ",
    )  # fmt: skip
    data = build_data(settings, build_view(settings.view))
    begin_ns, length_s = early_warning.windows_of(data, "test")
    events = data.waveform_set.event_table().loc[list(data.parts["test"].source_ids)]
    origin_ns = (
        pd.to_datetime(events["source_origin_time"], utc=True, format="ISO8601").dt.as_unit("ns").astype("int64")
    )
    start_s = np.concatenate([batch[keys.START_S].nanmean(1).numpy() for batch in data.loader("test")])
    assert length_s == 10.0 and np.std(start_s) > 0
    assert (begin_ns - origin_ns.to_numpy()) / 1e9 == pytest.approx(start_s, abs=1e-3)
    same = begin_ns, length_s
    early_warning.check_same_windows(same, same, (Path("a"), Path("b")))
    with pytest.raises(ConfigurationError, match=r"b was trained on other windows than a.*0\.500 s apart"):
        early_warning.check_same_windows(same, (begin_ns + 500_000_000, length_s), (Path("a"), Path("b")))
    asked = early_warning._asked_about(data, "test", "6.0,3.5", {"other": ["earthquake"]})
    assert asked[2].tolist() == begin_ns.tolist() and asked[0].is_noise.all()
    data.waveform_set.metadata.drop(columns="trace_start_time", inplace=True)
    with pytest.raises(DataError, match="no column trace_start_time"):
        early_warning.windows_of(data, "test")


def test_a_network_is_not_asked_about_recordings_that_were_prepared_otherwise(folder: Path) -> None:
    def trained(*words: str) -> SimpleNamespace:
        return SimpleNamespace(config=_settings(folder, "fcn_locator", *words))

    runs = Path("one"), Path("other")
    early_warning._check_same_cut(trained(), trained("model.width=0.5"), runs)
    with pytest.raises(ConfigurationError, match=r"one and other.*dataset\.samples of both differs"):
        early_warning._check_same_cut(trained(), trained("dataset.samples.min_stations=5"), runs)


def test_samples_know_how_long_before_the_first_p_their_windows_begin(folder: Path) -> None:
    settings = _settings(folder, "fcn_locator", "dataset.samples.window.start_s=0.5")
    samples = build_data(settings, build_view(settings.view)).parts["train"]
    table = samples.waveform_set.metadata
    p_s = (table["trace_p_arrival_sample"] / table["trace_sampling_rate_hz"]).groupby(table["source_id"]).min()
    wanted = p_s[list(samples.source_ids)].to_numpy() - 0.5
    assert samples.first_p_after_start_s == pytest.approx(wanted, abs=0.05)


def test_hours_of_noise_come_from_the_stations_of_a_simulated_set_alone(folder: Path) -> None:
    settings = _settings(folder, "fcn_locator")
    data = build_data(settings, build_view(settings.view))
    card, network = data.waveform_set.card, data.network
    assert network is not None
    (batch,) = noise_batches(card, network, 20.0, 12.8, hours=0.01, components="NZ")
    assert batch[keys.WAVEFORM].shape == (3, N_STATIONS, 2, 256)
    there = batch[keys.STATION_MASK]
    assert there.sum(1).min() >= 5
    moves = batch[keys.WAVEFORM].std(-1).amax(-1) > 0
    assert torch.equal(moves, there)
    level = batch[keys.WAVEFORM][there].abs().amax()
    assert level < max(one[keys.WAVEFORM].abs().amax() for one in data.loader("train"))
    fewer = [one[:3] for one in (network.names, network.latitude_deg, network.longitude_deg, network.elevation_m)]
    (some,) = noise_batches(card, StationNetwork(*fewer), 20.0, 12.8, hours=0.01, components="NZ")
    known = there[:, :3].any(1)
    torch.testing.assert_close(some[keys.WAVEFORM][known], batch[keys.WAVEFORM][known][:, :3])
    with pytest.raises(ConfigurationError, match="of recordings give a set"):
        noise_batches({}, network, 20.0, 12.8, hours=0.01)


@pytest.mark.parametrize("fixed", [True, False])
def test_what_a_network_has_to_beat_is_arrival_times_of_its_stations(fixed: bool, folder: Path) -> None:
    """Slots or none, the columns of the features are the stations; twelve events are too few to learn from."""
    settings = _settings(folder, "fcn_locator", "model.width=0.0625")
    data = build_data(settings, build_view(settings.view))
    assert data.network is not None
    samples = data.variant(["train", "test"], components="ZNE", network=replace(data.network, fixed=fixed))
    features = compute_any(samples, ["arrival_times"], {}, folder.parent / f"features{fixed}", "of a test")
    table = features["arrival_times"]
    assert isinstance(table, FeatureTable)
    values = table.values.reshape(len(samples), N_STATIONS, len(COLUMNS))
    np.testing.assert_allclose(values[0, :, 2:], data.network.place_km[:, :2], atol=1e-5)
    live = np.isfinite(values[..., 0])
    assert live.mean() > 0.5
    arrivals_s = np.stack([one[keys.ARRIVALS_S].numpy()[:, 0] for one in (samples.with_slots()[i] for i in range(3))])
    assert np.nanmedian(np.abs(values[:3, :, 0] - arrivals_s)) < 0.3
    output = next(iter(build_task(settings, build_view(settings.view)).outputs))
    output.count_from(*data.network.origin_deg)
    about = output.describe()
    fitted = fit_output(Features({"arrival_times": table}, {}), about, {k: data.parts[k] for k in ("train", "test")})
    assert fitted["mean"].predictions and "fewer than" in str(fitted["arrival_times"].skipped)
