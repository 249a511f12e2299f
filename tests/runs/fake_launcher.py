"""A launcher whose runs take no time: their results follow from their settings."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from tiny_runs import ROOT, TINY

from seisvision.files import write_text
from seisvision.records.folder import RunFolder, read_json, write_json
from seisvision.records.sweeps.folder import SweepFolder
from seisvision.sweeps.plan import read_plan
from seisvision.sweeps.points import compose_point
from seisvision.sweeps.search import do_search
from seisvision.sweeps.sweeper import do_grid

EPOCHS = 6


def value_after(config: dict[str, Any], epoch: int) -> float:
    """A validation value that is best at a learning rate of 1e-3 and grows with the epochs."""
    return 1.0 - abs(math.log10(config["optimizer"]["lr"]) + 3.0) / 4.0 - 0.1 / (epoch + 1)


class FakeLauncher:
    """Ends every run at once.

    Args:
        spoil: called with the number of the run (from 1) and its configuration before it ends; may raise.
        value: validation value of a configuration after an epoch (from 0).
    """

    at_once = 1
    takes_all = False
    waits = True

    def __init__(
        self,
        spoil: Callable[[int, dict[str, Any]], None] = lambda number, config: None,
        value: Callable[[dict[str, Any], int], float] = value_after,
    ) -> None:
        self.done: list[RunFolder] = []
        self._spoil, self._value = spoil, value

    def run(self, folders: Iterable[RunFolder]) -> Iterator[RunFolder]:
        """Write what runs write, one after the other, and heed limits as they do."""
        for folder in folders:
            self.done.append(folder)
            folder.mark_running()
            try:
                self._spoil(len(self.done), folder.config())
                self._work(folder)
            except ValueError as error:
                folder.mark_failed(f"ValueError: {error}")
            yield folder

    def _work(self, folder: RunFolder) -> None:
        config = folder.config()
        name = config["task"]["monitor"][0]
        limits = read_json(folder.limits_file)["limits"] if folder.limits_file.exists() else {}
        values: list[float] = []
        for epoch in range(EPOCHS):
            values.append(self._value(config, epoch))
            lines = [f"{number},{number},{name},{value!r}" for number, value in enumerate(values)]
            write_text(folder.history_file, "\n".join(["epoch,step,name,value", *lines]) + "\n")
            if max(values) < limits.get(str(epoch), -math.inf):
                folder.mark_pruned(f"epoch {epoch + 1}")
                return
        training = {"best_value": max(values), "epochs": EPOCHS, "seed": config["seed"]}
        write_json(folder.metrics_file, {"training": training})
        folder.mark_finished()


@contextlib.contextmanager
def hydra() -> Iterator[None]:
    """Where points can be composed."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield


def sweep(data_dir: Path, runs_dir: Path, launcher: Any, *typed: str, preset: str = "grid") -> tuple[SweepFolder, bool]:
    """Do a sweep of the tiny experiment as ``train.py -m`` does; returns its folder and whether all is done."""
    words = [*TINY, f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", *typed]
    own = [word for word in typed if word.startswith("sweep.")]
    with hydra():
        settings: Any = OmegaConf.to_container(compose("train", overrides=[f"sweep={preset}", *own]).sweep)
        plan = read_plan(words, settings["over"] or {})
        do = do_search if settings["kind"] == "optuna" else do_grid
        about = {"name": "default", "kind": settings["kind"], "typed": plan.typed()}
        top = runs_dir / "default" / "sweeps"
        return do(top, about, plan, settings, launcher, functools.partial(compose_point, "train"))
