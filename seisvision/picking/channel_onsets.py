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
    # A dead channel has no background that it could rise above; after one that is nearly dead all is infinitely loud.
    with np.errstate(over="ignore"):
        np.divide(recent / short, before / long, out=ratio[:, short + long - 1 :], where=before > 0)
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
    offset = samples[:, :1] if samples.shape[1] else 0.0
    risen = _risen(samples - offset, rate_hz, settings)
    risen[:, : max(0, int(np.ceil(after_s * rate_hz)))] = False
    return np.where(risen.any(1), risen.argmax(1) / rate_hz, np.nan)


def all_onsets(
    samples: np.ndarray, known: np.ndarray, rate_hz: float, settings: RunningRatio, quiet_s: float | None = None
) -> list[np.ndarray]:
    """Numbers of the samples at which each channel triggers, of recordings with gaps.

    A channel that has triggered does so again once it has been quiet for both averages. None triggers for that long
    after a gap, whose end would look like an onset.

    Args:
        samples: (C, T).
        known: (C, T) bool; false in gaps.
        rate_hz: sampling rate.
        settings: what counts as a trigger.
        quiet_s: how long a channel must have been quiet to trigger again; None: for both averages.
    """
    rest = round((settings.sta_s + settings.lta_s) * rate_hz)
    number = np.arange(samples.shape[1])
    # In a gap the last value goes on, so that an offset is no step.
    last = np.maximum.accumulate(np.where(known, number, -1), axis=1)
    first = known.argmax(1)[:, None]
    filled = np.take_along_axis(samples, np.maximum(last, first), 1)
    risen = _risen(filled - filled[:, :1], rate_hz, settings)
    unknown_until = np.maximum.accumulate(np.where(known, -rest, number), axis=1)
    risen &= known & (number - unknown_until >= rest)
    quiet = rest if quiet_s is None else max(1, round(quiet_s * rate_hz))
    before = np.maximum.accumulate(np.where(risen, number, -quiet), axis=1)
    before = np.concatenate([np.full((len(samples), 1), -quiet), before[:, :-1]], 1)
    begins = risen & (number - before >= quiet)
    return [np.flatnonzero(one) for one in begins]


def _risen(samples: np.ndarray, rate_hz: float, settings: RunningRatio) -> np.ndarray:
    """Whether the ratio has risen so far at each sample (C, T) of recordings without an offset.

    Raises:
        ConfigurationError: the band begins above what the rate holds.
    """
    high_hz = min(settings.band_hz[1], 0.98 * rate_hz / 2)
    if settings.band_hz[0] >= high_hz:
        raise ConfigurationError(f"band_hz={settings.band_hz} begins above what {rate_hz:g} samples a second hold.")
    sections = butter(FILTER_ORDER, (settings.band_hz[0], high_hz), "bandpass", fs=rate_hz, output="sos")
    return ratios(sosfilt(sections, samples, axis=1), rate_hz, settings) >= settings.on
