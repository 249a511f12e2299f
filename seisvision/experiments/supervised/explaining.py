"""Explain a run: what its network looked at on some samples, stored as pictures and numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.base.units import unit_named
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.evaluation.figure_style import plain_text
from seisvision.experiments.supervised.prediction import true_values
from seisvision.experiments.waveforms.figures import said_of
from seisvision.experiments.waveforms.network import build_task
from seisvision.experiments.waveforms.settings import Settings
from seisvision.files import whole_file
from seisvision.judging.figures_lines import SeenLines, weight_by_phase, weighted_lines_figure
from seisvision.judging.figures_sources import overlay_figure
from seisvision.judging.saliency import find_layer, grad_cam, rank_correlations, upsample
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.output import Output
from seisvision.outputs.predictions import Predictions
from seisvision.outputs.truth import truth_of
from seisvision.records.configuration import own_weights
from seisvision.records.folder import RunFolder, write_json
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)

METHODS = ("gradcam",)
RANDOM_SEED_STEP = 1
"""Added to the run's seed for the network with random weights."""
SAME_MAPS = 0.5
"""Median rank correlation above which maps say more of the network's shape than of what it learnt."""


def explain_run(
    folder: RunFolder,
    config: Settings,
    data: EventDataModule,
    task: SupervisedTask,
    settings: Mapping[str, Any],
    part: str,
) -> dict[str, Any]:
    """Explain every output on some samples and write ``explain/`` and ``figures/*_gradcam.png``.

    Beside each map, that of the same network with random weights: where both look alike, the map tells of the
    architecture and the picture, not of what was learnt (Adebayo et al. 2018, Sanity checks for saliency maps,
    arXiv:1810.03292).

    Args:
        folder: of the run.
        config: its resolved configuration.
        data: the parts.
        task: the trained network.
        settings: ``method``, ``samples`` (how many) and ``layer`` (``None`` finds it), see :func:`check_explain`.
        part: whose samples.

    Returns:
        What ``explain/*.json`` holds, by output.

    Raises:
        ConfigurationError: the part or the layer is unknown.
    """
    if part not in data.parts:
        raise ConfigurationError(f"part='{part}' is not in this run. {did_you_mean(part, list(data.parts))}")
    task = task.cpu().eval()
    # A second network of the same shape, never trained; published weights would not be random.
    plain = replace(config, model=own_weights(config.model), seed=config.seed + RANDOM_SEED_STEP)
    random = build_task(plain, task.view).eval()
    found = {}
    for output, untrained in zip(task.outputs, random.outputs, strict=True):
        chosen = choose_samples(data, part, output, int(settings["samples"]))
        batch = _batch(data, part, chosen)
        with torch.no_grad():
            image = task.view(batch)
        name, layer = find_layer(task.model, image[:1], settings["layer"])
        _, other_layer = find_layer(random.model, image[:1], name)
        maps = grad_cam(task, output, image, layer)
        others = grad_cam(random, untrained, image, other_layer)
        found[output.name] = _write(folder, part, task, output, batch, image, (maps, others), name)
    return found


def check_explain(settings: Mapping[str, Any], task: SupervisedTask) -> None:
    """Refuse what could not be explained, before anything is trained.

    Raises:
        ConfigurationError: unknown method or layer, no sample, or captum is not installed.
    """
    method, samples = settings["method"], settings["samples"]
    if method not in METHODS:
        raise ConfigurationError(f"explain.method='{method}' is unknown. {did_you_mean(str(method), list(METHODS))}")
    if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1:
        raise ConfigurationError(f"explain.samples={samples} is not allowed; give a whole number of at least 1.")
    if not task.outputs:
        raise ConfigurationError(
            "explain=gradcam asks what an output looked at; task=cluster has none. Set explain=none."
        )
    if find_spec("captum") is None:
        raise ConfigurationError("Grad-CAM needs the package captum: pip install 'seisvision[explain]'.")
    if len(task.view.image_shape) not in (2, 3):
        raise ConfigurationError(
            f"explain=gradcam lays a map over a picture or lines, but {type(task.view).__name__} gives "
            f"{' x '.join(map(str, task.view.image_shape))} values, which is neither. Set explain=none."
        )
    was_training = task.training
    task.eval()
    # Not zeros, which stand for stations that are absent.
    image = torch.linspace(0.1, 1.0, task.view.image_shape[-1]).expand(1, *task.view.image_shape).clone()
    try:
        for output in task.outputs:
            _, layer = find_layer(task.model, image, settings["layer"])
            _try(task, output, image, layer)
    finally:
        task.train(was_training)


def _try(task: SupervisedTask, output: Output, image: torch.Tensor, layer: nn.Module) -> None:
    """Explain one picture, so that what cannot be explained is told before the training.

    Raises:
        ConfigurationError: the layer gives no map of the picture.
    """
    try:
        maps = grad_cam(task, output, image, layer)
        if len(maps) != 1 or maps.ndim != image.ndim - 1:
            raise ValueError(f"the layer gives {tuple(maps.shape)} values for one sample, such as a line a station")
    except (RuntimeError, ValueError, IndexError, AssertionError) as error:
        raise ConfigurationError(
            f"Grad-CAM cannot explain output '{output.name}' of {type(task.model).__name__}: {error}. Set "
            "explain=none, or name another layer with explain.layer."
        ) from error


