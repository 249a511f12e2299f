"""How familiar samples are to a network: how far their features are from those that it learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.base.units import unit_named
from seisvision.evaluation.neighbours import KnownFeatures, share_as_far
from seisvision.experiments.waveforms.asked import AskedNetwork
from seisvision.experiments.waveforms.asking import ids_in_data_order
from seisvision.tasks.supervised import SupervisedTask, moved


class Familiarity:
    """What networks learnt from, and how far samples are from it that none learnt from but are alike.

    Args:
        own: the networks, each with the samples of its own set; :func:`validated_alike`.

    Raises:
        ConfigurationError: a split has no validation part.
    """

    def __init__(self, own: Sequence[AskedNetwork]) -> None:
        self.known = [KnownFeatures.fit(_features(one.task, one.data.loader("train"))[1]) for one in own]
        self.middles = np.ones(len(own))
        self.events: dict[str, str] = {}
        usual = []
        for number, one in enumerate(own):
            ids, features = _features(one.task, one.data.loader("val"))
            self.middles[number] = np.median(self.known[number].distance(features))
            self.events |= dict(zip(ids.ids, ids.source_ids, strict=True))
            usual.append(self._relative(number, ids, features))
        self.usual = _mean_by_sample(usual)

    def distances(self, networks: Sequence[AskedNetwork], part: str) -> dict[str, float]:
        """Distances by sample id, the mean of the networks, each in medians of its validation samples."""
        found = [_features(one.task, one.data.loader(part)) for one in networks]
        return _mean_by_sample([self._relative(number, *one) for number, one in enumerate(found)])

    def shares(self, distances: Mapping[str, float]) -> dict[str, float]:
        """By sample id, the probability that a sample like those of the validation would be at least as far."""
        usual, events = np.array(list(self.usual.values())), [self.events[one] for one in self.usual]
        found = share_as_far(np.array(list(distances.values())), usual, events)
        return dict(zip(distances, found.tolist(), strict=True))

    def _relative(self, number: int, ids: SampleIds, features: np.ndarray) -> dict[str, float]:
        distance = self.known[number].distance(features) / self.middles[number]
        return dict(zip(ids.ids, distance.tolist(), strict=True))


def _mean_by_sample(members: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean over those that have a sample."""
    ids = dict.fromkeys(name for one in members for name in one)
    return {name: float(np.mean([one[name] for one in members if name in one])) for name in ids}


def has_features(task: SupervisedTask) -> bool:
    """Whether outputs read one vector of features a sample, and not maps or the picture."""
    return not any(output.on_maps or output.sees_picture for output in task.outputs)


def validated_alike(own: Sequence[AskedNetwork]) -> bool:
    """Whether all networks have the same validation samples.

    Otherwise, as with folds, a validation sample has the distance of one network, and an asked sample the mean of all,
    which spreads less: one says nothing of the other.
    """
    return len({tuple(sorted(one.data.parts["val"].sample_ids)) for one in own}) == 1


def _features(task: SupervisedTask, loader: DataLoader) -> tuple[SampleIds, np.ndarray]:
    """Samples of a loader, and their features (N, F)."""
    was_training, device = task.training, next(task.parameters()).device
    about = (unit_named(task.view.unit).id_column, keys.SOURCE_ID, keys.COUNTS)
    batches, features = [], []
    task.eval()
    with torch.no_grad():
        for batch in loader:
            features.append(task.model(task.view(moved(batch, device))).cpu().numpy())
            # Without its waveforms, of which the memory could not hold those of all batches.
            batches.append({key: batch[key] for key in about if key in batch})
    task.train(was_training)
    ids, rows = ids_in_data_order(task.view.unit, batches, loader)
    return ids, np.concatenate(features)[rows]
