"""Train, evaluate and store one experiment, or with ``-m`` a sweep of them.

``python train.py``                                     the default experiment
``python train.py model=resnet50 optimizer.lr=3e-4``    choose a group, set a key
``python train.py -m model=resnet18,resnet50``          a sweep
``python train.py --help``                              every group and key

The last line of standard output is the run folder, or the sweep's.
"""

import sys

import hydra
from omegaconf import DictConfig

from seisvision.runs.terminal import run_command, telling
from seisvision.sweeps.sweeper import register


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
@telling
def train(config: DictConfig) -> float | None:
    """Run the composed experiment and return what a sweep optimises."""
    from seisvision.commands.train import run_experiment

    return run_experiment(config)


if __name__ == "__main__":
    register()
    sys.exit(run_command(train, "train"))
