"""A trained network and the samples it is asked about: its own parts again, or all of another set."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.splits import Split
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.experiments.waveforms.bands import check_bands
from seisvision.experiments.waveforms.checks import check_location, check_origin, check_places
from seisvision.experiments.waveforms.data import set_settings
from seisvision.experiments.waveforms.data_checks import check_data, fits_in_memory
from seisvision.experiments.waveforms.derive import (
    check_slots_elsewhere,
    derive_again,
    derived_as_trained,
    stored_network,
)
from seisvision.experiments.waveforms.sets.other_set import cut_as_trained, warn_of_other_window
from seisvision.experiments.waveforms.settings import DatasetSettings, Settings, cut_section
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.files import write_text
from seisvision.keys import SPLITS
from seisvision.leftovers import clear_below
from seisvision.outputs.output import Output
from seisvision.plain_files import check_plain
from seisvision.records.data_source import source_of
from seisvision.records.known_events import (
    KEEP,
    LEAVE_OUT,
    KnownEvents,
    Seen,
    check_handling,
    seen_in,
    seen_part,
    tell_seen,
)
from seisvision.records.settings import EvaluateSettings, section_of
from seisvision.records.trust.contents import built_from
from seisvision.records.trust.machine import offset_network
from seisvision.views.view import View

log = logging.getLogger(__name__)

ALL = "all"


@dataclass(frozen=True)
class AskedNetwork:
    """A trained network and the samples it is asked about.

    Args:
        path: of its checkpoint.
        content: what the checkpoint says beside the weights.
        config: of its training; with the other set's ``dataset`` where it is asked about another set.
        task: the network.
        data: its own parts as they were in training, or all of another set as ``test``.
        is_own: whether it is asked about the set it was trained on, part by part.
        seen: events of that set that it, or another member of its ensemble, has seen in its training.
        handling: what is done with those: ``leave_out``, ``mark`` or ``keep``.
    """

    path: Path
    content: dict[str, Any]
    config: Settings
    task: Any
    data: EventDataModule
    is_own: bool
    seen: Seen
    handling: str

    @property
    def outputs(self) -> dict[str, Output]:
        """Outputs by name."""
        return {output.name: output for output in self.task.outputs}

    def about(self) -> dict[str, Any]:
        """What was asked about what, for the record."""
        offsets = {"offset_hash": self.config.offset_hash} if self.config.offset_ckpt else {}
        return {
            "checkpoint": str(self.path),
            "run_id": self.content["run_id"],
            "seed": self.content["config"]["seed"],
            "split_hash": self.content["split_hash"],
            "training_fingerprint": self.content["data_fingerprint"],
            "fingerprint": self.data.waveform_set.fingerprint,
            "unit": self.data.unit,
            "samples": {part: len(samples) for part, samples in self.data.parts.items()},
            "events": {part: samples.ids.n_events for part, samples in self.data.parts.items()},
            "excluded": len(self.data.excluded),
            **offsets,
        }


def ask_network(path: Path, asked: EvaluateSettings, known: Sequence[KnownEvents] | None = None) -> AskedNetwork:
    """The network of a checkpoint with its own samples, or those of the set that ``asked`` names.

    Sections that it learnt with predicted distances are drawn with those of the same offset network, in any set.

    Args:
        path: of the checkpoint.
        asked: settings of ``conf/evaluate.yaml``.
        known: events that any member of an ensemble has seen in its training; default, those of this network.

    Raises:
        CheckpointError: the checkpoint, or that of its distances, cannot be used.
        DataError: the waveform set is not the one the checkpoint knows, or is damaged.
        ConfigurationError: the settings do not fit the checkpoint.
    """
    with built_from(path):
        here = {"system": asked.record["system"]}
        trained = TrainedNetwork.open(path, lambda stored: stored | here | offset_network(stored, asked.offset_ckpt))
        return ask_opened(trained, asked, known)


def ask_opened(
    trained: TrainedNetwork, asked: EvaluateSettings, known: Sequence[KnownEvents] | None = None
) -> AskedNetwork:
    """As :func:`ask_network`, with a network that is open already; the folders of ``asked`` count."""
    with built_from(trained.path):
        trained = replace(trained, config=replace(trained.config, system=asked.system))
        handling = check_handling(asked.training_events)
        if asked.dataset is None:
            return _with_own_samples(trained, asked, known, handling)
        return _with_other_samples(trained, asked, known, handling)


def _with_own_samples(
    trained: TrainedNetwork, asked: EvaluateSettings, known: Sequence[KnownEvents] | None, handling: str
) -> AskedNetwork:
    path, content, config, task = trained.path, trained.content, trained.config, trained.task
    waveform_set = _open_set(config, asked, task.view)
    _check_same_data(waveform_set, content)
    waveform_set = derive_again(config, trained, waveform_set)
    settings = _checked_settings(trained, config, waveform_set)
    data = _own_samples(waveform_set, config, content, settings, asked)
    # Whoever asks for a part of the training wants it; an ensemble lets nobody speak of what it knows.
    seen = seen_part(content, asked.part) if known is None else Seen()
    return AskedNetwork(path, content, config, task, data, True, seen, KEEP if handling == LEAVE_OUT else handling)


def _with_other_samples(
    trained: TrainedNetwork, asked: EvaluateSettings, known: Sequence[KnownEvents] | None, handling: str
) -> AskedNetwork:
    content, config, view = trained.content, trained.config, trained.task.view
    section = cut_section(view)
    trained_on = config.dataset.section(section) or {}
    dataset = derived_as_trained(cut_as_trained(asked.dataset or {}, section, trained_on), config.dataset)
    warn_of_other_window(trained_on, dataset[section])
    config = replace(config, dataset=section_of(DatasetSettings, dataset))
    check_origin(config, view)
    check_places(config, view)
    check_slots_elsewhere(config, trained)
    waveform_set = _open_set(config, asked, view)
    check_data(config, waveform_set, fits=False)
    waveform_set = derive_again(config, trained, waveform_set)
    settings = _checked_settings(trained, config, waveform_set)
    cache_dir = asked.system.features_dir
    seen = seen_in(waveform_set, [KnownEvents.of_checkpoint(content)] if known is None else known, cache_dir)
    tell_seen(seen, len(waveform_set), handling)
    left_out = seen.reasons() if handling == LEAVE_OUT else {}
    data = _other_samples(waveform_set, config, settings, asked, left_out)
    return AskedNetwork(trained.path, content, config, trained.task, data, False, seen, handling)


def _open_set(config: Settings, asked: EvaluateSettings, view: View) -> WaveformSet:
    check_location(replace(config, location=asked.location), view)
    source = source_of(config.dataset.source, config.dataset.corrections)
    return WaveformSet(source.prepare(asked.system.data_dir))


def _checked_settings(trained: TrainedNetwork, config: Settings, waveform_set: WaveformSet) -> dict[str, Any]:
    view = trained.task.view
    check_bands(replace(config, with_baselines=False), cut_section(view), waveform_set)
    settings = set_settings(config, view, waveform_set)
    settings["samples"] |= stored_network(trained)
    return settings


def result_folder(asked: EvaluateSettings, checkpoints: Sequence[Path], name: str, fingerprint: str, part: str) -> Path:
    """Make the folder of an evaluation; the same evaluation has the same folder."""
    folder_name = f"{name}-{fingerprint}-{part}-{_short_hash(checkpoints, asked)}"
    folder = asked.system.runs_dir / "evaluate" / folder_name
    folder.mkdir(parents=True, exist_ok=True)
    check_plain(folder)
    clear_below(folder)
    write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(dict(asked.record))))
    return folder


def _check_same_data(waveform_set: WaveformSet, content: dict[str, Any]) -> None:
    if waveform_set.fingerprint != content["data_fingerprint"]:
        raise DataError(
            f"{waveform_set.path} is not the set the checkpoint was trained on: its fingerprint is "
            f"{waveform_set.fingerprint}, not {content['data_fingerprint']}. Restore the set, or name it as another "
            "one with dataset=... to evaluate on all its events."
        )


def _own_samples(
    waveform_set: WaveformSet,
    config: Settings,
    content: dict[str, Any],
    settings: dict[str, Any],
    asked: EvaluateSettings,
) -> EventDataModule:
    """The parts as they were in training, taken from the checkpoint and not drawn again."""
    if asked.part not in (*SPLITS, ALL):
        raise ConfigurationError(f"part='{asked.part}' is unknown. {did_you_mean(asked.part, [*SPLITS, ALL])}")
    split = Split({part: tuple(ids) for part, ids in content["split"].items()}, content["split_unit"])
    return _data_module(waveform_set, split, config, settings, asked)


def _other_samples(
    waveform_set: WaveformSet,
    config: Settings,
    settings: dict[str, Any],
    asked: EvaluateSettings,
    left_out: Mapping[str, str],
) -> EventDataModule:
    """Everything in another set, labelled or not, but for what is left out."""
    split = Split({"test": tuple(name for name in waveform_set.source_ids if name not in left_out)})
    settings = {**settings, "samples": {**settings["samples"], "targets": {}}, "left_out": left_out}
    return _data_module(waveform_set, split, config, settings, asked)


def _data_module(
    waveform_set: WaveformSet, split: Split, config: Settings, settings: dict[str, Any], asked: EvaluateSettings
) -> EventDataModule:
    return EventDataModule(
        waveform_set,
        split,
        **settings,
        batch_size=config.trainer.batch_size,
        num_workers=asked.system.num_workers,
        in_memory=fits_in_memory(asked.system, waveform_set, settings),
        seed=config.seed,
        refit=config.split.refit and bool(settings["samples"]["targets"]),
    )


def _short_hash(checkpoints: Sequence[Path], asked: EvaluateSettings) -> str:
    """Short hash of what was evaluated and how; the machine does not count."""
    wanted: list[Any] = [asked.dataset, asked.level, asked.location, asked.training_events]
    # Evaluations of one pass keep the folders that they had before there were others.
    wanted += [asked.uncertainty] if asked.uncertainty is not None else []
    # Checkpoints by content, not by path: a folder that moves keeps its evaluations.
    settings = json.dumps(wanted, sort_keys=True)
    return hashlib.sha256(b"".join(path.read_bytes() for path in checkpoints) + settings.encode()).hexdigest()[:8]
