"""Samples become batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from seisvision import keys
from seisvision.base.units import all_id_columns
from seisvision.errors import DataError

PADDING = {
    keys.WAVEFORM: 0.0,
    keys.STATION_MASK: False,
    keys.COMPONENT_MASK: False,
    keys.OFFSET_KM: torch.nan,
    keys.AZIMUTH_DEG: torch.nan,
    keys.BACK_AZIMUTH_DEG: torch.nan,
    keys.ONSET_S: torch.nan,
    keys.ARRIVALS_S: torch.nan,
    keys.START_S: torch.nan,
    keys.STATION_KM: torch.nan,
}
"""What stands for the stations that an event does not have."""
SCALARS = (keys.SOURCE_DEPTH_KM, keys.EVENT_PEAK)
"""One number a sample, where samples have it."""


def collate_events(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join samples into a batch; stations are padded to the largest event S of the batch.

    Padding is zero in waveforms, false in masks and NaN in distances, azimuths and times.

    Raises:
        DataError: the samples differ in sampling rate.
    """
    if hasattr(samples, "joined"):
        # Samples that are kept stacked need not be taken apart and stacked again.
        return samples.joined()
    first = samples[0]
    rates_hz = {sample[keys.SAMPLING_RATE_HZ] for sample in samples}
    if len(rates_hz) > 1:
        raise DataError(f"a batch mixes the sampling rates {sorted(rates_hz)} Hz; set sampling_rate_hz")
    batch: dict[str, Any] = {
        key: _pad_stations([sample[key] for sample in samples], fill) for key, fill in PADDING.items() if key in first
    }
    if any(keys.MORE_ARRIVALS_S in sample for sample in samples):
        batch[keys.MORE_ARRIVALS_S] = _further_events(samples)
    for key in (*SCALARS, keys.COUNTS):
        if key in first:
            batch[key] = torch.stack([sample[key] for sample in samples])
    batch[keys.SAMPLING_RATE_HZ] = first[keys.SAMPLING_RATE_HZ]
    for key in all_id_columns():
        if key in first:
            batch[key] = [sample[key] for sample in samples]
    batch[keys.TARGETS] = {
        column: torch.stack([sample[keys.TARGETS][column] for sample in samples]) for column in first[keys.TARGETS]
    }
    return batch


def _further_events(samples: Sequence[dict[str, Any]]) -> torch.Tensor:
    """Arrivals (B, S, E, 2), padded to the most events of any sample; NaN for those of samples without any."""
    n_stations = max(sample[keys.ARRIVALS_S].shape[0] for sample in samples)
    told = [sample.get(keys.MORE_ARRIVALS_S) for sample in samples]
    n_events = max(one.shape[1] for one in told if one is not None)
    padded = torch.full((len(samples), n_stations, n_events, 2), torch.nan)
    for slot, one in zip(padded, told, strict=True):
        if one is not None:
            slot[: one.shape[0], : one.shape[1]] = one
    return padded


def _pad_stations(tensors: list[torch.Tensor], fill: float | bool) -> torch.Tensor:
    n_stations = max(tensor.shape[0] for tensor in tensors)
    padded = tensors[0].new_full((len(tensors), n_stations, *tensors[0].shape[1:]), fill)
    for slot, tensor in zip(padded, tensors, strict=True):
        slot[: tensor.shape[0]] = tensor
    return padded
