"""What is checked of a waveform set before a network is trained on it, or measured with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from seisvision.data.audit.audit import check_table
from seisvision.data.audit.confounds import class_confounds, confound_findings, set_confounds
from seisvision.data.audit.copies import copy_findings, set_copies
from seisvision.data.audit.findings import Finding, by_severity
from seisvision.data.audit.labels import check_labels
from seisvision.data.audit.table import AuditTable
from seisvision.data.audit.targets import Learnt
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError
from seisvision.experiments.waveforms.derive import derived_columns
from seisvision.experiments.waveforms.settings import Settings
from seisvision.outputs.truth import columns_of
from seisvision.records.settings import SystemSettings

log = logging.getLogger(__name__)

MAX_WARNINGS = 5
CONFOUND = "confound_"
CLASS_COLUMN = "source_type"
OF_CLASSES = ("labels_contradict", "duplicate_event_contradicts")
"""Fatal only where a class is learnt."""
OF_NUMBERS = ("depth_impossible", "magnitude_impossible")
"""Fatal unless nothing but the waveforms is learnt from."""
SAID = ("target_", "angle_", "depth_", "magnitude_", "distance_", "origin_contradicts")
"""Beginnings of the codes of warnings that concern what is learnt, and are said before the training."""


def check_data(config: Settings, waveform_set: WaveformSet, *, fits: bool = True) -> None:
    """Refuse sets that show a fatal fault, and warn of what tells the class without the waveform.

    Looks at every output: classes, numbers and angles, in the events that ``dataset.select`` keeps; for clusters at
    what needs no label. Copies of one recording under two events are searched among the waveforms, once for each
    state of a set. ``dataset.allow_findings`` lists the codes of faults that are known and accepted.

    Args:
        config: resolved configuration.
        waveform_set: the set.
        fits: whether a network is trained on it; else it is only measured, and no waveform is read.

    Raises:
        DataError: the audit has a fatal finding that is not allowed.
    """
    findings = by_severity({(item.code, item.title): item for item in _findings(config, waveform_set, fits)}.values())
    fatal = [finding for finding in findings if finding.severity == "fatal"]
    allowed = {str(code) for code in config.dataset.allow_findings or ()}
    _refuse([finding for finding in fatal if finding.code not in allowed], allowed, waveform_set)
    for finding in fatal:
        log.warning("Allowed although fatal: %s", finding.sentence())
    warnings = [item for item in findings if item.severity == "warning"]
    if any("class_names" not in output for output in _outputs(config)):
        for finding in warnings:
            if finding.code.startswith(SAID):
                log.warning("%s: %s", finding.code, finding.sentence())
    if fits:
        _warn([item for item in warnings if item.code.startswith(CONFOUND)], waveform_set)


def _outputs(config: Settings) -> list[Mapping[str, Any]]:
    return list(config.task.get("outputs") or [])


def _findings(config: Settings, waveform_set: WaveformSet, fits: bool) -> Iterator[Finding]:
    columns = derived_columns(config)
    outputs = _outputs(config)
    table = AuditTable(waveform_set, CLASS_COLUMN)
    rows = _selected(config, table)
    learnt = [
        Learnt(column, "angle" if "period_deg" in output else "scalar", rows, fits)
        for output in outputs
        if "class_names" not in output
        for column in columns_of(output)
        if column not in columns
    ]
    # A derived column is as sound as what it is made of.
    made_of = {column.learns_from for name, column in columns.items() if any(name in columns_of(o) for o in outputs)}
    learnt += [Learnt(column, "scalar", rows, fits) for column in made_of if column is not None]
    classes = [output["target"] for output in outputs if "class_names" in output and output["target"] not in columns]
    harmless = () if outputs else OF_NUMBERS
    yield from _softened(check_table(table, learnt), harmless)
    for column in classes:
        labelled = AuditTable(waveform_set, column, config.dataset.labels.get(column))
        yield from check_labels(labelled)
        yield from confound_findings(class_confounds(labelled) if fits else [], set_confounds(labelled))
    if not classes:
        yield from _softened(check_labels(table), OF_CLASSES)
    if fits:
        pairs = set_copies(waveform_set, table, config.system.features_dir)
        yield from copy_findings(table, [pair for pair in pairs if rows[list(pair)].all()], int(rows.sum()))


def _selected(config: Settings, table: AuditTable) -> np.ndarray:
    """Bool (N,): traces of events that ``dataset.select`` keeps; all where it names a column the set lacks."""
    rows = np.ones(table.n_traces, dtype=bool)
    for column, values in (config.dataset.select or {}).items():
        if table.has(column):
            rows &= table.metadata[column].astype(str).isin([str(value) for value in values]).to_numpy()
    return rows


def _softened(findings: list[Finding] | Iterator[Finding], codes: tuple[str, ...]) -> Iterator[Finding]:
    """The findings, those of ``codes`` no more than warnings."""
    for finding in findings:
        yield replace(finding, severity="warning") if finding.code in codes else finding


def _refuse(fatal: list[Finding], allowed: set[str], waveform_set: WaveformSet) -> None:
    if not fatal:
        return
    codes = ",".join(sorted({*allowed, *(finding.code for finding in fatal)}))
    said = " ".join(
        f"{finding.code}: {finding.sentence()}" + "".join(f" Such as {text}." for text in finding.examples[:1])
        for finding in fatal
    )
    raise DataError(
        f"{waveform_set.path} would give wrong results. {said} Look at it with 'seisvision data audit "
        f"{waveform_set.path}' and mend it, or train all the same with +dataset.allow_findings=[{codes}]"
    )


def _warn(confounds: list[Finding], waveform_set: WaveformSet) -> None:
    for finding in confounds[:MAX_WARNINGS]:
        log.warning("Without a look at the waveform: %s", finding.title)
    more = len(confounds) - MAX_WARNINGS
    if more > 0:
        log.info("And %d more: seisvision data audit %s", more, waveform_set.path)


def fits_in_memory(system: SystemSettings, waveform_set: WaveformSet, settings: dict[str, Any]) -> bool:
    """Whether all windows of a set, as float32, take no more than ``system.memory_gb``."""
    samples = settings["samples"]
    rate_hz = samples["sampling_rate_hz"] or float(waveform_set.table["trace_sampling_rate_hz"].max())
    network = samples.get("network")
    # Slots take memory whether their stations recorded an event or not.
    slots = network is not None and network.fixed
    n_rows = len(waveform_set.source_ids) * len(network) if slots else len(waveform_set.table)
    values = n_rows * len(samples["components"]) * samples["window"].widest.length_s * rate_hz
    return 4 * values <= 1e9 * system.memory_gb
