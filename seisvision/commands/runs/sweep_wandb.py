"""Write the sweep file that a Weights & Biases agent needs to run a preset of conf/sweep.

The agent starts ``python train.py key=value ...``, in Hydra's own syntax, so every setting can be swept. Further
settings are given as to train.py -m; what has several values or an interval is swept, the rest is passed on.

    seisvision sweep wandb conf/sweep/seeds.yaml trainer.max_epochs=5 \\
        --out sweep.yaml
    wandb sweep sweep.yaml
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``seisvision sweep wandb``."""
    parser.add_argument("preset", type=Path, metavar="PRESET.yaml", help="a file of conf/sweep")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings as of train.py -m")
    parser.add_argument("--out", type=Path, default=Path("sweep.yaml"), metavar="FILE", help="default sweep.yaml here")
    parser.add_argument(
        "--method", choices=("grid", "random", "bayes"), help="default grid, or bayes where an interval is swept"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the file; the last line of output is its path."""
    from seisvision.files import check_writable_file, write_text
    from seisvision.runs.terminal import show
    from seisvision.sweeps.wandb_file import wandb_sweep

    check_writable_file(arguments.out, "--out")
    write_text(arguments.out, wandb_sweep(arguments.preset, arguments.overrides, arguments.method))
    show(str(arguments.out))
    return 0
