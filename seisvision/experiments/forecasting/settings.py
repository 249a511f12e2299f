"""Typed settings of forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.records.settings import Spec, SystemSettings, TrainerSettings, section_of

NO_LEAK, MAP_LEAK, EPOCH_LEAK = "none", "frequency_map", "test_epoch"
LEAKS = (NO_LEAK, MAP_LEAK, EPOCH_LEAK)
"""What is done as papers have done it, so that it can be seen what it is worth: a map of how often each cell had events
that counts those of the test too (Kail et al. 2022), and an epoch chosen on the test (SafeNet's published code)."""


@dataclass(frozen=True)
class MapSettings:
    """Maps that networks see."""

    magnitudes: Sequence[float]
    n_steps: int = 5
    step_days: float = 5.0


@dataclass(frozen=True)
class IndicatorSettings:
    """Indicators that networks see."""

    kind: str = "eight"
    n_steps: int = 5
    step_days: float = 30.0
    n_events: int = 100
    memory_days: float = 730.0
    characteristic: float | None = None
    spans_days: Sequence[float] = (30.0, 365.0, 1825.0)


@dataclass(frozen=True)
class SampleSettings:
    """What a sample is."""

    maps: MapSettings
    indicators: IndicatorSettings
    unit: str = "region"
    patch: int = 11
    step_days: float | None = None
    """From one issue of training or validation to the next; None takes the length of a window."""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> SampleSettings:
        """From ``dataset.samples``."""
        maps = section_of(MapSettings, said["maps"])
        return section_of(cls, said, maps=maps, indicators=section_of(IndicatorSettings, said["indicators"]))


@dataclass(frozen=True)
class ReferenceSettings:
    """How references are fitted and everything is judged."""

    background: str = "smoothed"
    simulations: int = 200
    block_days: float = 30.0


@dataclass(frozen=True)
class DatasetSettings:
    """The catalogue, and what is to be forecast of it."""

    name: str
    source: Spec
    fit: str
    test: str
    samples: SampleSettings
    region: str | None = None
    complete: float | None = None
    after_large: bool = False
    cell_km: float | None = None
    cell_deg: float | None = None
    magnitude: float | None = None
    window_days: float = 1.0
    lead_days: float = 0.0
    references: ReferenceSettings = field(default_factory=ReferenceSettings)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> DatasetSettings:
        """From the group ``dataset``."""
        missing = [key for key in ("name", "source", "fit", "test", "samples") if key not in said]
        if missing:
            raise ConfigurationError(
                f"dataset says no {', '.join(missing)}, which a forecast needs. Choose one made for it, such as "
                "dataset=etas_world, or copy conf/dataset/catalogue.yaml."
            )
        references = section_of(ReferenceSettings, said.get("references") or {})
        return section_of(cls, said, samples=SampleSettings.of(said["samples"]), references=references)


@dataclass(frozen=True)
class TimeSplit:
    """The group ``split`` of forecasts."""

    val_fraction: float = 0.25
    gap_days: float | None = None
    fold: int | None = None
    n_folds: int | None = None
    leak: str = NO_LEAK

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> TimeSplit:
        """From the group.

        Raises:
            ConfigurationError: it splits otherwise than by time, or asks for a leak that is not known.
        """
        if said.get("by") != "time" or "leak" not in said:
            raise ConfigurationError(
                f"split.by={said.get('by')} is not for forecasts: only what came later can judge. Set split=by_time."
            )
        if said["leak"] not in LEAKS:
            raise ConfigurationError(
                f"split.leak={said['leak']} is not known. {did_you_mean(str(said['leak']), list(LEAKS))}"
            )
        return section_of(cls, said)


@dataclass(frozen=True)
class ForecastSettings:
    """All settings of a run."""

    seed: int
    dataset: DatasetSettings
    split: TimeSplit
    model: Spec
    task: Spec
    optimizer: Spec
    scheduler: Spec | None
    trainer: TrainerSettings
    system: SystemSettings
    with_test: bool
    with_references: bool

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> ForecastSettings:
        """From the resolved configuration."""
        return cls(
            seed=config["seed"],
            dataset=DatasetSettings.of(config["dataset"]),
            split=TimeSplit.of(config["split"] or {}),
            model=config["model"],
            task=config["task"],
            optimizer=config["optimizer"],
            scheduler=config["scheduler"],
            trainer=TrainerSettings.of(config["trainer"]),
            system=SystemSettings.of(config["system"]),
            with_test=config["run"]["test"],
            with_references=config["evaluation"]["baselines"],
        )
