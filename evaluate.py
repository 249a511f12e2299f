"""Evaluate a checkpoint on its own test events, or predict another waveform set.

``python evaluate.py ckpt=runs/default/<run id>``                   the stored test metrics again
``python evaluate.py ckpt=... dataset=folder dataset.source.path=...``   another set, with or without labels

Events of another set that the network has seen in its training, whatever they are called there, are left out and listed
in excluded.csv; ``training_events=mark`` measures them apart, ``training_events=keep`` only counts them.

The last line of standard output is the folder with metrics.json and predictions.csv.
"""

import sys

import hydra
from omegaconf import DictConfig

from seisvision.runs.terminal import run_command, telling


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
@telling
def evaluate(config: DictConfig) -> None:
    """Evaluate the checkpoint that the configuration names."""
    from seisvision.commands.evaluate import evaluate_checkpoint

    evaluate_checkpoint(config)


if __name__ == "__main__":
    sys.exit(run_command(evaluate, "evaluate"))
