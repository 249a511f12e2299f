"""Find a learning rate, a batch size or a precision for an experiment; print it for train.py and write a yaml.

The experiment is given as to train.py: ``seisvision tune lr model=resnet50 task=offset``. Nothing is trained for good.
The only line on standard output is the setting. The yaml is chosen with ``tuned=lr`` and wins over the experiment.
"""

from __future__ import annotations

import argparse
import gc
import logging
from pathlib import Path
from typing import Any

from seisvision.base.figure_files import save_figure
from seisvision.errors import ConfigurationError
from seisvision.files import write_text
from seisvision.leftovers import temporary_folder
from seisvision.runs.terminal import show

log = logging.getLogger(__name__)

CONF = Path(__file__).resolve().parents[2] / "conf"
HELP = "learning rate, the largest batch that fits, or mixed precision where the device trains faster with it"
LARGEST_BATCH = 8192
"""Samples of one device beyond which no batch is tried."""
STEPS = 2
"""Steps that a batch is trained for; the second has the state of the optimiser in memory as well."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("what", choices=("lr", "batch", "precision"), help=HELP)
    parser.add_argument("overrides", nargs="*", help="the experiment, as for train.py; before any option")
    parser.add_argument(
        "--out", type=Path, help="yaml to write (default conf/tuned/lr.yaml, or as what was found is called)"
    )
    parser.add_argument("--figure", type=Path, help="PNG to draw of loss against learning rate (lr only)")
    parser.add_argument("--steps", type=int, default=100, help="steps of training to look at (lr only; default 100)")


def run(arguments: argparse.Namespace) -> int:
    """Find the value, write its yaml and print it as ``key=value``.

    Raises:
        ConfigurationError: the experiment cannot be composed or tuned, or no value stands out.
    """
    from hydra import compose, initialize_config_dir

    from seisvision.files import check_writable_file
    from seisvision.records.configuration import to_plain
    from seisvision.records.words.quoting import quoted_paths

    if arguments.steps < 10:
        raise ConfigurationError(f"--steps={arguments.steps} is too few to see anything; give 10 or more.")
    out = arguments.out or CONF / "tuned" / f"{arguments.what}.yaml"
    check_writable_file(out, "--out")
    if arguments.figure is not None:
        check_writable_file(arguments.figure, "--figure")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = to_plain(compose("train", overrides=quoted_paths(arguments.overrides)))
    _check_task(config)
    if arguments.what == "lr":
        section, key, value = "optimizer", "lr", find_learning_rate(config, arguments.steps, arguments.figure)
    elif arguments.what == "batch":
        section, key, value = "trainer", "batch_size", find_batch_size(config)
    else:
        section, key, value = "trainer", "precision", find_precision(config)
    about = f"# Found by: seisvision tune {arguments.what} {' '.join(arguments.overrides)}".rstrip()
    write_text(out, f"# @package _global_\n{about}\n{section}:\n  {key}: {value}\n")
    setting = f"{section}.{key}={value}"
    log.info("Written to %s. Use it with: python train.py %s", out, " ".join([*arguments.overrides, setting]))
    show(setting)
    return 0


def find_learning_rate(config: dict[str, Any], n_steps: int, figure: Path | None = None) -> float:
    """The rate at which the loss falls fastest while the rate grows tenfold and tenfold again (Smith 2017, 3.3).

    Args:
        config: resolved configuration of the experiment.
        n_steps: steps of training.
        figure: PNG of loss against rate.

    Raises:
        ConfigurationError: the loss falls nowhere.
    """
    from pytorch_lightning.tuner import Tuner

    task, data = _prepare(config)
    with temporary_folder() as scratch:
        tuner = Tuner(_trainer(config, default_root_dir=str(scratch)))
        finder = tuner.lr_find(task, datamodule=data, min_lr=1e-7, max_lr=1.0, num_training=n_steps, update_attr=False)
    rate = finder.suggestion() if finder is not None else None
    if finder is None or rate is None:
        raise ConfigurationError(f"The loss falls at no rate within {n_steps} steps. Give more --steps, or more data.")
    if figure is not None:
        _draw(finder.results, rate, figure)
    return float(f"{rate:.3g}")


def find_batch_size(config: dict[str, Any]) -> int:
    """The largest power of two whose training fits into the memory of a device, times the number of devices.

    Every size is tried on one device; none is larger than the training samples that fall to a device.

    Raises:
        ConfigurationError: there are too few samples, or not even two fit.
    """
    n_devices = _n_devices(config)
    task, data = _prepare(config)
    limit = min(LARGEST_BATCH, len(data.parts["train"]) // n_devices)
    if limit < 2:
        raise ConfigurationError(
            f"{len(data.parts['train'])} training samples are too few for batches on {n_devices} devices; give fewer."
        )
    found, size = 0, 2
    while size <= limit and _fits(config, task, data, size):
        found, size = size, 2 * size
    if not found:
        raise ConfigurationError(
            "Not even two samples at a time fit into the memory of a device. Choose a smaller model or view, or "
            "trainer.precision=bf16-mixed."
        )
    reason = f"{size} do not fit" if size <= limit else f"no more than {limit} are asked for"
    log.info("%d samples fit into a device (%s); devices: %d", found, reason, n_devices)
    return found * n_devices


def find_precision(config: dict[str, Any]) -> str:
    """``bf16-mixed`` where the device has units for it and trains faster with it, else ``32-true``; measured once."""
    import torch

    from seisvision.runs.mixed_precision import TIMED_STEPS, WARM_STEPS, faster_precision

    accelerator = config["trainer"]["accelerator"]
    on_gpu = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())

    def train(precision: str, clock: Any) -> None:
        changed = {**config, "trainer": {**config["trainer"], "precision": precision}}
        task, data = _prepare(config)
        steps = WARM_STEPS + TIMED_STEPS
        _trainer(changed, max_steps=steps, enable_checkpointing=False, callbacks=[clock]).fit(task, datamodule=data)

    return faster_precision(torch.device("cuda" if on_gpu else "cpu"), train)


def _check_task(config: dict[str, Any]) -> None:
    """Refuse a task whose loss after a few steps says nothing."""
    from seisvision.records.kinds import experiment_class, kind_of_config

    kind = kind_of_config(config)
    if not experiment_class(kind).can_be_tuned:
        raise ConfigurationError(
            f"seisvision tune cannot tune an experiment of kind {kind}: the loss of a few of its steps does not tell "
            "how good a learning rate is. Compare runs instead: python train.py -m optimizer.lr=1e-4,1e-3."
        )


def _n_devices(config: dict[str, Any]) -> int:
    """Devices of a run, on all its machines together."""
    from seisvision.runs.launch import n_processes

    settings = config["trainer"]
    # The batch that is configured need not be one for so many devices: another is looked for.
    here = {**settings, "num_nodes": 1, "batch_size": 0}
    return n_processes({**config, "trainer": here}) * int(settings["num_nodes"])


def _prepare(config: dict[str, Any]) -> tuple[Any, Any]:
    """The task and the data of an experiment, in this process."""
    from seisvision.records.kinds import experiment_class, kind_of_config
    from seisvision.runs.ensure import identify
    from seisvision.runs.terminal import quiet_libraries

    quiet_libraries()
    experiment = experiment_class(kind_of_config(config))(config, identify(config))
    experiment.load()
    task = experiment.build()
    experiment.ready()
    return task, experiment.batches(0)


def _trainer(config: dict[str, Any], **further: Any) -> Any:
    """A quiet trainer on one device."""
    import pytorch_lightning as pl
    from pytorch_lightning.plugins.environments import LightningEnvironment

    settings = config["trainer"]
    return pl.Trainer(
        accelerator=settings["accelerator"],
        devices=1,
        precision=settings["precision"],
        gradient_clip_val=settings["gradient_clip_val"],
        max_epochs=100_000,
        limit_val_batches=0,
        plugins=[LightningEnvironment()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **further,
    )


def _fits(config: dict[str, Any], task: Any, data: Any, size: int) -> bool:
    """Whether whole batches of a size can be trained on one device."""
    import torch
    from pytorch_lightning.utilities.memory import is_oom_error

    data.batch_size = size
    n_batches = min(STEPS, len(data.parts["train"]) // size)
    trainer = _trainer(config, max_steps=STEPS, limit_train_batches=n_batches, enable_checkpointing=False)
    try:
        trainer.fit(task, datamodule=data)
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not is_oom_error(error):
            raise
        return False
    finally:
        # What this trainer holds would be missing when the next size is tried.
        del trainer
        task.trainer = data.trainer = None
        task.zero_grad()
        gc.collect()
        torch.cuda.empty_cache()
    return True


def _draw(results: dict[str, list[float]], rate: float, path: Path) -> None:
    """Loss against learning rate, with the rate that was chosen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(results["lr"], results["loss"])
    axes.axvline(rate, linestyle="--", color="black", label=f"suggested: {rate:.3g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss, smoothed")
    axes.legend()
    save_figure(figure, path, dpi=150)
