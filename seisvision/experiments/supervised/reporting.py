"""What a run says about its own results: tables and figures of every output, the same for every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.serving.datamodule import EventDataModule
from seisvision.experiments.supervised.conformal import COLUMNS as CONFORMAL
from seisvision.experiments.supervised.drawn_answers import draw_answers
from seisvision.experiments.supervised.results import LOCATORS
from seisvision.experiments.waveforms.figures import (
    Samples,
    draw_results,
    draw_some,
    draw_training,
    evenly_chosen,
    pictures,
)
from seisvision.experiments.waveforms.sets.sample_facts import sample_facts
from seisvision.judging import error_sources
from seisvision.judging.figures_sources import error_against_figure, picture_file
from seisvision.outputs.predictions import Predictions, Table
from seisvision.records.folder import RunFolder
from seisvision.records.measures import describe_measure, stored_measures
from seisvision.records.tables import PICTURE, write_table
from seisvision.records.thumbnails import write_thumbnails
from seisvision.runs.terminal import show
from seisvision.tasks.supervised import SupervisedTask
from seisvision.views.view import View

N_WORST, N_OTHERS = 16, 8
"""Samples with a picture of their own: the worst, and others evenly chosen."""
N_THUMBNAILS, N_DRAWN_AT_ONCE = 96, 16
"""Test samples with a small picture for comparisons, and how many are in memory at a time."""
MEASURE_COLUMNS = ("measure", "value", "low", "high", "n")


def write_report(
    folder: RunFolder,
    data: EventDataModule,
    task: SupervisedTask,
    predictions: Mapping[str, Mapping[str, Predictions]],
    metrics: Mapping[str, Any],
    level: float = 0.95,
) -> None:
    """Write ``tables/*.csv`` and ``figures/*.png`` of the training and the test (else validation) samples of a run.

    Args:
        folder: of the run; ``metrics.csv`` must be there.
        data: the parts.
        task: the trained network.
        predictions: by part and output.
        metrics: what ``metrics.json`` holds.
        level: confidence level of the intervals.
    """
    draw_training(folder, data, task)
    part = next((part for part in ("test", "val") if part in predictions), None)
    if part is None:
        return
    write_part_report(folder, data, task.view, part, predictions[part], metrics, level)
    draw_answers(folder, data, task, part, predictions[part])
    if part == "test":
        _store_thumbnails(folder.thumbnails(part), data.parts[part], task.view, list(predictions[part].values()))


def write_part_report(
    folder: RunFolder,
    data: EventDataModule,
    view: View,
    part: str,
    predictions: Mapping[str, Predictions],
    metrics: Mapping[str, Any],
    level: float = 0.95,
) -> None:
    """Write tables and figures of predictions, whether of a run or of an evaluation.

    Args:
        folder: takes ``tables/`` and ``figures/``.
        data: whose parts hold all samples that were predicted.
        view: draws their pictures.
        part: what ``metrics`` and the names of the files call these samples.
        predictions: by output, all of the same samples; of those without any label only samples are shown.
        metrics: what ``metrics.json`` holds.
        level: confidence level of the intervals.
    """
    samples = samples_of(data, next(iter(predictions.values())))
    facts = sample_facts(samples)
    for output, said in predictions.items():
        stem = f"{output}_{part}"
        if said.n_labelled:
            draw_results(folder.figures / stem, samples, view, said)
            _result_tables(folder.tables, stem, said, metrics[part][output], level)
            _error_sources(folder, stem, said, facts, level)
            _write_tables(folder.tables, stem, said.tables_within(facts, level))
        _sample_table(folder, stem, samples, view, said)
    for output, rows in metrics.get("conformal", {}).items():
        write_table(
            folder.tables / f"{output}_{part}_conformal.csv", CONFORMAL, [[row[c] for c in CONFORMAL] for row in rows]
        )
    _location_tables(folder.tables, metrics.get("location"))


def draw_seen(folder: RunFolder, data: EventDataModule, view: View, part: str, said: Mapping[str, Predictions]) -> None:
    """Write ``figures/OUTPUT_PART_seen.png``: some samples with what is predicted of them, labelled or not."""
    for output, one in said.items():
        chosen = evenly_chosen(N_OTHERS, len(one.sample_ids))
        draw_some(folder.figures / f"{output}_{part}_seen.png", samples_of(data, one), view, one, chosen)


def _store_thumbnails(path: Path, samples: Samples, view: View, said: Sequence[Predictions]) -> None:
    """Small pictures of those samples on which runs may disagree: the worst of every output, then others."""
    worst = [some for one in zip_longest(*(one.worst(N_THUMBNAILS).tolist() for one in said)) for some in one]
    evenly = evenly_chosen(N_THUMBNAILS, len(samples)).tolist()
    chosen = list(dict.fromkeys(place for place in (*worst, *evenly) if place is not None))[:N_THUMBNAILS]
    drawn = (
        (said[0].sample_ids[place], image)
        for few in (chosen[i : i + N_DRAWN_AT_ONCE] for i in range(0, len(chosen), N_DRAWN_AT_ONCE))
        for place, image in zip(few, pictures(samples, view, np.array(few)), strict=True)
    )
    write_thumbnails(path, drawn)


def samples_of(data: EventDataModule, said: Predictions) -> Samples:
    """The samples that predictions are about, in their order: a part, or several parts together."""
    for samples in data.parts.values():
        if samples.ids == said.ids:
            return samples
    return data.samples_of(said.sample_ids)


def _result_tables(tables: Path, stem: str, said: Predictions, measured: Mapping[str, Any], level: float) -> None:
    """All measures with interval and n, and what the kind of output adds."""
    measures = stored_measures(measured)
    rows = [[name, one.value, one.low, one.high, one.n] for name, one in measures.items()]
    write_table(tables / f"{stem}_measures.csv", MEASURE_COLUMNS, rows)
    _write_tables(tables, stem, said.result_tables(measures, measured, level))


def _write_tables(tables: Path, stem: str, found: Mapping[str, Table]) -> None:
    for end, (columns, rows) in found.items():
        write_table(tables / f"{stem}_{end}.csv", columns, rows)


def _error_sources(
    folder: RunFolder, stem: str, said: Predictions, facts: Mapping[str, np.ndarray], level: float
) -> None:
    bins = error_sources.error_against(said, facts, level)
    rows = [one.row() for some in bins.values() for one in some]
    write_table(folder.tables / f"{stem}_error_against.csv", error_sources.COLUMNS, rows)
    figure = folder.figures / f"{stem}_error_against.png"
    if bins:
        error_against_figure(figure, bins)
    else:
        figure.unlink(missing_ok=True)


def _sample_table(folder: RunFolder, stem: str, samples: Samples, view: View, said: Predictions) -> None:
    """Some samples with picture, target and prediction: the worst first, then others evenly chosen."""
    worst = said.worst(N_WORST).tolist()
    others = [i for i in range(len(said.source_ids)) if i not in set(worst)]
    chosen = np.array([*worst, *(others[i] for i in evenly_chosen(N_OTHERS, len(others)))], dtype=int)
    if not len(chosen):
        return
    shown = folder.figures / "samples"
    drawn = pictures(samples, view, chosen)
    # Numbered by their place in the part: ids come from data and need not be file names.
    files = [picture_file(shown / f"{stem}_{i:06d}.png", image) for i, image in zip(chosen, drawn, strict=True)]
    columns = said.columns()
    rows = [
        [said.source_ids[i], said.sample_ids[i], "worst" if place < len(worst) else "other",
         f"../figures/samples/{file.name}", *(values[i] for values in columns.values())]
        for place, (i, file) in enumerate(zip(chosen, files, strict=True))
    ]  # fmt: skip
    write_table(folder.tables / f"{stem}_samples.csv", ["event", "sample", "why", PICTURE, *columns], rows)


def _location_tables(tables: Path, located: Mapping[str, Any] | None) -> None:
    """Measures of the epicentres with intervals, and their errors by stations and gap."""
    for name in LOCATORS:
        found = (located or {}).get(name)
        if not found:
            continue
        rows = [[key, one.value, one.low, one.high, one.n] for key, one in stored_measures(found["measures"]).items()]
        write_table(tables / f"location_{name}_measures.csv", MEASURE_COLUMNS, rows)
        for by in ("by_stations", "by_gap"):
            binned = found.get(by) or []
            if binned:
                write_table(
                    tables / f"location_{name}_{by}.csv", list(binned[0]), [list(row.values()) for row in binned]
                )


def report(measured: dict[str, Any], predictions: dict[str, Predictions], part: str) -> None:
    """Show the headline of every output."""
    for name, said in predictions.items():
        if name in measured:
            headline = measured[name][said.headline]
            show(f"{name}: {said.headline} {describe_measure(said.headline, headline)} on {part}")
        else:
            show(f"{name}: {len(said.source_ids)} samples predicted; none has a true value the checkpoint knows")
