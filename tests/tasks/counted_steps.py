"""Training steps on a GPU that is not there, and what they ask of it."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import torch
from fake_accelerator import GPU, Watch
from torch import nn

from seisvision import keys
from seisvision.base.devices import moved
from seisvision.models.backbone import Backbone
from seisvision.tasks.at_once import step_at_once
from seisvision.tasks.supervised import SupervisedTask

RATE_HZ, N_SAMPLES, N_EVENTS = 2.0, 1200, 4


class Pixels(Backbone):
    """The smallest backbone of pictures."""

    num_features = 3

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(in_channels, 3, 3)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.layer(picture).mean((2, 3))


def made_batch(n_stations: int, components: str) -> dict[str, Any]:
    shape = (N_EVENTS, n_stations)
    ids = [str(number) for number in range(N_EVENTS)]
    return {
        keys.WAVEFORM: torch.randn(*shape, len(components), N_SAMPLES),
        keys.STATION_MASK: torch.ones(shape, dtype=torch.bool),
        keys.COMPONENT_MASK: torch.ones(*shape, len(components), dtype=torch.bool),
        **{key: torch.rand(shape) * 300 for key in (keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.BACK_AZIMUTH_DEG)},
        keys.ONSET_S: torch.zeros(shape),
        keys.START_S: torch.zeros(shape),
        keys.ARRIVALS_S: torch.rand(*shape, 2) * 100,
        keys.SAMPLING_RATE_HZ: RATE_HZ,
        keys.SOURCE_ID: ids,
        keys.TRACE_ID: ids,
        keys.TARGETS: {"type": torch.zeros(N_EVENTS, dtype=torch.long), "angle": torch.rand(N_EVENTS)},
    }


def counted(task: Any, batch: dict[str, Any]) -> Watch:
    """What the second step asks of the GPU: what is made once is there by then."""
    optimizer = torch.optim.AdamW(task.parameters())
    step_at_once(optimizer)
    for step in range(2):
        with Watch() as watch, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Without its gradient, of which torch does nothing on a GPU that is not there.
            task.training_step(moved(batch, GPU), step)
            for parameter in task.parameters():
                parameter.grad = torch.zeros_like(parameter)
            nn.utils.clip_grad_norm_(task.parameters(), 1.0)
            optimizer.step()
    return watch


def build(view: Any, model: Any, found: list[Any], augment: Any) -> SupervisedTask:
    optimizer = functools.partial(torch.optim.AdamW, lr=1e-3)
    return SupervisedTask(model, view, found, optimizer, augment=augment).train()


def waits(watch: Watch) -> list[str]:
    """What of it makes the processor wait or computes in double precision."""
    return [what for what in watch.seen if what.startswith(("waiting", "double"))]
