"""What every kind of experiment promises to the engine, which does runs of all kinds and knows none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl

from seisvision.errors import ConfigurationError
from seisvision.records.configuration import model_name
from seisvision.records.folder import RunFolder
from seisvision.records.identity import LATER
from seisvision.records.kinds import kind_of_config
from seisvision.records.settings import EvaluateSettings


class Experiment(ABC):
    """One run of a kind. The engine (``runs/training.py``) calls the methods in the order in which they stand here.

    Its data come from ``dataset.source``, which says what they are known by (``fingerprint``) and makes them
    (``prepare``): the id of a run follows from it in processes that never import a kind.

    Args:
        config: resolved configuration of the run.
        folder: of the run.
    """

    remakes_batches: ClassVar[bool] = False
    """Whether the batches of every epoch are made anew, from what the network has learnt."""
    needs_whole_weights: ClassVar[bool] = False
    """Whether every process must hold all weights between epochs."""
    can_be_tuned: ClassVar[bool] = True
    """Whether the loss of a few steps tells how good a learning rate is (``seisvision tune``)."""
    tells_uncertainty: ClassVar[bool] = False
    """Whether the group ``uncertainty`` means something."""
    begins_with_weights: ClassVar[bool] = False
    """Whether ``init_from`` and ``fine_tune`` mean something."""

    task: Any
    """The LightningModule, from :meth:`build` on. It names ``monitor`` and ``monitor_mode``, puts ``about`` into its
    checkpoints, and logs ``train/loss`` and, with validation samples, ``val/loss``."""

    def __init__(self, config: dict[str, Any], folder: RunFolder) -> None:
        self.config = config
        self.folder = folder
        self.kind = kind_of_config(config)
        if config.get("uncertainty") is not None and not self.tells_uncertainty:
            raise ConfigurationError(
                f"uncertainty asks networks that learn from labels, and this is an experiment of kind {self.kind}. "
                "Choose uncertainty=none."
            )
        is_tuned = config.get("fine_tune") not in (None, LATER["fine_tune"])
        if (config.get("init_from") or is_tuned) and not self.begins_with_weights:
            raise ConfigurationError(
                "init_from and fine_tune are for networks of waveform sets, and this is an experiment of kind "
                f"{self.kind}. Leave them out."
            )

    @abstractmethod
    def load(self) -> None:
        """Open and check the data; the first process alone, then the others."""

    @abstractmethod
    def build(self) -> pl.LightningModule:
        """The untrained task, the same at every call."""

    def ready(self) -> None:  # noqa: B027 (nothing to do for most)
        """Do what needs task and data together, in all processes, and refuse what could not be trained."""

    @abstractmethod
    def introduce(self) -> None:
        """Say in a few lines what runs, and write what the folder holds of the data; the first process only."""

    @abstractmethod
    def content(self) -> dict[str, Any]:
        """What makes a checkpoint usable by itself, beside configuration, version and run: plain containers only."""

    @abstractmethod
    def batches(self, first_epoch: int) -> pl.LightningDataModule | None:
        """What the training draws from, beginning with an epoch; None where the task makes its own."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """``outputs`` and ``data`` for ``metrics.json``: what is predicted, and of what samples.

        ``data`` has ``name``, ``fingerprint``, ``split_hash``, ``unit``, ``samples`` and ``events`` by part.
        """

    def flops(self) -> int | None:
        """Floating-point operations of the network for one sample; None where nobody counts them."""
        return None

    @abstractmethod
    def ask(self) -> Any:
        """What the best epoch says, for :meth:`judge`; in all processes."""

    @abstractmethod
    def judge(self, said: Any, about: dict[str, Any]) -> dict[str, Any]:
        """Measure what was said and write ``metrics.json``, tables and figures; the first process only.

        Args:
            said: of :meth:`ask`.
            about: what the engine knows of the run; it goes first into ``metrics.json``.

        Returns:
            What ``metrics.json`` holds.
        """

    def check_explain(self, settings: Mapping[str, Any]) -> None:
        """Refuse, before anything is trained, an explanation that could not be made.

        Raises:
            ConfigurationError: this kind explains nothing.
        """
        raise ConfigurationError("explain asks what an output looked at, and here is none. Set explain=none.")

    def explain(self, settings: Mapping[str, Any], part: str) -> None:
        """Explain the trained network on some samples of a part; only after :meth:`check_explain`."""
        raise NotImplementedError

    def send(self, loggers: Sequence[Any]) -> None:  # noqa: B027 (nothing to do for most)
        """Put on the dashboards what only this kind has; measures, tables and figures are there already."""

    @classmethod
    def explain_stored(
        cls, folder: RunFolder, settings: Mapping[str, Any], part: str, data_dir: Path | None = None
    ) -> None:
        """Explain a finished run.

        Args:
            folder: of the run.
            settings: the group ``explain``.
            part: whose samples.
            data_dir: where data lie; ``None``: as when it was trained.

        Raises:
            ConfigurationError: this kind explains nothing.
        """
        raise ConfigurationError(f"{folder.path} cannot be explained: an explanation asks what an output looked at.")

    @classmethod
    def evaluate(cls, asked: EvaluateSettings, checkpoints: Sequence[Path]) -> Path:
        """Ask trained networks again, for ``evaluate.py``.

        Args:
            asked: settings of ``conf/evaluate.yaml``.
            checkpoints: of one network, or of several.

        Returns:
            The folder written.

        Raises:
            ConfigurationError: this kind cannot be evaluated again.
        """
        raise ConfigurationError(f"{checkpoints[0]} belongs to a kind of experiment that evaluate.py cannot ask again.")

    @property
    def model_name(self) -> str:
        """What the network is called in tables."""
        return model_name(self.config)
