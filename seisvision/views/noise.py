"""What a picture in decibels above noise would have been in more noise."""

from __future__ import annotations

import torch


def in_more_noise(image: torch.Tensor, range_db: tuple[float, float], more_db: torch.Tensor) -> torch.Tensor:
    """Pictures of the same events in noise that is stronger by ``more_db`` at all frequencies.

    A pixel holds the power r of signal and noise over that of the noise. With g times the noise in addition, g =
    10^(more_db / 10) - 1, it holds (r + g) / (1 + g). That is the same for a median over stations.

    Args:
        image: (B, P, H, W), 0 and 1 stand for ``range_db``; zeros stay zeros.
        range_db: decibels above noise at the ends of the scale.
        more_db: (B,), not negative.
    """
    low_db, high_db = range_db
    noise = (10 ** (more_db / 10) - 1).to(image)[:, None, None, None]
    power = 10 ** ((image * (high_db - low_db) + low_db) / 10)
    decibel = 10 * torch.log10((power + noise) / (1 + noise))
    return ((decibel - low_db) / (high_db - low_db)).clamp(0, 1).masked_fill(image == 0, 0.0)
