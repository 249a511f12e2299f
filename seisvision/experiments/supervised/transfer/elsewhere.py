"""Trained networks as they are, asked about the test events of runs in other regions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seisvision.errors import SeisvisionError
from seisvision.evaluation.intervals import Measure
from seisvision.experiments.supervised.evaluation import predict_part
from seisvision.experiments.waveforms.asked import ALL, ask_network
from seisvision.outputs.predictions import Predictions
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.measures import stored_measures
from seisvision.records.prediction_table import read_predictions
from seisvision.records.settings import EvaluateSettings, SystemSettings


@dataclass(frozen=True)
class Answer:
    """What a network is worth on the test events of a run; without a value there is a reason."""

    measure: Measure | None
    n_seen: int = 0
    """Test events of the run that the network has learnt from or been chosen on, under whatever id; left out."""
    reason: str = ""


def ask_elsewhere(network: Path, run: RunFolder, measure: str | None = None) -> Answer:
    """Measure a network, as it is, on the test events of a run, cut as that run cut them.

    Args:
        network: run folder or checkpoint.
        run: a finished run; its set, windows and test events count.
        measure: None for the headline of the run's first output.
    """
    metrics, config = read_json(run.metrics_file), run.config()
    about = metrics["outputs"][0]
    name = measure or str(metrics["test"][about["name"]]["headline"])
    try:
        said, n_seen = _said(network, config, about["name"], read_predictions(run.predictions_file, about))
        found = said.measures(config["evaluation"]["level"], train_target=None).get(name)
    except SeisvisionError as error:
        return Answer(None, reason=str(error))
    return Answer(found, n_seen, "" if found is not None else f"no {name} can be told of its answers")


def _said(network: Path, config: dict[str, Any], output: str, tested: Predictions) -> tuple[Predictions, int]:
    system = SystemSettings.of(config["system"])
    asked = EvaluateSettings(
        str(network), ALL, system, training_events="mark", dataset=config["dataset"], record=config
    )
    opened = ask_network(network, asked)
    said = predict_part(opened, asked, ALL)
    first = said[output] if output in said else next(iter(said.values()))
    wanted = set(tested.sample_ids)
    seen = {one for one, mark in zip(first.sample_ids, opened.seen.column(first.source_ids), strict=True) if mark}
    event_of = dict(zip(first.sample_ids, first.source_ids, strict=True))
    new = wanted - seen
    kept = [one for one in first.sample_ids if one in new]
    return first.select(kept), len({event_of[one] for one in wanted & seen})


def matrix(runs: Sequence[RunFolder], measure: str | None = None) -> list[list[Answer]]:
    """Networks trained on rows, tested on the test events of columns; on the diagonal what their runs measured."""
    rows = []
    for trained in runs:
        row = []
        for tested in runs:
            if tested.path == trained.path:
                metrics = read_json(tested.metrics_file)
                stored = metrics["test"][metrics["outputs"][0]["name"]]
                row.append(Answer(stored_measures(stored).get(measure or stored["headline"])))
            else:
                row.append(ask_elsewhere(trained.best_checkpoint, tested, measure))
        rows.append(row)
    return rows


def is_known(answer: Answer) -> bool:
    """Whether a network could be measured."""
    return answer.measure is not None and math.isfinite(answer.measure.value)