def choose_samples(data: EventDataModule, part: str, output: Output, n: int) -> np.ndarray:
    """Places of up to ``n`` samples of a part: the same of every run on this split, spread over classes or values."""
    if not set(output.columns) <= data.parts[part].targets.keys():
        return np.arange(min(n, len(data.parts[part])))
    targets = truth_of(output.describe(), data.parts[part].targets)
    groups = predictions_class(output.kind).grouped(output.describe(), targets)
    if len(groups) == 1:
        ranks = np.linspace(0, max(0, len(groups[0]) - 1), min(n, len(groups[0]))).round().astype(int)
        return groups[0][ranks]
    # One of each class in turn, so that few samples hold as many classes as possible.
    turns = [some[i] for i in range(n) for some in groups if i < len(some)]
    return np.array(sorted(turns[:n], key=lambda place: targets[place]), dtype=int)


def _batch(data: EventDataModule, part: str, chosen: np.ndarray) -> dict[str, Any]:
    subset = Subset(data.parts[part], chosen.tolist())
    (batch,) = list(DataLoader(subset, batch_size=max(1, len(chosen)), collate_fn=collate_events))
    return batch


def _write(
    folder: RunFolder,
    part: str,
    task: SupervisedTask,
    output: Output,
    batch: dict[str, Any],
    image: torch.Tensor,
    both: tuple[np.ndarray, np.ndarray],
    layer: str,
) -> dict[str, Any]:
    """Store maps as ``explain/<output>_<part>.npz`` and ``.json`` and as a figure."""
    maps, others = both
    said = _said(task, output, batch)
    pictures = task.view.to_uint8(image).permute(0, 3, 1, 2).numpy()
    same = rank_correlations(maps, others)
    middle = float(np.nanmedian(same)) if np.isfinite(same).any() else None
    stem = f"{output.name}_{part}"
    is_lines = image.ndim == 3
    grown = upsample(maps, *(image.shape[2:] if is_lines else pictures.shape[2:]))
    seen = _lines(task, batch, image) if is_lines else None
    about = {
        "method": "gradcam", "layer": layer, "map": list(maps.shape[1:]), "signed": output.map_is_signed,
        "samples": said.sample_ids,
        "random_weights_rank_correlation": [None if np.isnan(one) else float(one) for one in same],
        "median_rank_correlation": middle,
        **({} if seen is None else {"weight_by_phase": weight_by_phase(grown, seen, output.map_is_signed)}),
    }  # fmt: skip
    write_json(folder.explain / f"{stem}.json", about)
    _write_arrays(
        folder.explain / f"{stem}.npz", maps=maps, random_weights=others, pictures=pictures,
        target=said.target, decoded=said.decoded, sample_ids=np.array(said.sample_ids, dtype=str),
        **({} if seen is None else {"lines": seen.lines, "arrivals_s": seen.arrivals_s, "sample_s": seen.sample_s}),
    )  # fmt: skip
    text = "not known" if middle is None else f"{middle:.2f}"
    title = f"Grad-CAM of {plain_text(output.name)} at {layer}; rank correlation with random weights {text}"
    file, captions = folder.figures / f"{stem}_gradcam.png", [said_of(said, row) for row in range(len(said.ids))]
    if seen is not None:
        weighted_lines_figure(file, seen, grown, captions, signed=output.map_is_signed, title=title)
    else:
        overlay_figure(file, pictures, grown, captions, signed=output.map_is_signed, title=title)
    log.info("explain  %s: %d maps at %s, rank correlation with random weights %s", stem, len(maps), layer, text)
    if middle is not None and abs(middle) > SAME_MAPS:
        log.warning(
            "The maps of %s look like those of a network with random weights (median rank correlation %s): "
            "they tell of the architecture, not of what was learnt.", output.name, text
        )  # fmt: skip
    return about


def _lines(task: SupervisedTask, batch: dict[str, Any], image: torch.Tensor) -> SeenLines:
    """Lines (B, P, T) as they were seen, with the arrivals that the batch knows of."""
    known = batch.get(keys.ARRIVALS_S)
    arrivals_s = torch.full((len(image), 2), torch.nan) if known is None else known[:, 0]
    return SeenLines(image.numpy(), list(task.view.describe()), task.view.sample_s(batch), arrivals_s.numpy())


def _said(task: SupervisedTask, output: Output, batch: dict[str, Any]) -> Predictions:
    """What the network says about one batch."""
    with torch.no_grad():
        step = task.predict_step(batch, 0)
    return predictions_class(output.kind).from_decoded(
        output.describe(),
        SampleIds(task.view.unit, batch[unit_named(task.view.unit).id_column], batch[keys.SOURCE_ID]),
        true_values(step, output).numpy(),
        step["decoded"][output.name].double().numpy(),
    )


def _write_arrays(path: Path, **arrays: Any) -> None:
    with whole_file(path) as partial:
        np.savez_compressed(partial, **arrays)
