"""Typed settings of what every run has: this machine, the training, and what ``evaluate.py`` asks.

They are built once, at the door, from the mappings that configuration is; what stands below takes the part it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

Spec = Mapping[str, Any]
"""What is built by :func:`~seisvision.records.configuration.instantiate`: ``_target_`` and the settings beside it."""
Section = TypeVar("Section")


def section_of(kind: type[Section], said: Mapping[str, Any], **changed: Any) -> Section:
    """A section of a configuration as a dataclass; what it does not say has the defaults of that.

    Args:
        kind: the dataclass.
        said: the section; what the dataclass does not have is passed over.
        changed: fields that are not as they were said.
    """
    known = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    return kind(**{key: value for key, value in said.items() if key in known} | changed)


@dataclass(frozen=True)
class SystemSettings:
    """The group ``system``: folders and strength of this machine, which change no result."""

    data_dir: Path
    runs_dir: Path = Path("runs")
    scratch: str | None = None
    num_workers: int = 0
    num_threads: int | None = None
    memory_gb: float = 4.0
    progress: str = "auto"
    fused_optimizer: bool | str = "auto"
    """Whether the optimiser steps in one kernel; ``auto``: on GPUs, see :mod:`seisvision.runs.speed`."""
    compile: bool | str = False
    """Whether torch compiles the backbone, or the mode in which it does."""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> SystemSettings:
        """From the group."""
        folders = {key: Path(str(said[key])) for key in ("data_dir", "runs_dir") if key in said}
        return section_of(cls, said, **folders)

    @property
    def features_dir(self) -> Path:
        """Where detected onsets, hand-made features and predicted distances are kept."""
        return self.data_dir / "features"


@dataclass(frozen=True)
class TrainerSettings:
    """The group ``trainer``: how long and how exactly to train, and on what devices."""

    batch_size: int
    max_epochs: int = 1
    early_stopping_patience: int | None = None
    precision: str | int = "32-true"
    gradient_clip_val: float | None = None
    deterministic: bool | str = False
    overfit_batches: float = 0.0
    devices: int | str | list[int] = 1
    accelerator: str = "auto"
    strategy: str = "auto"
    num_nodes: int = 1
    further: Mapping[str, Any] = field(default_factory=dict)
    """Settings that Lightning's trainer takes as they are."""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> TrainerSettings:
        """From the group."""
        own = {one.name for one in fields(cls)}
        return section_of(cls, said, further={key: value for key, value in said.items() if key not in own})


@dataclass(frozen=True)
class EvaluateSettings:
    """``conf/evaluate.yaml``: what is asked of trained networks, and where."""

    ckpt: str | list[str]
    part: str
    system: SystemSettings
    level: float = 0.95
    accelerator: str = "auto"
    training_events: str = "leave_out"
    dataset: Mapping[str, Any] | None = None
    """Another set; None asks about the one the networks were trained on."""
    location: Mapping[str, Any] | None = None
    uncertainty: Mapping[str, Any] | None = None
    offset_ckpt: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    """All of it as it was composed, to be written beside the results."""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> EvaluateSettings:
        """From the composed and resolved configuration."""
        return section_of(cls, said, system=SystemSettings.of(said["system"]), record=said)
