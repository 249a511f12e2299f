"""What the networks of the folds saw: pictures of samples, and which other samples look alike to them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from seisvision.data.serving.collate import collate_events
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.experiments.waveforms.asked import AskedNetwork, ask_network
from seisvision.records.folder import RunFolder
from seisvision.records.settings import EvaluateSettings
from seisvision.records.thumbnails import as_jpeg
from seisvision.records.trust.machine import machine_settings
from seisvision.records.trust.stored import checked_config

log = logging.getLogger(__name__)

BATCH = 64


@dataclass(frozen=True)
class Looked:
    """What a network shows of samples.

    Args:
        pictures: JPEG by sample id.
        neighbours: sample ids by sample id, of other events, the likest first.
    """

    pictures: dict[str, bytes]
    neighbours: dict[str, list[str]]


def open_set(folder: RunFolder, data_dir: Path | None) -> WaveformSet:
    """The waveform set that a run was trained on, as its corrections had made it then.

    Raises:
        DataError: it cannot be had, or is another one now.
    """
    return _network(folder, data_dir).data.waveform_set


def _network(folder: RunFolder, data_dir: Path | None) -> AskedNetwork:
    stored = checked_config(folder.config(), folder.path)
    system = machine_settings(stored, data_dir, folder.path)
    asked = EvaluateSettings.of({"ckpt": str(folder.best_checkpoint), "part": "all", "system": system})
    # Nobody is told that the network knows some of these samples: it is not asked what they are.
    return ask_network(folder.best_checkpoint, asked, known=())


def look(folder: RunFolder, data_dir: Path | None, shown: Sequence[str], among: Sequence[str], n_alike: int) -> Looked:
    """Draw samples as a network saw them, and find those that look alike to it.

    Features of different networks cannot be compared; so the network that did not train on a sample looks at all others
    as well, but not at those of a test that stays untouched.

    Args:
        folder: of the run.
        data_dir: folder of waveform sets; None: that of the run.
        shown: samples to be drawn, and whose neighbours are wanted.
        among: samples that these may be.
        n_alike: how many; 0 looks for none.
    """
    network = _network(folder, data_dir)
    task = network.task.eval()
    pictures: dict[str, bytes] = {}
    features: list[np.ndarray] = []
    ids: list[str] = []
    events: list[str] = []
    wanted = set(shown)
    others = list(among) if n_alike else list(shown)
    samples = network.data.samples_of(others)
    loader = DataLoader(samples, batch_size=BATCH, collate_fn=collate_events)
    column = samples.ids.kind.id_column
    with torch.inference_mode():
        for batch in loader:
            picture = task.view(batch)
            if n_alike:
                features.append(_features(task.model, picture))
                events += batch["source_id"]
            names = [str(name) for name in batch[column]]
            ids += names
            chosen = [place for place, name in enumerate(names) if name in wanted]
            if chosen:
                drawn = task.view.to_uint8(picture[chosen]).permute(0, 3, 1, 2).cpu().numpy()
                pictures |= {names[place]: as_jpeg(one) for place, one in zip(chosen, drawn, strict=True)}
    if not n_alike or not ids:
        return Looked(pictures, {})
    return Looked(pictures, _alike(np.concatenate(features), ids, events, shown, n_alike))


def _features(model: torch.nn.Module, picture: torch.Tensor) -> np.ndarray:
    """Features (B, F) of pictures; of networks with maps alone, their means along the waveform."""
    try:
        found = model(picture)
    except NotImplementedError:
        found = model.maps(picture)  # type: ignore[operator]
    return found.flatten(2).mean(2).cpu().numpy() if found.ndim > 2 else found.cpu().numpy()


def _alike(
    features: np.ndarray, ids: Sequence[str], events: Sequence[str], asked: Sequence[str], n: int
) -> dict[str, list[str]]:
    """The n samples of other events with the likest features, by the cosine after each feature was standardised."""
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    scaled /= np.where(length > 0, length, 1)
    place_of = {name: place for place, name in enumerate(ids)}
    of_event = np.array(events, dtype=object)
    found = {}
    for name in asked:
        place = place_of.get(name)
        if place is None:
            continue
        likeness = scaled @ scaled[place]
        likeness[of_event == of_event[place]] = -np.inf
        order = np.argsort(-likeness, kind="stable")[:n]
        found[name] = [ids[other] for other in order if np.isfinite(likeness[other])]
    return found
