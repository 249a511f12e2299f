"""What else training windows are made of: further sets, each a share of every epoch, and other windows over them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from seisvision.base.sample_ids import row_numbers
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.serving.mixed import Beside
from seisvision.data.serving.superposed import Superposition
from seisvision.data.sets.same_event import EventFacts, same_origins, same_recordings
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.splits import Split, station_names
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.experiments.waveforms.data_checks import check_data, fits_in_memory
from seisvision.experiments.waveforms.settings import (
    DatasetSettings,
    Settings,
    cut_settings,
    data_settings,
    output_settings,
)
from seisvision.outputs.picks.output import PickOutput
from seisvision.public import OUTPUT
from seisvision.records.data_source import source_of
from seisvision.records.settings import section_of
from seisvision.records.trust.faces import find_face
from seisvision.views.view import View

log = logging.getLogger(__name__)

HELD_OUT = "validates or tests in the own set"


def check_beside(config: Settings) -> None:
    """Refuse shares that leave nothing of the own set, and tasks that need all training samples numbered.

    Raises:
        ConfigurationError: names the setting.
    """
    if not config.dataset.beside:
        return
    shares = {}
    for name, described in config.dataset.beside.items():
        share = described.get("share") if isinstance(described, Mapping) else None
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise ConfigurationError(
                f"dataset.beside.{name}.share={share} is not allowed; give the part of every epoch that comes from "
                f"there, above 0 and below 1: +dataset.beside.{name}.share=0.5."
            )
        shares[name] = share
    if sum(shares.values()) >= 1:
        raise ConfigurationError(
            f"The shares of dataset.beside add to {sum(shares.values()):g}; something of every epoch must be left to "
            "the own set: less than 1."
        )
    if not output_settings(config):
        raise ConfigurationError(
            "dataset.beside does not go with this task, which numbers the samples of one set to cluster them; train "
            "on one set."
        )
    if config.dataset.derive:
        raise ConfigurationError(
            "dataset.beside does not go with dataset.derive, whose columns belong to one set; leave one of them out."
        )


def superposition_of(config: Settings, view: View) -> Superposition | None:
    """How other windows are laid over those of the training; None where none are.

    Raises:
        ConfigurationError: a setting is not allowed, or windows are not of single traces and drawn anew.
    """
    if not config.dataset.superpose:
        return None
    unknown = [key for key in config.dataset.superpose if key not in Superposition.__dataclass_fields__]
    if unknown:
        hint = did_you_mean(str(unknown[0]), list(Superposition.__dataclass_fields__))
        raise ConfigurationError(f"dataset.superpose has no setting '{unknown[0]}'. {hint}")
    if view.unit != "trace" or not cut_settings(config, view)["window"].get("redrawn"):
        raise ConfigurationError(
            "dataset.superpose lays single traces over each other, other ones in every epoch. Choose a view of single "
            "traces and dataset.traces.window.redrawn=true, or leave it out."
        )
    others = [one["name"] for one in output_settings(config) if not _is_of_picks(one)]
    if others:
        raise ConfigurationError(
            f"dataset.superpose lays another event over a window, of which output '{others[0]}' would be told nothing; "
            "it goes with outputs of picks alone. Leave it out."
        )
    return Superposition(**config.dataset.superpose)


def _is_of_picks(output: Mapping[str, Any]) -> bool:
    return find_face(OUTPUT, output["_target_"], "task.outputs") is PickOutput


def build_beside(config: Settings, view: View, own: EventDataModule, network: Mapping[str, Any]) -> dict[str, Beside]:
    """Data modules of the sets of ``dataset.beside``, without events that the own set validates or tests.

    They are cut as their own settings say, with the components, classes and targets of the own set, and its stations
    in their slots, or as they come where it has none.

    Args:
        config: resolved configuration.
        view: says what a sample is.
        own: the data module of the own set.
        network: of :func:`~seisvision.experiments.waveforms.derive.network_settings` for the own set.

    Raises:
        ConfigurationError: their samples have another rate or length than the own ones.
        DataError: a set cannot be had, or its metadata show that results would be wrong.
    """
    found = {}
    for name, described in (config.dataset.beside or {}).items():
        settings = section_of(DatasetSettings, described, labels=config.dataset.labels, beside=None)
        one = replace(config, dataset=settings)
        source = source_of(settings.source, settings.corrections)
        waveform_set = WaveformSet(source.prepare(config.system.data_dir))
        check_data(one, waveform_set)
        data = _whole_set(one, view, waveform_set, own, network)
        _check_alike(name, data, own)
        if config.split.by == "station":
            _check_stations(name, data, own)
        found[name] = Beside(data, float(described["share"]))
        log.info(
            "beside   %s: %d %ss fill %g of every epoch", waveform_set.path, len(data.parts["train"]), data.unit,
            found[name].share,
        )  # fmt: skip
    return found


def _whole_set(
    config: Settings, view: View, waveform_set: WaveformSet, own: EventDataModule, network: Mapping[str, Any]
) -> EventDataModule:
    settings = data_settings(config, view)
    settings["samples"] |= network
    events = waveform_set.source_ids
    held = _held_out(own, waveform_set)
    left_out = {name: HELD_OUT for name in events if name in held}
    kept = tuple(name for name in events if name not in held)
    if left_out:
        log.warning("%d events of %s are left out: each %s", len(left_out), waveform_set.path, HELD_OUT)
    return EventDataModule(
        waveform_set,
        Split({"train": kept}, "event"),
        **settings,
        batch_size=config.trainer.batch_size,
        in_memory=own.in_memory and fits_in_memory(config.system, waveform_set, settings),
        seed=config.seed,
        left_out=left_out,
    )


def _check_stations(name: str, data: EventDataModule, own: EventDataModule) -> None:
    """Refuse recordings of stations that the own set holds out.

    Raises:
        ConfigurationError: names some of them.
    """
    held = {station for part in ("val", "test") if part in own.parts for station in _stations(own, part)}
    both = sorted(held & _stations(data, "train"))
    if both:
        raise ConfigurationError(
            f"The set of dataset.beside.{name} has recordings of {len(both)} stations that split.by=station holds out "
            f"for validation and test ({', '.join(both[:5])}). Give a set without them, or another split."
        )


def _stations(data: EventDataModule, part: str) -> set[str]:
    rows = row_numbers(list(data.parts[part].sample_ids))
    return set(station_names(data.waveform_set.table.iloc[rows]))


def _held_out(own: EventDataModule, waveform_set: WaveformSet) -> set[str]:
    """Events of a set that the own set holds among those of validation and test."""
    held = {event for part in ("val", "test") if part in own.parts for event in own.parts[part].source_ids}
    mine, theirs = EventFacts.of(own.waveform_set).select(held), EventFacts.of(waveform_set)
    pairs = np.concatenate([same_origins(mine, theirs), same_recordings(mine, theirs)])
    return {theirs.ids[number] for number in pairs[:, 1].tolist()}


def _check_alike(name: str, data: EventDataModule, own: EventDataModule) -> None:
    wanted, found = own.parts["train"], data.parts["train"]
    section = "traces" if data.unit == "trace" else "samples"
    facts: dict[str, tuple[Any, Any]] = {
        "sampling_rate_hz": (found.sampling_rate_hz, wanted.sampling_rate_hz),
        "window.length_s": (found.window.length_s, wanted.window.length_s),
        "event_peak": (getattr(found, "event_peak", None), getattr(wanted, "event_peak", None)),
    }
    for setting, (here, there) in facts.items():
        if here != there:
            raise ConfigurationError(
                f"dataset.beside.{name}.{section}.{setting}={here} is not that of the own set, {there}; set it to "
                "the same, for a batch holds samples of both."
            )
