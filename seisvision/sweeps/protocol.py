"""The three stages of the Seismic Atlas: compare architectures, tune the best, refit it on train and validation.

Statements A-17 to A-24. Every stage is made of ordinary runs, so an interrupted protocol is resumed by
repeating the command, and no stage but the last ever looks at the test events.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seisvision.experiments.supervised.results import seed_table
from seisvision.records.configuration import to_plain
from seisvision.records.folder import RunFolder, read_json, write_json
from seisvision.records.telling import sweep_table
from seisvision.runs.ensure import ensure_run
from seisvision.runs.terminal import show

log = logging.getLogger(__name__)


def run_protocol(stages: Mapping[str, Any], overrides: Sequence[str]) -> Path | None:
    """Run all stages and return the file, beside the runs, that says what each stage decided.

    The launcher does the runs of a stage; one that does not wait leaves the protocol at the stage it came to (None).

    Args:
        stages: ``models`` (choices of the group model), ``tune`` (key to list of values; all combinations are run)
            and ``seeds`` (the last stage is repeated with each).
        overrides: what was typed; it holds for every run of the protocol.

    Raises:
        SeisvisionError: a run failed, so that its stage cannot decide.
    """
    base = [*overrides, "stages=null"]
    log.info("Stage 1 of 3: compare %s on the validation events", ", ".join(stages["models"]))
    compared = _do([[*base, f"model={model}", "run.test=false"] for model in stages["models"]])
    if compared is None:
        return None
    show(sweep_table(compared))
    best_model = stages["models"][best_run(compared)]

    points = [
        [f"{key}={value}" for key, value in zip(stages["tune"], values, strict=True)]
        for values in itertools.product(*stages["tune"].values())
    ]
    log.info("Stage 2 of 3: tune %s over %d points", best_model, len(points))
    tuned = _do([[*base, f"model={best_model}", *point, "run.test=false"] for point in points])
    if tuned is None:
        return None
    chosen = best_run(tuned)
    epochs = read_json(tuned[chosen].metrics_file)["training"]["best_epoch"] + 1

    log.info("Stage 3 of 3: refit on train and validation for %d epochs with %s", epochs, " ".join(points[chosen]))
    final = [*base, f"model={best_model}", *points[chosen], "split.refit=true"]
    final += [f"trainer.max_epochs={epochs}", "trainer.early_stopping_patience=null", "run.test=true"]
    refitted = _do([[*final, f"seed={seed}"] for seed in stages["seeds"]])
    if refitted is None:
        return None
    show(seed_table(refitted))
    decision = {"model": best_model, "point": points[chosen], "epochs": epochs}
    return _record(refitted[0], compared, tuned, refitted, decision)


def _do(stage: Sequence[list[str]]) -> list[RunFolder] | None:
    """Compose and do the runs of a stage; None where they were only handed over."""
    from hydra import compose

    runs = [(to_plain(compose("train", overrides=overrides)), overrides) for overrides in stage]
    if runs[0][0]["launcher"]["kind"] == "local":
        return [ensure_run(config, overrides) for config, overrides in runs]
    from seisvision.sweeps.single import launch_runs

    folders = launch_runs(runs)
    if all(folder.is_finished() for folder in folders):
        return folders
    log.info("The runs of this stage are handed over. Repeat the command once they have ended; it goes on from there.")
    return None


def best_run(folders: Sequence[RunFolder]) -> int:
    """Number of the run with the best validation value; ties go to the lower validation loss, then the earlier run."""
    training = [read_json(folder.metrics_file)["training"] for folder in folders]
    sign = 1.0 if training[0]["monitor"][1] == "max" else -1.0
    keys = [
        (_rank(sign * values["best_value"]), _rank(-values["best_val_loss"]), -i) for i, values in enumerate(training)
    ]
    return keys.index(max(keys))


def _rank(value: float) -> float:
    """The value to compare by; one that is no number is the worst."""
    return value if math.isfinite(value) else -math.inf


def _record(
    where: RunFolder,
    compared: Sequence[RunFolder],
    tuned: Sequence[RunFolder],
    refitted: Sequence[RunFolder],
    decision: dict[str, Any],
) -> Path:
    """Write which runs made up the protocol and what they decided, beside them."""
    path = where.path.with_name(f"protocol-{where.run_id}.json")
    stages = {"compare": compared, "tune": tuned, "refit": refitted}
    runs = {stage: [folder.run_id for folder in folders] for stage, folders in stages.items()}
    write_json(path, {"decision": decision, "runs": runs})
    return path
