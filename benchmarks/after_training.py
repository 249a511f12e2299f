"""What comes after the last epoch of a run, part by part, as a share of its training.

    python benchmarks/after_training.py [--epochs N] [experiment=demo_small ...]

Does the run that the words describe in this process, adds up the processor time of each part of it, and takes away what
a part spends in others that are told by themselves. With ``--epochs`` only so many are trained: the whole training is
then these, and as many of the later ones as lack to what the configuration asks for.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import tell_machine

from seisvision.records.settings import SystemSettings
from seisvision.records.words.composing import compose_experiment
from seisvision.runs.ensure import ensure_run

SUPERVISED = "seisvision.experiments.supervised"
TRAINING = "seisvision.runs.training:_fit"
EPOCH_END = "seisvision.runs.callbacks:KeepCheckpoints.on_train_epoch_end"
PARTS = {
    "weights of the best epoch": ("seisvision.runs.training:_take_best",),
    "predictions": (f"{SUPERVISED}.experiment:SupervisedExperiment.ask",),
    "measures and calibration": (f"{SUPERVISED}.experiment:measure", f"{SUPERVISED}.experiment:add_conformal"),
    "baselines: features": (f"{SUPERVISED}.baselines.own:_features",),
    "baselines: fits and differences": (f"{SUPERVISED}.experiment:compare_with_baselines",),
    "locating": (f"{SUPERVISED}.experiment:SupervisedExperiment._locate",),
    "pictures of samples": (
        "seisvision.experiments.waveforms.figures:pictures",
        f"{SUPERVISED}.reporting:pictures",
    ),
    "figures": (
        f"{SUPERVISED}.reporting:draw_training",
        f"{SUPERVISED}.reporting:draw_results",
        f"{SUPERVISED}.reporting:draw_answers",
        f"{SUPERVISED}.reporting:error_against_figure",
    ),
    "thumbnails": (f"{SUPERVISED}.reporting:_store_thumbnails",),
    "tables, errors by source, files of samples": (f"{SUPERVISED}.experiment:write_report",),
    "predictions and metrics as files": (
        f"{SUPERVISED}.experiment:write_predictions",
        f"{SUPERVISED}.experiment:write_metrics",
    ),
    "dashboards": ("seisvision.runs.training:send_results",),
    "manifest": ("seisvision.runs.work:write_manifest",),
}
"""Parts of what comes after the training, and the functions whose time is theirs, as those know them who call them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, help="train only so many; two at least tell later ones from the first")
    asked, words = parser.parse_known_args()
    tell_machine()
    clock = Clock()
    with tempfile.TemporaryDirectory() as scratch:
        fixed = ["logger=csv", "system.num_workers=0", f"system.runs_dir={scratch}"]
        config = compose_experiment([*fixed, *words])
        n_epochs = config["trainer"]["max_epochs"]
        # As of a set that was never used: otherwise features lie beside it.
        setattr(SystemSettings, "features_dir", Path(scratch) / "features")  # noqa: B010 - a property of a class
        if asked.epochs is not None:
            config["trainer"]["max_epochs"] = asked.epochs
        timed_run(config, clock)
    tell(clock, n_epochs)


def timed_run(config: dict[str, Any], clock: Clock) -> None:
    """Do a run, and let the clock note what it takes."""
    for part, targets in PARTS.items():
        for target in targets:
            clock.watch(target, part)
    clock.watch(TRAINING, TRAINING)
    clock.watch(EPOCH_END, EPOCH_END)
    ensure_run(config, [])
    clock.end = time.process_time()


def tell(clock: Clock, n_epochs: int) -> None:
    """Print the share of what came after the training, and its parts."""
    epochs = clock.ends[EPOCH_END]
    began = clock.ends[TRAINING][0] - clock.whole[TRAINING]
    lacking = n_epochs - len(epochs)
    training_s = clock.whole[TRAINING]
    if lacking and len(epochs) > 1:
        training_s += lacking * (epochs[-1] - epochs[0]) / (len(epochs) - 1)
    elif lacking:
        training_s += lacking * (epochs[0] - began)
    after_s = clock.end - clock.ends[TRAINING][0]
    how = f"{len(epochs)} trained, {lacking} extrapolated" if lacking > 0 else "all of them trained"
    print(f"{n_epochs} epochs ({how}): {training_s:.1f} s of processor, {training_s / n_epochs:.2f} s each")
    print(f"after training: {after_s:.1f} s, {100 * after_s / training_s:.1f} % of it")
    parts = {part: clock.seconds[part] for part in PARTS}
    parts["all else"] = after_s - sum(parts.values())
    for part, seconds in parts.items():
        print(f"{part:44s} {seconds:7.2f} s  {100 * seconds / training_s:5.1f} %")


class Clock:
    """Processor seconds of functions, by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        """Without those of other parts within."""
        self.whole: dict[str, float] = defaultdict(float)
        """With them."""
        self.ends: dict[str, list[float]] = defaultdict(list)
        """When each call returned."""
        self.end = 0.0
        self._within = [0.0]

    def watch(self, target: str, part: str) -> None:
        """Let a function, ``module:name`` or ``module:class.name``, add its time to a part."""
        owner, name = place_of(target)
        setattr(owner, name, self._timed(part, getattr(owner, name)))

    def _timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def timed(*given: Any, **named: Any) -> Any:
            before = time.process_time()
            self._within.append(0.0)
            try:
                return call(*given, **named)
            finally:
                self.ends[part].append(time.process_time())
                took = self.ends[part][-1] - before
                self.seconds[part] += took - self._within.pop()
                self.whole[part] += took
                self._within[-1] += took

        return timed


def place_of(target: str) -> tuple[Any, str]:
    """Where a function stands: its module or class, and its name there."""
    module_name, _, path = target.partition(":")
    *owners, name = path.split(".")
    return functools.reduce(getattr, owners, importlib.import_module(module_name)), name


if __name__ == "__main__":
    main()
