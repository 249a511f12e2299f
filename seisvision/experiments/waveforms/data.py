"""From settings to the samples of an experiment: the waveform set, its parts, and what serves them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from seisvision.data.corrections.source import CorrectedSource
from seisvision.data.derived.deriving import with_derived, with_known
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.usability import refuse_nothing, usable_table
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.same_event import EventFacts, told_twice
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sources.scratch import stage_to_scratch
from seisvision.data.splitting.shares import with_share
from seisvision.data.splitting.splits import Split, make_split
from seisvision.experiments.waveforms.bands import check_bands
from seisvision.experiments.waveforms.checks import (
    TRACE_SPLITS,
    check_augmentation,
    check_location,
    check_origin,
    check_places,
    check_split,
    check_truncation,
    tell_same_lead,
)
from seisvision.experiments.waveforms.data_checks import check_data, fits_in_memory
from seisvision.experiments.waveforms.derive import (
    check_derived,
    derived_columns,
    fit_derived,
    network_settings,
    stored_derived,
)
from seisvision.experiments.waveforms.offsets import offsets_of
from seisvision.experiments.waveforms.sets.beside import build_beside, check_beside, superposition_of
from seisvision.experiments.waveforms.settings import (
    Settings,
    check_classes,
    cut_section,
    data_settings,
    output_settings,
)
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.records.data_source import source_of
from seisvision.views.view import View

log = logging.getLogger(__name__)


def draw_split(config: Settings, waveform_set: WaveformSet, settings: dict[str, Any]) -> Split:
    """The split that the configuration describes, of which ``split.share`` keeps a part to learn from.

    Args:
        config: resolved configuration.
        waveform_set: the set.
        settings: of :func:`set_settings`.
    """
    asked, whole = config.split, _draw_whole(config, waveform_set, settings)
    if asked.share is None:
        return whole
    table, first = waveform_set.event_table(), next(iter(output_settings(config)), {})
    target = first.get("target") if "class_names" in first else None
    # A derived class is known only when the training part is, so that shares are not drawn by it.
    classes = table[target].astype(str).to_dict() if target in table else {}
    rows = waveform_set.table["source_id"] if whole.unit == "trace" else {}
    event_of = {str(row): str(event) for row, event in rows.items()}
    seed = asked.seed if asked.share_seed is None else asked.share_seed
    if asked.before_select or asked.column is not None:
        # Of a split that was drawn before the selection, only what is selected and can be served counts.
        dealt, settings = _without_fits(config, waveform_set, settings)
        usable = {str(name) for name in usable_table(dealt, whole.unit, **settings).index}
        whole = replace(
            whole, parts={part: tuple(filter(usable.__contains__, ids)) for part, ids in whole.parts.items()}
        )
    class_of = {str(name): one for name, one in classes.items()}
    return with_share(whole, asked.share, seed, event_of, class_of)


def _draw_whole(config: Settings, waveform_set: WaveformSet, settings: dict[str, Any]) -> Split:
    """All that there is to learn from and to test on; the same for every process and every run that asks for it.

    Only what can be served is dealt, so that the parts have the sizes asked for. Events are dealt whole, single traces
    with them, unless the split is by trace or by station.

    Args:
        config: resolved configuration.
        waveform_set: the set.
        settings: of :func:`set_settings`.
    """
    asked = config.split
    unit = "trace" if asked.by in TRACE_SPLITS else "event"
    if asked.column is not None:
        return _with_warning(Split.from_column(waveform_set.table, asked.column, unit), waveform_set)
    waveform_set, settings = _without_fits(config, waveform_set, settings)
    if asked.before_select:
        # The parts of the whole set; events that are not selected, or lack this target, are then left out of them.
        settings = {**settings, "select": None, "samples": {**settings["samples"], "targets": {}}}
    table = usable_table(waveform_set, unit, **settings)
    if table.empty:
        refuse_nothing(waveform_set, **settings)
    if asked.test_fraction == asked.val_fraction == 0 and asked.n_folds is None:
        return Split({"train": tuple(str(name) for name in table.index)}, unit)
    first = next(iter(output_settings(config)), {})
    return make_split(
        table,
        test_fraction=asked.test_fraction,
        val_fraction=asked.val_fraction,
        by=asked.by,
        stratify_by=first["target"] if asked.stratify and "class_names" in first else None,
        seed=asked.seed,
        fold=asked.fold,
        n_folds=asked.n_folds,
        unit=unit,
        told=told_twice(EventFacts.of(waveform_set)),
    )


def _without_fits(
    config: Settings, waveform_set: WaveformSet, settings: dict[str, Any]
) -> tuple[WaveformSet, dict[str, Any]]:
    """The set and its settings before derived columns are fitted, which takes a split: who will have a value counts."""
    columns = derived_columns(config)
    if not columns:
        return waveform_set, settings
    targets = settings["samples"]["targets"]
    targets = {name: None if name in columns else classes for name, classes in targets.items()}
    return with_known(waveform_set, columns), {**settings, "samples": {**settings["samples"], "targets": targets}}


def _with_warning(split: Split, waveform_set: WaveformSet) -> Split:
    """The split that a set brings, which is kept as it is; events that it tells twice, on both sides, are told."""
    if split.unit == "trace":
        return split
    told = told_twice(EventFacts.of(waveform_set))
    part_of = {name: part for part, ids in split.parts.items() for name in ids}
    parts_of: dict[str, set[str]] = {}
    for name, group in told.group_of.items():
        parts_of.setdefault(group, set()).add(part_of.get(name, ""))
    apart = [group for group, parts in parts_of.items() if len(parts - {""}) > 1]
    if apart:
        log.warning(
            "split.column: %d events lie in several parts under other ids, such as %s. They are learnt from and "
            "tested; draw a split of your own to keep them on one side.",
            len(apart),
            apart[0],
        )
    return split


def set_settings(config: Settings, view: View, waveform_set: WaveformSet) -> dict[str, Any]:
    """What :func:`data_settings` says, with predicted distances of a set where ``offset_ckpt`` names a network.

    Raises:
        CheckpointError: the network is not there, cannot be used, or is not the one the run began with.
        ConfigurationError: it does not predict distances in km from single traces.
    """
    settings = data_settings(config, view)
    if config.offset_ckpt:
        settings["samples"]["offsets"] = offsets_of(config, waveform_set)
    return settings


def build_data(config: Settings, view: View, trained: TrainedNetwork | None = None) -> EventDataModule:
    """The data module of the experiment, its waveform set made, brought near and checked first.

    Args:
        config: resolved configuration.
        view: says what a sample is.
        trained: the network of a finished training, whose derived columns are then taken.

    Raises:
        DataError: the set cannot be had, or its metadata show that results would be wrong.
    """
    check_split(config, view)
    check_augmentation(config)
    check_truncation(config, view)
    check_origin(config, view)
    check_places(config, view)
    check_location(config, view)
    check_classes(config)
    check_derived(config)
    check_beside(config)
    source = source_of(config.dataset.source, config.dataset.corrections)
    path = source.prepare(config.system.data_dir)
    if config.system.scratch:
        path = stage_to_scratch(path, config.system.scratch)
    waveform_set = WaveformSet(path)
    check_bands(config, cut_section(view), waveform_set)
    check_classes(config, waveform_set)
    check_data(config, waveform_set)
    settings = set_settings(config, view, waveform_set)
    outputs = output_settings(config)
    # Corrections move no sample to another part, and those that empty a label leave the others where they were.
    is_corrected = isinstance(source, CorrectedSource)
    dealt = WaveformSet(source.uncorrected(config.system.data_dir)) if is_corrected else waveform_set
    split = draw_split(config, dealt, settings)
    derived = fit_derived(config, waveform_set, split) if trained is None else stored_derived(config, trained)
    network = network_settings(config, view, waveform_set, split, trained)
    settings["samples"] |= network
    data = EventDataModule(
        with_derived(waveform_set, derived_columns(config), derived),
        split,
        **settings,
        class_names={output["target"]: output["class_names"] for output in outputs if "class_names" in output},
        batch_size=config.trainer.batch_size,
        num_workers=config.system.num_workers,
        in_memory=fits_in_memory(config.system, waveform_set, settings),
        seed=config.seed,
        refit=config.split.refit,
        derived=derived,
    )
    if trained is None and isinstance(samples := data.parts.get("train"), EventSamples):
        tell_same_lead(config, samples.start_after_origin_s)
    data.superposition = superposition_of(config, view)
    if trained is None:
        data.beside = build_beside(config, view, data, network)
    return data
