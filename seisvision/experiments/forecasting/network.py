"""From settings to the network of a forecast, and what it says of whole parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.experiments.forecasting.data import ForecastBatches
from seisvision.experiments.forecasting.problem import Problem
from seisvision.experiments.forecasting.settings import ForecastSettings
from seisvision.forecasting.samples.samples import shape_of
from seisvision.public import MODEL, OPTIMIZER, SCHEDULER, TASK
from seisvision.records.configuration import instantiate, model_takes
from seisvision.seeding import stream_seed
from seisvision.tasks.rates import RateTask

PARTS_OF_CORRECTION = np.linspace(0, 1, 21)


def build_task(settings: ForecastSettings, problem: Problem) -> RateTask:
    """The untrained task for the samples of a problem."""
    train = problem.samples["train"]
    return build_for(settings, shape_of(train), train.rate_names, float(train.counts.sum()) / len(train))


def build_for(
    settings: ForecastSettings, shape: Mapping[str, Any], rate_names: Sequence[str], events_per_sample: float
) -> RateTask:
    """The untrained task, initialised from the seed of the run.

    Args:
        settings: of the run.
        shape: of samples, as :func:`seisvision.forecasting.samples.samples.shape_of` tells it.
        rate_names: R references whose rates samples hold.
        events_per_sample: mean of the training.

    Raises:
        ConfigurationError: the network is none of a forecast.
    """
    told = {**shape, "n_rates": len(rate_names)}
    target = settings.model.get("_target_")
    if not any(model_takes(target, name, True) for name in ("n_planes", "n_indicators")):
        raise ConfigurationError(
            f"model._target_={target} reads neither maps nor indicators of a catalogue. Choose a network of forecasts, "
            "such as model=etas_correction, or give its class an argument n_planes or n_indicators."
        )
    torch.manual_seed(stream_seed(settings.seed, "initialisation"))
    model = instantiate(
        settings.model, MODEL, **{name: value for name, value in told.items() if model_takes(target, name, True)}
    )
    return instantiate(
        settings.task,
        TASK,
        model=model,
        rate_names=tuple(rate_names),
        places=shape["places"],
        events_per_sample=events_per_sample,
        optimizer=instantiate(settings.optimizer, OPTIMIZER),
        scheduler=instantiate(settings.scheduler, SCHEDULER),
        seed=settings.seed,
    )


@torch.no_grad()
def said_of(task: RateTask, data: ForecastBatches, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network says of a part, and the logarithms of what references said of it.

    Returns:
        Its numbers (W, C), and (W, R, C).
    """
    task.eval()
    samples = data.samples[part]
    raw, rates = [], []
    for batch in data.loader(part, whole=True):
        on_device = {key: value.to(task.device) for key, value in batch.items()}
        raw.append(task(on_device).cpu())
        rates.append(batch[keys.LOG_RATES])
    n_windows = len(samples.windows)
    by_window = torch.cat(raw).reshape(n_windows, -1)
    # Samples that are cells follow each other within their window.
    of_references = torch.cat(rates).reshape(n_windows, -1, len(samples.rate_names), torch.cat(rates).shape[-1])
    return by_window, of_references.transpose(1, 2).reshape(n_windows, len(samples.rate_names), -1)


def rates_of(task: RateTask, raw: torch.Tensor, references: torch.Tensor, part: float) -> np.ndarray:
    """Rates float64 (W, C), with a part of the network's correction."""
    log_rates = task.cpu().log_rates({keys.LOG_RATES: references.double()}, raw.double(), part)
    return np.exp(log_rates.numpy())


def best_part(task: RateTask, raw: torch.Tensor, references: torch.Tensor, counts: np.ndarray) -> float:
    """The part of the correction that makes the counts (W, C) of the validation most likely; 1 where none is asked."""
    if not task.shrinks:
        return 1.0

    def score(part: float) -> float:
        rates = rates_of(task, raw, references, part)
        return float((counts * np.log(rates) - rates).sum())

    return float(max(PARTS_OF_CORRECTION, key=score))


def describe_network(task: RateTask) -> dict[str, Any]:
    """Plain values on what the network does."""
    return {
        "anchor": task.anchor,
        "loss": task.loss_name,
        "positive_weight": task.positive_weight,
        "shrinks": task.shrinks,
    }
