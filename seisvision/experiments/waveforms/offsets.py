"""Distances that a trained network predicts for every trace of a set, made once and kept (ATLAS A-45)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from seisvision import keys
from seisvision.data.samples.predicted_offsets import PredictedOffsets
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.samples.usability import unusable_samples, with_cache
from seisvision.data.serving.collate import collate_events
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.experiments.waveforms.settings import Settings, sample_settings
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.files import check_writable, clear_lock, locked
from seisvision.records.checkpoint import checkpoint_hash, find_checkpoint
from seisvision.records.configuration import with_own_weights
from seisvision.records.known_events import KnownEvents, seen_in
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)

BATCH_TRACES = 64
OFFSET_COLUMN = "path_ep_distance_km"


def offsets_of(config: Settings, waveform_set: WaveformSet) -> PredictedOffsets:
    """Distances for the traces of a set from the network that ``offset_ckpt`` names.

    They are kept in the data folder under the hash of the checkpoint and the fingerprint of the set; processes that ask
    at once wait for the first.

    Raises:
        CheckpointError: there is no such checkpoint, it cannot be used, or it is not the one the run began with.
        ConfigurationError: the checkpoint does not predict distances in km from single traces.
    """
    asked = config.offset_hash
    try:
        checkpoint = find_checkpoint(str(config.offset_ckpt))
    except CheckpointError as error:
        raise CheckpointError(
            f"The distances of the sections are those of the network {asked}, and it is gone: {error} Where it lies "
            "elsewhere now, say so with offset_ckpt=PATH."
        ) from error
    digest = checkpoint_hash(checkpoint)
    if digest != asked:
        raise CheckpointError(
            f"{checkpoint} has changed: its hash is {digest}, the run was made for {asked}. Repeat the command, which "
            "makes a run for the new network."
        )
    path = config.system.features_dir / f"offsets-{digest}-{waveform_set.fingerprint}.csv"
    offsets = _kept_or_predicted(waveform_set, checkpoint, path)
    known = np.isfinite(offsets.offset_km)
    log.info("offsets  of %d of %d traces by checkpoint %s: %s", known.sum(), len(known), digest, path)
    for reason, count in Counter(reason for reason in offsets.reasons if reason).most_common():
        log.info("         %d traces have none: %s", count, reason)
    return offsets


def _kept_or_predicted(waveform_set: WaveformSet, checkpoint: Path, path: Path) -> PredictedOffsets:
    """Distances from a file, which is made first; where none can be made they are predicted anew."""
    lock = path.with_name(f".{path.name}.lock")
    clear_lock(lock)
    if not path.exists():
        try:
            check_writable(path.parent, "system.data_dir")
        except ConfigurationError as error:
            log.warning("offsets  are predicted anew each time: %s", error)
            return predict_offsets(waveform_set, checkpoint)
        with locked(lock):
            if not path.exists():
                predict_offsets(waveform_set, checkpoint, path.parent).write(path)
    return PredictedOffsets.read(path)


def predict_offsets(
    waveform_set: WaveformSet, checkpoint_path: Path, cache_dir: Path | None = None
) -> PredictedOffsets:
    """Predict the distance of every trace of a set; nothing that its table says of sources is read.

    Traces are cut, drawn and read as the checkpoint was trained: rate, window, onset detector, view and components are
    those of its own configuration, whatever is asked of the set elsewhere.

    Args:
        waveform_set: the set.
        checkpoint_path: a trained network with an output of distances in km.
        cache_dir: where detected onsets are kept.
    """
    network = TrainedNetwork.open(checkpoint_path, trace_config)
    content, config, task = network.content, network.config, network.task
    view = task.view
    output = _offset_output(task, checkpoint_path)
    if content["data_fingerprint"] == waveform_set.fingerprint:
        log.warning("offset_ckpt=%s was trained on this very set: its errors here are too small", checkpoint_path)
    _tell_seen(content, waveform_set, checkpoint_path, cache_dir)
    samples = with_cache({**sample_settings(config, view), "targets": {}, "seed": config.seed}, cache_dir)
    n_traces = len(waveform_set.table)
    problems = unusable_samples(waveform_set, samples=samples, unit="trace")
    reasons = [problems.get(str(row), "") for row in range(n_traces)]
    rows = np.flatnonzero([not reason for reason in reasons])
    offset_km, sigma_km = np.full(n_traces, np.nan), np.full(n_traces, np.nan)
    if len(rows):
        served = TraceSamples(waveform_set, rows, **samples)
        for row, (value, sigma, missing) in zip(rows, _predicted(task, served, output), strict=True):
            if missing:
                reasons[row] = f"the network needs component {missing}, which was not recorded"
            elif not np.isfinite(value):
                reasons[row] = "the network gave no number"
            else:
                offset_km[row], sigma_km[row] = max(value, 0.0), sigma
    source_ids = waveform_set.table["source_id"].astype(str).tolist()
    return PredictedOffsets(source_ids, offset_km, sigma_km, reasons)


def _tell_seen(content: Mapping[str, Any], waveform_set: WaveformSet, path: Path, cache_dir: Path | None) -> None:
    """Say how many events the network knows from its training, whatever they are called here."""
    seen = seen_in(waveform_set, [KnownEvents.of_checkpoint(content)], cache_dir)
    if seen.part_of:
        log.warning(
            "offset_ckpt=%s has seen %d of the %d events of this set in its training, such as %s: their distances are "
            "better than those of new ones",
            path,
            len(seen.part_of),
            len(waveform_set),
            next(iter(seen.part_of)),
        )
    elif seen.n_unknown:
        log.info("offset_ckpt=%s does not say which events it was trained on; train it again to have it compared", path)


def trace_config(config: dict[str, Any]) -> dict[str, Any]:
    """Configuration of a checkpoint as another set needs it: its rate said, all traces, no published weights."""
    traces = dict(config["dataset"].get("traces") or {})
    traces["sampling_rate_hz"] = traces.get("sampling_rate_hz") or config["dataset"]["source"].get("sampling_rate_hz")
    traces["max_traces_per_event"] = None
    return {**with_own_weights(config), "dataset": {**config["dataset"], "traces": traces}}


def _offset_output(task: SupervisedTask, path: Path) -> str:
    """Name of the output that holds distances in km."""
    if task.view.unit == "trace":
        for output in task.outputs:
            if output.target == OFFSET_COLUMN and getattr(output, "unit", "") == "km":
                return output.name
    raise ConfigurationError(
        f"offset_ckpt={path} does not predict distances in km from single traces. Train one with "
        "experiment=atlas/locate, or atlas/offset, offset_local or offset_pnw, and name its run folder."
    )


@torch.no_grad()
def _predicted(task: SupervisedTask, samples: TraceSamples, output: str) -> Iterator[tuple[float, float, str]]:
    """Distance, sigma and missing components of every sample, in order."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    task = task.to(device).eval()
    loader: DataLoader = DataLoader(Subset(samples, range(len(samples))), BATCH_TRACES, collate_fn=collate_events)
    head = next(one for one in task.outputs if one.name == output)
    for number, batch in enumerate(loader):
        raw = task({key: value.to(device) if torch.is_tensor(value) else value for key, value in batch.items()})
        decoded = head.decode(raw[output]).double().cpu().numpy()
        for values, mask in zip(decoded, batch[keys.COMPONENT_MASK][:, 0].tolist(), strict=True):
            yield float(values[0]), float(values[1]), _missing(samples.components, mask)
        if number and number % 50 == 0:
            log.info("offsets  predicted for %d of %d traces", (number + 1) * BATCH_TRACES, len(samples))


def _missing(components: str, recorded: Sequence[bool]) -> str:
    return "".join(component for component, there in zip(components, recorded, strict=True) if not there)
