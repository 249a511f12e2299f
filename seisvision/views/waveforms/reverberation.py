"""What loose layers and rough ground under a station make of a wave: it goes on after it has arrived."""

from __future__ import annotations

import torch

LASTS = 4.0
"""Tails are cut after so many of their decay times."""
COUPLING = 0.5
"""Amplitude of what one component scatters into another, against what it keeps."""


def reverberated(
    waveform: torch.Tensor, rate_hz: float, decay_s: torch.Tensor, level_db: torch.Tensor, tails: torch.Tensor
) -> torch.Tensor:
    """Recordings (B, S, C, T) of stations under which waves are scattered: nothing arrives any earlier.

    Each component gets, behind itself, its own tail and those of the others: noise that falls with exp(-t / decay).

    Args:
        waveform: as recorded on rock.
        rate_hz: of its samples.
        decay_s: (B,) in which the tail falls to 1/e.
        level_db: (B,) energy of the tail over that of what it follows.
        tails: (B, C, C, N) white noise from which the tails are made, see :func:`tail_samples`.

    Reference:
        Scattered waves as noise whose envelope falls exponentially: Aki and Chouet (1975), doi:10.1029/JB080i023p03322.
    """
    n_samples, n_tail = waveform.shape[-1], tails.shape[-1]
    time_s = torch.arange(1, n_tail + 1, device=waveform.device) / rate_hz
    shaped = tails * (-time_s / decay_s[:, None]).exp()[:, None, None]
    shaped = shaped / shaped.square().sum(-1, keepdim=True).sqrt().clamp_min(1e-30)
    shaped = shaped * torch.pow(10.0, level_db / 20)[:, None, None, None]
    itself = torch.eye(tails.shape[1], device=waveform.device, dtype=waveform.dtype)
    shaped = shaped * (itself + COUPLING * (1 - itself))[..., None]
    n_fft = n_samples + n_tail + 1
    operator = torch.fft.rfft(torch.nn.functional.pad(shaped, (1, 0)), n=n_fft) + itself[..., None]
    # Component j of the wave gives component i of the recording.
    spectrum = torch.fft.rfft(waveform, n=n_fft)
    return torch.fft.irfft(torch.einsum("bijf,bsjf->bsif", operator, spectrum), n=n_fft)[..., :n_samples]


def tail_samples(longest_s: float, rate_hz: float) -> int:
    """N: length of the noise that the longest tails are made from."""
    return max(1, round(LASTS * longest_s * rate_hz))
