"""Draw what the network of a stored run looked at (Grad-CAM), on samples of its own data set.

Written into the run folder: figures/OUTPUT_PART_gradcam.png, explain/OUTPUT_PART.npz (maps and pictures) and .json
(layer, samples, and how far the maps resemble those of the same network with random weights).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision explain``."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a finished training run")
    parser.add_argument("--samples", type=int, default=8, help="how many samples (default 8)")
    parser.add_argument("--part", choices=("train", "val", "test"), default="test", help="whose (default test)")
    parser.add_argument("--layer", help="name of a layer of the backbone (default: the last map of at least 4 x 4)")
    parser.add_argument("--data-dir", type=Path, help="where the waveform set lies (default: as when it was trained)")


def run(args: argparse.Namespace) -> int:
    """Explain, and print the folder of the figures last."""
    from seisvision.errors import ConfigurationError
    from seisvision.records.folder import RunFolder
    from seisvision.runs.terminal import quiet_libraries

    folder = RunFolder(args.run_folder)
    if not folder.config_file.exists():
        raise ConfigurationError(f"{folder.path} is no run folder: it has no config.yaml. Give runs/<name>/<run id>.")
    from seisvision.experiments.supervised.explain_stored import explain_stored

    quiet_libraries()
    settings = {"method": "gradcam", "samples": args.samples, "layer": args.layer}
    explain_stored(folder, settings, args.part, args.data_dir)
    say(folder.figures)
    return 0
