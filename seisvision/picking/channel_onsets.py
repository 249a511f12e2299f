"""First onsets on hundreds of channels at once: short-term over long-term average of energy, as it runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt

from seisvision.errors import ConfigurationError

FILTER_ORDER = 2


@dataclass(frozen=True)
class RunningRatio:
    """Settings of `first_onsets_s`.

    Attributes:
        sta_s: short-term average.
        lta_s: long-term average, of the time before the short one.
        on: ratio of energies at which a channel triggers.
        band_hz: pass band, filtered causally.

    Raises:
        ConfigurationError: a value is not allowed.
    """

    sta_s: float = 0.2
    lta_s: float = 5.0
    on: float = 4.0
    band_hz: tuple[float, float] = (2.0, 20.0)

    def __post_init__(self) -> None:
        if not 0 < self.sta_s < self.lta_s:
            raise ConfigurationError(f"sta_s={self.sta_s} and lta_s={self.lta_s} must be positive, the first shorter.")
        if not self.on > 1:
            raise ConfigurationError(f"on={self.on} must be more than 1.")
        if not 0 < self.band_hz[0] < self.band_hz[1]:
            raise ConfigurationError(f"band_hz={self.band_hz} must be a pair 0 < low < high.")


LOCAL_STATIONS = RunningRatio(sta_s=0.5, lta_s=5.0, on=8.0, band_hz=(1.0, 8.0))
"""For single stations of a local network, where a false trigger costs more than a late one."""


def ratios(samples: np.ndarray, rate_hz: float, settings: RunningRatio) -> np.ndarray:
    """Energy over ``sta_s`` until each sample over that of ``lta_s`` before it, (C, T); 0 before both are full.

    Nothing after a sample has a say in it (Allen 1978, Bull. Seism. Soc. Am. 68, 1521-1532).

    Args:
        samples: (C, T), filtered.
        rate_hz: sampling rate.
        settings: lengths of the averages.
    """
    short, long = (max(1, round(length * rate_hz)) for length in (settings.sta_s, settings.lta_s))
    ratio = np.zeros(samples.shape)
    if samples.shape[1] < short + long:
        return ratio
    total = np.cumsum(np.square(samples, dtype=float), axis=1)
    total = np.concatenate([np.zeros((len(total), 1)), total], 1)
    recent = total[:, short + long :] - total[:, long:-short]
    before = total[:, long:-short] - total[:, : -short - long]
    ratio[:, short + long - 1 :] = (recent / short) / np.maximum(before / long, np.finfo(float).tiny)
    # A dead channel has no background that it could rise above.
    ratio[:, short + long - 1 :][before <= 0] = 0
    return ratio


def first_onsets_s(samples: np.ndarray, rate_hz: float, settings: RunningRatio, after_s: float = 0.0) -> np.ndarray:
    """Seconds after the first sample at which each channel (C,) first triggers; NaN where it does not.

    Triggers are late by the time in which the short average fills; strong onsets by a sample or two.

    Args:
        samples: (C, T).
        rate_hz: sampling rate.
        settings: what counts as a trigger.
        after_s: triggers before it do not count.
    """
    high_hz = min(settings.band_hz[1], 0.98 * rate_hz / 2)
    if settings.band_hz[0] >= high_hz:
        raise ConfigurationError(f"band_hz={settings.band_hz} begins above what {rate_hz:g} samples a second hold.")
    sections = butter(FILTER_ORDER, (settings.band_hz[0], high_hz), "bandpass", fs=rate_hz, output="sos")
    offset = samples[:, :1] if samples.shape[1] else 0.0
    risen = ratios(sosfilt(sections, samples - offset, axis=1), rate_hz, settings) >= settings.on
    risen[:, : max(0, int(np.ceil(after_s * rate_hz)))] = False
    return np.where(risen.any(1), risen.argmax(1) / rate_hz, np.nan)
