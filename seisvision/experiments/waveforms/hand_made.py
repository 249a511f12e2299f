"""Settings of hand-made features, and the key under which those of a set are kept."""

from __future__ import annotations

import json
from typing import Any

from seisvision.base.units import unit_named
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.experiments.waveforms.settings import Settings


def features_key(config: Settings, data: EventDataModule, n_samples: int) -> str:
    """All that stored features of the samples depend on."""
    cut = [
        data.unit,
        config.dataset.section(unit_named(data.unit).section),
        config.offset_hash,
        config.seed,
        n_samples,
    ]
    return json.dumps([data.waveform_set.fingerprint, *cut], sort_keys=True)


def feature_settings(config: Settings) -> dict[str, dict[str, Any]]:
    """Settings of the feature functions by kind."""
    bands = config.dataset.baselines
    bands_hz = bands["bands_hz"]
    return {
        "band_power": {"bands_hz": bands_hz},
        "spectral_ratio": {"bands_hz": bands.get("ratio_bands_hz") or [bands_hz[-1], bands_hz[0]]},
    }
