"""No part of a training step makes the processor wait for a GPU, computes in double precision, or copies needlessly."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from counted_steps import N_SAMPLES, RATE_HZ, Pixels, build, counted, made_batch, waits
from fake_accelerator import GPU, Watch, fake_gpu

from seisvision import keys
from seisvision.models.waveforms.unet1d import UNet1d
from seisvision.outputs.angles.output import AngleOutput
from seisvision.outputs.bins.output import BinnedOutput
from seisvision.outputs.circular_bins.output import BinnedAngleOutput
from seisvision.outputs.classes.output import ClassOutput
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.outputs.picks.output import PickOutput
from seisvision.views.amplitude import sorted_quantile
from seisvision.views.augment import Augment
from seisvision.views.channels import Channel
from seisvision.views.sections.azimuth_section import AzimuthSection
from seisvision.views.sections.record_section import RecordSection
from seisvision.views.sections.stacked_spectrogram import StackedSpectrogram
from seisvision.views.traces.spectrogram import SpectrogramView
from seisvision.views.traces.trace import TraceView
from seisvision.views.waveforms.pick_augment import PickAugment
from seisvision.views.waveforms.waveform import WaveformView

BANDS = [
    Channel("Z", (1 / 150, 1 / 35)),
    Channel("Z", (1 / 30, 1 / 10), "envelope"),
    Channel("Z", (0.4, 0.95), "wiggle"),
]


VIEWS = {
    "bands by rank": lambda: RecordSection(32, 24, BANDS, spacing="rank", norm="section", components="ZNE"),
    "aligned on P": lambda: RecordSection(32, 24, BANDS, time_range_s=(0, 200), reduction_velocity_km_s=4.0),
    "decibels": lambda: RecordSection(32, 24, BANDS[:1], style="envelope", envelope_db=(6.0, 30.0)),
    "stack": lambda: StackedSpectrogram(16, 24, components="ZNE"),
    "azimuths": lambda: AzimuthSection(16, 24),
    "spectrogram": lambda: SpectrogramView(16, 24, frequency_range_hz=(0.02, 0.9), components="ZNE"),
    "line": lambda: TraceView(16, 24, components="ZNE"),
}
SINGLE = ("spectrogram", "line")


def outputs() -> list[Any]:
    return [
        ClassOutput("type", "type", ["a", "b"], label_smoothing=0.1),
        *(ScalarOutput(loss, "angle", "km", loss=loss) for loss in ("huber", "gaussian", "evidential")),
        *(AngleOutput(loss, "angle", loss=loss) for loss in ("cosine", "von_mises", "scalar_mse")),
        BinnedOutput("bins", "angle", "km", n_bins=4),
        BinnedAngleOutput("sectors", "angle", n_bins=4),
    ]


@torch.no_grad()
@pytest.mark.parametrize("name", list(VIEWS))
def test_a_step_on_pictures_waits_for_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = made_batch(1 if name in SINGLE else 5, "ZNE")
    augment = Augment(
        time_shift_s=2, amplitude_jitter_db=3, noise_fraction=0.1, station_dropout=0.2, polarity_flip=True
    )
    view = VIEWS[name]()
    view(batch)
    found = outputs() if name == "line" else outputs()[:1]
    task = build(view, Pixels(view.image_shape[0]), found, augment)
    with fake_gpu(monkeypatch, task):
        watch = counted(task, batch)
    tensors = sum(isinstance(value, torch.Tensor) for value in (*batch.values(), *batch[keys.TARGETS].values()))
    assert not waits(watch)
    assert watch.counts["copies to the processor"] == 0
    # The batch itself and the draws of the augmentation.
    assert watch.counts["copies to the GPU"] <= tensors + 1, watch.seen


@torch.no_grad()
def test_a_picking_step_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = made_batch(1, "ZNE")
    view = WaveformView(N_SAMPLES, "ZNE", band_hz=(0.1, 0.5))
    task = build(view, UNet1d(3, N_SAMPLES), [PickOutput("picks")], PickAugment(reverberation=0.5))
    task.outputs[0].meet(RATE_HZ)
    with fake_gpu(monkeypatch, task):
        watch = counted(task, batch)
    assert not waits(watch)


def test_the_watch_sees_what_it_is_there_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_gpu(monkeypatch):
        on_gpu = torch.zeros(3, device=GPU)
        for asks in (lambda: bool((on_gpu > 0).all()), lambda: on_gpu[on_gpu > 0], lambda: on_gpu.sum().item()):
            with pytest.raises(Exception, match="aten"):
                asks()
        with Watch() as watch:
            torch.ones(3).to(GPU)
            on_gpu.double()
            on_gpu.cpu()
    assert watch.counts["waiting copies to the GPU"] == watch.counts["waiting copies to the processor"] == 1
    assert watch.counts["double"] == 1


def test_what_only_a_gpu_does_is_what_the_processor_does() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(6, 5, generator=generator)
    values[values < -0.5] = torch.nan
    values[2] = torch.nan
    for quantile in (0.0, 0.5, 0.9, 1.0):
        expected = values.nanquantile(quantile, dim=-1, keepdim=True)
        torch.testing.assert_close(sorted_quantile(values, quantile), expected, equal_nan=True)
