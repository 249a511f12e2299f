"""No network, view, change of waveforms or kind of output waits for a GPU in a step: every public one is tried."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from counted_steps import N_EVENTS, N_SAMPLES, Pixels, build, counted, made_batch, waits
from fake_accelerator import Watch, fake_gpu, recurrent
from torch import nn

from seisvision import keys
from seisvision.models.forecasting.etas_correction import EtasCorrection
from seisvision.models.networks.blocks import CountedBatchNorm1d
from seisvision.models.networks.early_warning import EarlyWarningFCN
from seisvision.models.networks.station_transformer import StationTransformer
from seisvision.models.waveforms.janbakhsh import JanbakhshNet
from seisvision.outputs.classes.output import ClassOutput
from seisvision.outputs.output import Output
from seisvision.outputs.places import WORDS as PLACE_WORDS
from seisvision.outputs.places.columns import COLUMNS
from seisvision.outputs.places.output import PlaceOutput
from seisvision.outputs.places.plane import local_km, single_local_km
from seisvision.outputs.reconstruction.output import ReconstructionOutput
from seisvision.outputs.volumes.output import VolumeOutput
from seisvision.public import AUGMENTATION, MODEL, NAMES, OUTPUT, TASK, VIEW, find_public
from seisvision.tasks import exact
from seisvision.tasks.deep_cluster import DeepClusterTask
from seisvision.tasks.kept_pictures import KeptPictures
from seisvision.tasks.rates import RateTask
from seisvision.views.augment import Augment
from seisvision.views.channels import Channel
from seisvision.views.sections.record_section import RecordSection
from seisvision.views.waveforms.station_matrix import StationMatrix
from seisvision.views.waveforms.waveform import WaveformView

N_STATIONS, SIDE = 12, 64
NETWORKS: dict[str, dict[str, Any]] = {
    "TimmBackbone": {"name": "test_resnet"},
    "StationTransformer": {"in_channels": 7, "width": 16, "depth": 1, "heads": 2, "filters": 2},
    "FCNLocator": {"width": 0.05},
    "EarlyWarningFCN": {"width": 0.05, "batch_norm": True},
    "PreSEIS": {"in_channels": 1, "n_samples": 2 * N_STATIONS + 1},
    "JanbakhshNet": {"decoder": True},
    "ConvLSTM": {"n_planes": 1},
    "EtasCorrection": {"n_planes": 1, "n_steps": 2, "n_rates": 2, "lattice": (4, 3), "places": (0, 3, 5)},
    "IndicatorRNN": {"n_indicators": 5},
    "SafeNet": {
        "n_indicators": 5, "n_cells": 3, "n_planes": 1, "lattice": (4, 3), "places": (0, 3, 5), "patch": 9, "width": 4,
    },
}  # fmt: skip
"""Arguments beside the size of the picture."""
WAITING = {
    "SeisBenchModel": "code of others, an extra",
    "StationTriggers": "its trigger is a recursive filter, for a network of some hundred parameters",
    "RecordSectionObspy": "drawn by ObsPy",
    "TraceObspy": "drawn by ObsPy",
    "SpectrogramObspy": "drawn by ObsPy",
}
"""What works on the processor, and why."""


def short_name(target: str) -> str:
    return target.rpartition(".")[2]


def forecast_batch(device: torch.device | str) -> dict[str, Any]:
    """Windows of a catalogue: two steps, one plane of 4 x 3 cells, three of which count, two references."""
    shapes = {
        keys.MAPS: (2, 1, 4, 3), keys.INDICATORS: (3, 2, 5), keys.REGION_INDICATORS: (2, 5), keys.LOG_RATES: (2, 3),
        keys.EVENT_COUNTS: (3,),
    }  # fmt: skip
    return {key: torch.zeros(N_EVENTS, *shape, device=device) for key, shape in shapes.items()}


@torch.no_grad()
@pytest.mark.parametrize("target", [one for one in NAMES[MODEL] if short_name(one) not in WAITING], ids=short_name)
def test_a_network_waits_for_nothing(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for layer in (nn.LSTM, nn.GRU, nn.RNN):
        monkeypatch.setattr(layer, "forward", recurrent)
    network = find_public(target)
    takes = inspect.signature(network).parameters
    given = {"in_channels": 3, "n_samples": N_SAMPLES, "n_stations": N_STATIONS} | NETWORKS.get(short_name(target), {})
    monkeypatch.setattr(torch, "autocast", lambda *given, **said: contextlib.nullcontext())
    with torch.device("cpu" if network.axes is None else "meta"):
        model = network(**{name: value for name, value in given.items() if name in takes}).train().to("meta")
    if model.axes is None:
        asked: Any = forecast_batch("meta")
    elif model.axes == 1:
        asked = torch.empty(N_EVENTS, given["in_channels"], given["n_samples"], device="meta")
    else:
        size = (N_STATIONS, N_SAMPLES) if "n_samples" in takes else (SIDE, SIDE)
        asked = torch.empty(N_EVENTS, given["in_channels"], *size, device="meta")
    with Watch() as watch:
        model(asked)
        for more in ("maps", "reconstruct") if model.axes and "forward" in vars(network) else ():
            if hasattr(model, more):
                getattr(model, more)(asked)
    assert watch.counts["kernels"] and not waits(watch)


def place_columns(batch: dict[str, Any]) -> dict[str, Any]:
    """The batch with a true place."""
    targets = {**batch[keys.TARGETS], **{column: torch.rand(N_EVENTS) for column in COLUMNS}}
    return {**batch, keys.TARGETS: targets, keys.STATION_KM: torch.rand(*batch[keys.STATION_MASK].shape, 3)}


def located(output: PlaceOutput | VolumeOutput) -> PlaceOutput | VolumeOutput:
    output.count_from(48.0, 11.0)
    return output


STATIONS: dict[str, tuple[Callable[[], nn.Module], Callable[[], list[Output]]]] = {
    "transformer": (
        lambda: StationTransformer(7, N_SAMPLES, width=16, depth=1, heads=2, filters=2),
        lambda: (
            [located(PlaceOutput(loss, loss=loss)) for loss in PLACE_WORDS["loss"]]
            + [ClassOutput("type", "type", ["a", "b"])]
        ),
    ),
    "maps": (
        lambda: EarlyWarningFCN(7, N_STATIONS, N_SAMPLES, width=0.05),
        lambda: [
            located(VolumeOutput(f"{loss} {decode}", n_depths=4, loss=loss, decode=decode, extent_km=[[0, 9]] * 3))
            for loss, decode in (("bce", "centroid"), ("cross_entropy", "argmax"))
        ],
    ),
}


@torch.no_grad()
@pytest.mark.parametrize("name", list(STATIONS))
def test_a_step_of_a_network_of_stations_waits_for_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    view = StationMatrix(N_SAMPLES, N_STATIONS, coordinates=True, tells_scale=True)
    model, found = (make() for make in STATIONS[name])
    task = build(view, model, found, Augment(truncate_s=(-5, 20), epicentre_error_km=5, noise_fraction=0.1))
    batch = place_columns(made_batch(N_STATIONS, "ZNE"))
    with fake_gpu(monkeypatch, task):
        assert not waits(counted(task, batch))


@torch.no_grad()
def test_a_step_that_reconstructs_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    view = WaveformView(N_SAMPLES, "ZNE", normalise="peak", level_of="stream", fixed_level=2.0, ps_box="catalogue")
    task = build(view, JanbakhshNet(4, decoder=True), [ReconstructionOutput("picture")], None)
    task.view.needs_fit  # noqa: B018 - the level is asked for once
    with fake_gpu(monkeypatch, task):
        assert not waits(counted(task, made_batch(1, "ZNE")))


@torch.no_grad()
@pytest.mark.parametrize("loss", ["poisson", "occurrence"])
def test_a_step_of_a_forecast_waits_for_nothing(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = EtasCorrection(**NETWORKS["EtasCorrection"])
    optimizer = functools.partial(torch.optim.AdamW, lr=1e-3)
    task = RateTask(network, ["etas", "mean"], [0, 3, 5], 0.4, optimizer, anchor="etas", loss=loss)
    with fake_gpu(monkeypatch, task):
        watch = counted(task.train(), forecast_batch("cpu"))
    assert not waits(watch) and watch.counts["copies to the GPU"] <= 5, watch.seen


@torch.no_grad()
@pytest.mark.parametrize("drawings", [None, 2])
def test_a_step_of_clustering_waits_for_nothing(drawings: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    channels = [Channel("Z", (1 / 30, 1 / 10), "envelope")]
    view = RecordSection(32, 24, channels, style="envelope", envelope_db=(6, 30), components="Z")
    batch = made_batch(5, "Z")
    task = DeepClusterTask(
        Pixels(1), view, 2, functools.partial(torch.optim.AdamW, lr=1e-3), augment=Augment(time_shift_s=2),
        front="contrast", more_noise_db=3, drawings=drawings,
    ).train()  # fmt: skip
    task._number_of = {name: number for number, name in enumerate(batch[keys.SOURCE_ID])}
    task.labels, task._now = np.arange(N_EVENTS) % 2, {"nmi": 0.5}
    if drawings:
        task._kept = KeptPictures(torch.rand(drawings, N_EVENTS, 1, 32, 24).half(), seed=0)
    with fake_gpu(monkeypatch, task):
        watch = counted(task, batch)
    tensors = sum(isinstance(value, torch.Tensor) for value in (*batch.values(), *batch[keys.TARGETS].values()))
    # Beside the batch its clusters, and the pictures or the draws of the augmentation, and how much more noise.
    assert not waits(watch) and watch.counts["copies to the GPU"] <= tensors + 3, watch.seen


def test_every_public_class_is_tried_or_said_to_wait() -> None:
    steps = (Path(__file__).parent / "test_gpu_steps.py").read_text() + Path(__file__).read_text()
    for target in (*NAMES[VIEW], *NAMES[OUTPUT], *NAMES[TASK], *NAMES[AUGMENTATION]):
        name = short_name(target)
        assert (name in WAITING) != (f"{name}(" in steps or name == "SupervisedTask"), name


def test_single_precision_keeps_a_metre_of_places_and_distances() -> None:
    generator = torch.Generator().manual_seed(0)
    place = torch.rand(500, 3, generator=generator) * torch.tensor([6.0, 8.0, 30.0]) + torch.tensor([44.0, 8.0, 0.0])
    origin_deg = (47.123456789, 11.987654321)
    expected = local_km(place.double(), origin_deg)
    assert (single_local_km(place, *origin_deg) - expected).abs().max() < 1e-3
    far = torch.tensor([[-17.0, 179.9, 5.0], [-17.5, -179.9, 5.0]])
    torch.testing.assert_close(
        single_local_km(far, -17.2, 179.99).double(), local_km(far.double(), (-17.2, 179.99)), rtol=0, atol=3e-3
    )


def test_a_cumulative_mean_of_what_counts_is_that_of_torch() -> None:
    told, alone = CountedBatchNorm1d(3, momentum=None), nn.BatchNorm1d(3, momentum=None)
    counted = torch.tensor([True, False, True, True])
    for seed in range(3):
        lines = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(seed))
        told(lines, counted)
        alone(lines[counted])
    assert told.running_mean is not None and alone.running_mean is not None
    torch.testing.assert_close(told.running_mean, alone.running_mean)
    torch.testing.assert_close(told.running_var, alone.running_var)


def test_lines_that_do_not_count_leave_batch_norm_as_if_they_were_not_there() -> None:
    torch.manual_seed(0)
    told, alone = CountedBatchNorm1d(3), nn.BatchNorm1d(3)
    told.load_state_dict(alone.state_dict())
    values, counted_rows = torch.randn(5, 3, 7) + 1, torch.tensor([True, False, True, True, False])
    weight = torch.randn(3, 3, 7)
    seen = [values.clone().requires_grad_(), values[counted_rows].clone().requires_grad_()]
    found = [told(seen[0], counted_rows)[counted_rows], alone(seen[1])]
    for one in found:
        (one * weight).sum().backward()
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(seen[0].grad[counted_rows], seen[1].grad, rtol=1e-4, atol=1e-5)
    assert not seen[0].grad[~counted_rows].any()
    for one, other in zip(told.state_dict().values(), alone.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


def test_lines_that_do_not_count_are_left_out_by_several_processes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    # Two processes with the same batch: together as one of them, with twice as many values.
    monkeypatch.setattr(exact, "rank_and_size", lambda: (0, 2))
    monkeypatch.setattr(torch.distributed, "all_gather", lambda into, one: [some.copy_(one) for some in into])
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda values, *how: values.mul_(2))
    network = nn.Sequential(CountedBatchNorm1d(3))
    exact.share_batch_norm(network)
    values, counted_rows = torch.randn(5, 3, 7) + 1, torch.tensor([True, False, True, True, False])
    weight = torch.randn(3, 3, 7)
    seen = [values.clone().requires_grad_(), values[counted_rows].clone().requires_grad_()]
    found = [network[0](seen[0], counted_rows)[counted_rows], nn.BatchNorm1d(3)(seen[1])]
    for one in found:
        (one * weight).sum().backward()
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(seen[0].grad[counted_rows], seen[1].grad, rtol=1e-4, atol=1e-5)
    assert not seen[0].grad[~counted_rows].any()
