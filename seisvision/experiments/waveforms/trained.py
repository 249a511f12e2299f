"""A trained network again, from a checkpoint that anybody may have written: the one place where it is opened."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seisvision.experiments.waveforms.network import build_task, build_view, network_input, taken_by_model
from seisvision.experiments.waveforms.settings import Settings, cut_section
from seisvision.outputs.picks.output import PickOutput
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.trust.contents import built_from, check_content, load_weights
from seisvision.records.trust.stored import check_weights, checked_config
from seisvision.views.waveforms.waveform import WaveformView

Adapt = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with its weights.

    Args:
        path: of its checkpoint.
        content: what the checkpoint says beside the weights.
        config: settings of its training, as they were adapted to where it is asked now.
        task: the network.
    """

    path: Path
    content: dict[str, Any]
    config: Settings
    task: Any

    @property
    def sampling_rate_hz(self) -> float | None:
        """At which rate its samples were served; None where a checkpoint of an earlier version does not say it."""
        view = self.task.view
        cut = self.config.dataset.section(cut_section(view)) or {}
        learnt = cut.get("sampling_rate_hz") or (self.content.get("recordings") or {}).get("sampling_rate_hz")
        picks = [float(output.rate_hz) for output in self.task.outputs if isinstance(output, PickOutput)]
        if learnt or (picks and picks[0] > 0):
            return float(learnt or picks[0])
        # A network of waveforms has as many samples as its window.
        return view.n_samples / float(cut["window"]["length_s"]) if isinstance(view, WaveformView) else None

    @property
    def lead_s(self) -> float | None:
        """From the start of its windows to the first P, the median of the training; None where nobody knew it."""
        lead_s = self.content.get("lead_s")
        return float(lead_s) if lead_s is not None and math.isfinite(lead_s) else None

    @classmethod
    def open(cls, path: Path, adapt: Adapt | None = None) -> TrainedNetwork:
        """Read a checkpoint and build its network, executing nothing that the file says.

        Args:
            path: of the checkpoint.
            adapt: turns the configuration of the training into the one that is asked now, such as with other folders.

        Raises:
            CheckpointError: it cannot be used, or holds the weights of another network.
            ConfigurationError: a setting is not allowed.
        """
        with built_from(path):
            checkpoint = load_checkpoint(path)
            check_content(checkpoint, path)
            content = checkpoint["seisvision"]
            stored = checked_config(content["config"], path)
            config = Settings.of(adapt(stored) if adapt else stored)
            view = build_view(config.view)
            check_weights(config.model, taken_by_model(config.model, network_input(config, view)), checkpoint, path)
            task = build_task(config, view)
            load_weights(task, checkpoint, path)
            return cls(path, content, config, task)
