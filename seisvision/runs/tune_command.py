"""Find a learning rate or a batch size for an experiment, and write it as a yaml that train.py takes.

The experiment is given as to train.py: ``seisvision tune lr model=resnet50 task=offset``. Nothing is trained for good.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from typing import Any

from seisvision.errors import ConfigurationError
from seisvision.files import write_text
from seisvision.runs.terminal import show

log = logging.getLogger(__name__)

CONF = Path(__file__).resolve().parents[2] / "conf"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("what", choices=("lr", "batch"), help="learning rate, or the largest batch that fits")
    parser.add_argument("overrides", nargs="*", help="the experiment, as for train.py; before any option")
    parser.add_argument("--out", type=Path, help="yaml to write (default conf/local/tuned_lr.yaml or tuned_batch.yaml)")
    parser.add_argument("--steps", type=int, default=100, help="steps of training to look at (default 100)")


def run(arguments: argparse.Namespace) -> int:
    """Find the value, write the yaml and name it in the last line.

    Raises:
        ConfigurationError: the experiment cannot be composed, or no value stands out.
    """
    from hydra import compose, initialize_config_dir

    from seisvision.runs.configuration import to_plain

    if arguments.steps < 10:
        raise ConfigurationError(f"--steps={arguments.steps} is too few to see anything; give 10 or more.")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = to_plain(compose("train", overrides=arguments.overrides))
    out = arguments.out or CONF / "local" / f"tuned_{arguments.what}.yaml"
    if arguments.what == "lr":
        section, key, value = "optimizer", "lr", find_learning_rate(config, arguments.steps, out.with_suffix(".png"))
    else:
        section, key, value = "trainer", "batch_size", find_batch_size(config)
    about = f"# Found by: seisvision tune {arguments.what} {' '.join(arguments.overrides)}".rstrip()
    write_text(out, f"# @package _global_\n{about}\n{section}:\n  {key}: {value}\n")
    log.info("Use it with: python train.py %s", " ".join([*arguments.overrides, f"{section}.{key}={value}"]))
    show(str(out))
    return 0


def find_learning_rate(config: dict[str, Any], n_steps: int, figure: Path) -> float:
    """The rate at which the loss falls fastest while the rate grows tenfold and tenfold again (Smith 2017, 3.3).

    Args:
        config: resolved configuration of the experiment.
        n_steps: steps of training.
        figure: PNG of loss against rate.

    Raises:
        ConfigurationError: the loss falls nowhere.
    """
    with tempfile.TemporaryDirectory(prefix="seisvision-") as scratch:
        tuner, task, data = _prepare(config, scratch)
        finder = tuner.lr_find(task, datamodule=data, min_lr=1e-7, max_lr=1.0, num_training=n_steps, update_attr=False)
    rate = finder.suggestion() if finder is not None else None
    if rate is None:
        raise ConfigurationError(f"The loss falls at no rate within {n_steps} steps. Give more --steps, or more data.")
    _draw(finder.results, rate, figure)
    return float(f"{rate:.3g}")


def find_batch_size(config: dict[str, Any]) -> int:
    """The largest power of two that fits into memory, at most the number of training samples."""
    with tempfile.TemporaryDirectory(prefix="seisvision-") as scratch:
        tuner, task, data = _prepare(config, scratch)
        found = tuner.scale_batch_size(task, datamodule=data, init_val=2, max_trials=16, steps_per_trial=2)
    return int(min(found or 2, len(data.parts["train"])))


def _prepare(config: dict[str, Any], scratch: str) -> tuple[Any, Any, Any]:
    """A tuner and what it is to tune, in this process; untrained weights are put aside in the folder ``scratch``."""
    import pytorch_lightning as pl
    import torch
    from pytorch_lightning.plugins.environments import LightningEnvironment
    from pytorch_lightning.tuner import Tuner

    from seisvision.runs.build import build_data, build_task, build_view
    from seisvision.runs.terminal import quiet_libraries

    quiet_libraries()
    view = build_view(config)
    data = build_data(config, view)
    task = build_task(config, view)
    for output in task.outputs:
        output.fit_statistics(torch.from_numpy(data.parts["train"].targets[output.target]))
    if view.needs_fit:
        view.fit(data.loader("train"))
    settings = config["trainer"]
    trainer = pl.Trainer(
        accelerator=settings["accelerator"],
        devices=1,
        precision=settings["precision"],
        gradient_clip_val=settings["gradient_clip_val"],
        max_epochs=100_000,
        limit_val_batches=0,
        plugins=[LightningEnvironment()],
        default_root_dir=scratch,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    return Tuner(trainer), task, data


def _draw(results: dict[str, list[float]], rate: float, path: Path) -> None:
    """Loss against learning rate, with the rate that was chosen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(results["lr"], results["loss"])
    axes.axvline(rate, linestyle="--", color="black", label=f"suggested: {rate:.3g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss, smoothed")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
