"""What ``evaluate.py`` does: ask one trained network again, or several, whatever kind of experiment made them."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from seisvision.errors import CheckpointError
from seisvision.experiments.waveforms.sets.other_set import may_be_open
from seisvision.files import check_writable
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.configuration import to_plain
from seisvision.records.finding import checkpoints_of
from seisvision.records.kinds import experiment_class, kind_of_config
from seisvision.records.settings import EvaluateSettings
from seisvision.runs.terminal import quiet_libraries


def evaluate_checkpoint(composed: DictConfig) -> Path:
    """Predict, measure where there are labels, and write ``metrics.json``, ``predictions.csv``, tables and figures.

    Returns:
        The folder written, which is also the last line on standard output.

    Raises:
        CheckpointError: the checkpoint cannot be used, or does not go with the others.
        DataError: the data are not what the checkpoint knows, or are damaged.
        ConfigurationError: the settings do not fit the checkpoint.
    """
    quiet_libraries()
    asked = EvaluateSettings.of(to_plain(may_be_open(composed)))
    check_writable(asked.system.runs_dir / "evaluate", "system.runs_dir")
    checkpoints = checkpoints_of(asked.ckpt)
    kinds = {path: _kind_of(path) for path in checkpoints}
    first = kinds[checkpoints[0]]
    for path, kind in kinds.items():
        if kind != first:
            raise CheckpointError(
                f"{path} does not go with {checkpoints[0]}: one is of kind {kind}, the other of kind {first}. Average "
                "runs of one task on one set."
            )
    return experiment_class(first).evaluate(asked, checkpoints)


def _kind_of(path: Path) -> str:
    """The kind of experiment that made a checkpoint."""
    from seisvision.records.trust.contents import check_content

    checkpoint = load_checkpoint(path)
    check_content(checkpoint, path)
    return kind_of_config(checkpoint["seisvision"]["config"])
