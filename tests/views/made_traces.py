"""Made-up batches of single traces whose right picture is known."""

from typing import Any

import torch
from made_sections import RATE_HZ, batch_of

from seisvision import keys


def noisy_traces(count: int = 3, components: int = 1, samples: int = 3600, seed: int = 0) -> dict[str, Any]:
    """Traces of noise with a 20 s wave train and, earlier, a 2 s one, at times that differ."""
    generator = torch.Generator().manual_seed(seed)
    time_s = torch.arange(samples) / RATE_HZ - torch.rand(count, 1, 1, 1, generator=generator) * 600 - 600
    late = torch.exp(-((time_s / 60) ** 2)) * torch.cos(2 * torch.pi * time_s / 20)
    early = torch.exp(-(((time_s + 300) / 15) ** 2)) * torch.cos(2 * torch.pi * time_s / 2)
    noise = torch.randn(count, 1, components, samples, generator=generator)
    return traces(1e-7 * (late + 0.5 * early + 0.02 * noise) * torch.arange(1, components + 1)[:, None])


def traces(waveform: torch.Tensor, **changes: Any) -> dict[str, Any]:
    """Batch around waveforms (B, 1, C, T)."""
    return batch_of(waveform, torch.full(waveform.shape[:2], 1000.0), **changes)


def single(batch: dict[str, Any], number: int) -> dict[str, Any]:
    """Only one sample of a batch."""
    return {key: value[number : number + 1] if torch.is_tensor(value) else value for key, value in batch.items()}


def sine(frequency_hz: float, samples: int = 3600, start_s: float = 0.0, end_s: float = 1e9) -> torch.Tensor:
    """Tapered stretch of a sine: (1, 1, 1, T)."""
    time_s = torch.arange(samples) / RATE_HZ
    inside = (torch.sigmoid((time_s - start_s) / 5) * torch.sigmoid((end_s - time_s) / 5)).where(time_s > 0, 0)
    return (inside * torch.sin(2 * torch.pi * frequency_hz * time_s)).view(1, 1, 1, -1)


def renamed(batch: dict[str, Any]) -> dict[str, Any]:
    """The same recordings with everything else changed that a view of single traces must not see."""
    unseen = {key: torch.full_like(batch[key], 77.0) for key in (keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.START_S)}
    return batch | unseen | {keys.SOURCE_ID: ["other"] * len(batch[keys.SOURCE_ID]), keys.TRACE_ID: ["9", "8", "7"]}
