"""A network asked about a waveform set in the one way there is, that of ``evaluate.py dataset=...``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from seisvision.api.answers import Answers, told_exclusions
from seisvision.api.sets import OpenSet
from seisvision.errors import DataError
from seisvision.experiments.supervised.evaluation import predict_part
from seisvision.experiments.waveforms.asked import ALL, AskedNetwork, ask_opened
from seisvision.experiments.waveforms.settings import cut_section
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.records.prediction_table import prediction_columns
from seisvision.records.settings import EvaluateSettings, SystemSettings
from seisvision.runs.terminal import quietly

log = logging.getLogger(__name__)

BLANK = "nothing of it can be drawn: its recordings are dead, or the distances of its stations are not known"


def ask_about(
    trained: TrainedNetwork,
    path: Path,
    data_dir: Path,
    training_events: str,
    refused: Sequence[tuple[str, str, str]] = (),
    opened: OpenSet | None = None,
) -> Answers:
    """Predict every sample of a set, cut as in the training.

    Args:
        trained: the network.
        path: folder of the set.
        data_dir: where onsets and other things that take long to find are kept.
        training_events: ``mark``, ``leave_out`` or ``keep``.
        refused: what was refused before, as rows of :attr:`Answers.refused`.
        opened: the events that are meant; default all.

    Raises:
        DataError: nothing is left to be asked about, or the set is damaged.
        ConfigurationError: it does not fit the network.
    """
    settings = _settings(trained, path, data_dir, training_events)
    try:
        with quietly():
            asked = ask_opened(trained, settings)
            said = predict_part(asked, settings, ALL)
            blank = _blank(asked)
    except DataError as error:
        # Nobody knows the folder for what was given in memory.
        raise DataError(str(error).replace(str(data_dir / "set"), "these recordings")) from error
    first = next(iter(said.values()))
    ids = list(zip(first.sample_ids, first.source_ids, strict=True))
    seen = asked.seen.column(first.source_ids)
    columns = prediction_columns(said, asked.data.waveform_set.table, {"seen": seen} if any(seen) else {})
    is_event = asked.data.unit == "event"
    lost = [*refused, *told_exclusions(asked.data.excluded)]
    lost += [(source, "event" if is_event else f"trace {one}", BLANK) for one, source in ids if one in blank]
    lost = [one for one in lost if opened is None or one[0] in opened]
    rows = [row for row, (one, source) in enumerate(ids) if one not in blank and (opened is None or source in opened)]
    if not rows:
        raise DataError(f"The network can be asked about none of these: {lost[0][2] if lost else 'no event is left'}.")
    if len(rows) < len(ids):
        said = {name: one.select([ids[row][0] for row in rows]) for name, one in said.items()}
        columns = {name: [values[row] for row in rows] for name, values in columns.items()}
    return Answers(columns, said, lost)


def _settings(trained: TrainedNetwork, path: Path, data_dir: Path, training_events: str) -> EvaluateSettings:
    """What ``evaluate.py`` would be given; the classes are those of the training, where the set has any."""
    dataset, section = trained.config.dataset, cut_section(trained.task.view)
    rate_hz = trained.sampling_rate_hz
    if rate_hz is None:
        log.warning("The checkpoint does not say at which rate it was trained: recordings keep their own.")
    # Noise before the onset is cut to learn from, and nobody asks about it.
    cut = {**(dataset.section(section) or {}), "sampling_rate_hz": rate_hz, "noise": None}
    if section == "samples":
        del cut["noise"]
    described: dict[str, Any] = {
        "name": path.name,
        "source": {"_target_": "seisvision.data.FolderSource", "path": str(path.absolute())},
        "labels": dict(dataset.labels),
        "samples": dict(dataset.samples) if dataset.samples else None,
        section: cut,
    }
    system = SystemSettings(data_dir, memory_gb=trained.config.system.memory_gb)
    return EvaluateSettings(str(trained.path), ALL, system, training_events=training_events, dataset=described)


def _blank(asked: AskedNetwork) -> frozenset[str]:
    """Samples of whose recordings the view draws nothing, so that an answer would be about nothing."""
    found: list[str] = []
    view, device = asked.task.view, torch.device("cpu")
    for part, samples in asked.data.parts.items():
        drawn: list[bool] = []
        with torch.inference_mode():
            for batch in asked.data.loader(part):
                picture = view(asked.task.transfer_batch_to_device(batch, device, 0)).flatten(1)
                drawn += picture.ne(picture[:, :1]).any(1).tolist()
        found += [name for name, is_drawn in zip(samples.sample_ids, drawn, strict=True) if not is_drawn]
    return frozenset(found)
