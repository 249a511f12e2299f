"""Experiments on whole networks of stations, on recordings in a folder: what they were told at the door arrives."""

from __future__ import annotations

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
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.data.synthesis_local.synthesise import synthesise_local
from seisvision.errors import ConfigurationError, DataError
from seisvision.experiments.waveforms import early_warning
from seisvision.experiments.waveforms.checks import check_places, check_truncation, tell_same_lead
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
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
