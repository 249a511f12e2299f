"""Frequency bands of a configuration against the rate that the samples have, before anything is trained."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.trust.allowed import leaves

log = logging.getLogger(__name__)

Band = tuple[float, float]

PICTURE_KEYS = ("band_hz", "bands_hz", "frequency_range_hz")
"""Settings of views that hold a band."""


def check_bands(config: Settings, section: str, waveform_set: WaveformSet) -> None:
    """Refuse bands that the samples cannot hold: of pictures, of detected onsets and of baselines.

    Pictures need all of a band. Onsets and baselines take what of a band lies below the Nyquist frequency, which is
    said; none of it may be missing altogether.

    Args:
        config: resolved configuration.
        section: ``samples`` or ``traces`` of the data set, whichever the view draws.
        waveform_set: gives the rate where the configuration asks for none.

    Raises:
        ConfigurationError: names the band, the Nyquist frequency and the setting.
    """
    cut = config.dataset.section(section) or {}
    stored_hz = float(waveform_set.table["trace_sampling_rate_hz"].max())
    rate_hz = float(cut.get("sampling_rate_hz") or stored_hz)
    for key, (low_hz, high_hz) in bands_of(config.view, "view", PICTURE_KEYS):
        reaches = high_hz > rate_hz / 2 or (high_hz == rate_hz / 2 and not key.endswith("range_hz"))
        if reaches:
            _refuse(key, (low_hz, high_hz), rate_hz)
    # Onsets are detected in what is stored, before it is resampled.
    _check_partly(bands_of(cut.get("onset") or {}, f"dataset.{section}.onset", ("bands_hz",)), stored_hz)
    if config.with_baselines and config.task.get("outputs"):
        names = ("bands_hz", "ratio_bands_hz")
        _check_partly(bands_of(config.dataset.baselines or {}, "dataset.baselines", names), rate_hz)


def bands_of(settings: Mapping[str, Any], where: str, names: tuple[str, ...]) -> Iterator[tuple[str, Band]]:
    """Setting and band, in Hz, of every pair of numbers that stands below one of some names."""
    found: dict[str, list[Any]] = {}
    for path, value in leaves(settings, where):
        parent, _, number = path.rpartition("[")
        name = parent.rpartition(".")[2].partition("[")[0]
        if number.endswith("]") and name in names:
            found.setdefault(parent, []).append(value)
    for key, values in found.items():
        if len(values) == 2 and all(isinstance(value, int | float) for value in values):
            yield key, (float(values[0]), float(values[1]))


def _check_partly(bands: Iterator[tuple[str, Band]], rate_hz: float) -> None:
    for key, band in bands:
        if band[0] >= rate_hz / 2:
            _refuse(key, band, rate_hz)
        elif band[1] > rate_hz / 2:
            log.warning(
                "%s=[%g, %g] Hz reaches above the Nyquist frequency %g Hz of samples at %g Hz: only what lies below "
                "it is used.",
                key, *band, rate_hz / 2, rate_hz,
            )  # fmt: skip


def _refuse(key: str, band: Band, rate_hz: float) -> None:
    raise ConfigurationError(
        f"{key}=[{band[0]:g}, {band[1]:g}] Hz lies above or reaches the Nyquist frequency {rate_hz / 2:g} Hz of "
        f"samples at {rate_hz:g} Hz. Set {key.partition('[')[0]} to lower frequencies, raise "
        "sampling_rate_hz of the data where it is set, or use a set of a higher rate."
    )
