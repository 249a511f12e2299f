"""Draw what the network of a stored run looked at (Grad-CAM), on samples of its own data set.

Written into the run folder: figures/OUTPUT_PART_gradcam.png, explain/OUTPUT_PART.npz (maps and pictures) and .json
(layer, samples, and how far the maps resemble those of the same network with random weights).
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision explain``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a finished training run")
    parser.add_argument("--samples", type=int, default=8, help="how many samples (default 8)")
    parser.add_argument("--part", choices=("train", "val", "test"), default="test", help="whose (default test)")
    parser.add_argument("--layer", help="name of a layer of the backbone (default: the last map of at least 4 x 4)")
    parser.add_argument("--data-dir", type=Path, help="where the waveform set lies (default: as when it was trained)")


def run(args: argparse.Namespace) -> int:
    """Explain, and print the folder of the figures last."""
    from seisvision.errors import ConfigurationError, DataError
    from seisvision.runs.build import build_data, build_task, build_view
    from seisvision.runs.checkpoint import load_checkpoint
    from seisvision.runs.explaining import check_explain, explain_run
    from seisvision.runs.folder import RunFolder
    from seisvision.runs.terminal import quiet_libraries

    folder = RunFolder(args.run_folder)
    if not folder.config_file.exists():
        raise ConfigurationError(f"{folder.path} is no run folder: it has no config.yaml. Give runs/<name>/<run id>.")
    quiet_libraries()
    checkpoint = load_checkpoint(folder.best_checkpoint)
    config = folder.config()
    # Published weights would only be overwritten by the checkpoint's own.
    config["model"]["pretrained"] = False
    if args.data_dir is not None:
        config["system"]["data_dir"] = str(args.data_dir)
    view = build_view(config)
    task = build_task(config, view)
    task.load_state_dict(checkpoint["state_dict"])
    settings = {"method": "gradcam", "samples": args.samples, "layer": args.layer}
    check_explain(settings, task)
    data = build_data(config, view)
    known = checkpoint["seisvision"]
    if (data.waveform_set.fingerprint, data.split.hash) != (known["data_fingerprint"], known["split_hash"]):
        raise DataError(
            f"{data.waveform_set.path} is not what this run was trained on: its fingerprint is "
            f"{data.waveform_set.fingerprint} and its split {data.split.hash}, not {known['data_fingerprint']} and "
            f"{known['split_hash']}. Restore the set, or name its folder with --data-dir."
        )
    explain_run(folder, config, data, task, settings, args.part)
    print(folder.figures)
    return 0
