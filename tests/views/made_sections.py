"""Made-up batches whose right picture is known."""

import torch

from seisvision import keys

RATE_HZ = 2.0


def batch_of(waveform: torch.Tensor, offset_km: torch.Tensor, **changes: object) -> dict:
    """Batch dictionary around waveforms (B, S, C, T) and offsets (B, S)."""
    events, stations, components, _ = waveform.shape
    batch = {
        keys.WAVEFORM: waveform,
        keys.STATION_MASK: torch.ones(events, stations, dtype=torch.bool),
        keys.COMPONENT_MASK: torch.ones(events, stations, components, dtype=torch.bool),
        keys.OFFSET_KM: offset_km,
        keys.AZIMUTH_DEG: torch.zeros(events, stations),
        keys.ONSET_S: torch.full((events, stations), torch.nan),
        keys.START_S: torch.zeros(events, stations),
        keys.SAMPLING_RATE_HZ: RATE_HZ,
        keys.SOURCE_ID: [f"event{i}" for i in range(events)],
    }
    return batch | changes


def wave_trains(events: int = 3, stations: int = 6, samples: int = 1800, seed: int = 0, components: int = 1) -> dict:
    """Events with a 20 s wave train that moves out at 4 km/s over noise, offsets 100 to 2000 km."""
    generator = torch.Generator().manual_seed(seed)
    offset_km = torch.rand(events, stations, generator=generator) * 1900 + 100
    time_s = torch.arange(samples) / RATE_HZ - offset_km[..., None] / 4 - 60
    train = torch.exp(-((time_s / 30) ** 2)) * torch.cos(2 * torch.pi * time_s / 20)
    noise = torch.randn(events, stations, components, samples, generator=generator)
    return batch_of(1e-7 * (train[:, :, None] + 0.05 * noise), offset_km)


def spike(at_s: float, offset_km: float, samples: int = 1200) -> dict:
    """One event of one silent station at ``offset_km`` with a spike at ``at_s``."""
    waveform = torch.zeros(1, 1, 1, samples)
    waveform[0, 0, 0, round(at_s * RATE_HZ)] = 1.0
    return batch_of(waveform, torch.tensor([[offset_km]]))
