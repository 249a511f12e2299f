"""Training windows with another one laid over them, whose arrivals are true as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from seisvision import keys
from seisvision.base.sample_ids import are_noise
from seisvision.data.serving.epoch_sampler import Numbered
from seisvision.errors import ConfigurationError
from seisvision.seeding import DEFAULT_SEED, numpy_stream


@dataclass(frozen=True)
class Superposition:
    """How often another window is laid over a training window, and how loud.

    Attributes:
        probability: of each window.
        level_db: range of its root mean square over that of the window.

    Raises:
        ConfigurationError: a value is not allowed.
    """

    probability: float = 0.2
    level_db: Sequence[float] = (-20.0, 0.0)

    def __post_init__(self) -> None:
        """Refuse what is no probability and no range."""
        if not 0 < self.probability <= 1:
            raise ConfigurationError(
                f"dataset.superpose.probability={self.probability} is not allowed; give more than 0, at most 1"
            )
        if isinstance(self.level_db, str) or len(self.level_db) != 2 or not self.level_db[0] <= self.level_db[1]:
            raise ConfigurationError(
                f"dataset.superpose.level_db={self.level_db} is not allowed; give lowest and highest, such as [-20, 0]"
            )


class SuperposedSamples(Numbered):
    """Windows of single traces, some of them with another one of the same samples laid over them.

    Which and how loud follows from seed, epoch and place alone. Of a phase that the other window does not tell, nothing
    is known in the sum. Windows are left alone where the other one tells neither phase, and windows of noise where it
    does not tell both.

    Args:
        samples: what is drawn anew in every epoch: number j + N r is sample j in epoch r.
        settings: how often and how loud.
        seed: base seed.
    """

    def __init__(self, samples: Any, settings: Superposition, seed: int = DEFAULT_SEED) -> None:
        super().__init__(samples)
        self._settings, self._seed = settings, seed

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return one sample as its epoch shows it."""
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Return several samples, read at once where that is possible."""
        n_all, others, factors = len(self), [], []
        lowest_db, highest_db = self._settings.level_db
        for number in numbers:
            epoch, place = divmod(number, n_all)
            stream = numpy_stream(self._seed, f"superposed in epoch {epoch}", place)
            luck, other = stream.random(), int(stream.integers(n_all))
            decibels = float(stream.uniform(lowest_db, highest_db))
            chosen = luck < self._settings.probability and other != place
            others.append(other + n_all * epoch if chosen else None)
            factors.append(10 ** (decibels / 20))
        asked = [*numbers, *(other for other in others if other is not None)]
        read = list(self.samples.__getitems__(asked))
        over = iter(read[len(numbers) :])
        return [
            sample if other is None else superposed(sample, next(over), factor)
            for sample, other, factor in zip(read, others, factors, strict=False)
        ]


def superposed(sample: dict[str, Any], other: dict[str, Any], factor: float) -> dict[str, Any]:
    """Return a sample (S = 1) with another one over it, ``factor`` times as loud; targets and names stay its own."""
    untold = other[keys.ARRIVALS_S].isnan() & ~torch.as_tensor(are_noise([other[keys.TRACE_ID]])[0])
    if untold.all() or (untold.any() and are_noise([sample[keys.TRACE_ID]])[0]):
        return sample
    own, recorded = sample[keys.WAVEFORM], other[keys.WAVEFORM] != 0
    mean = other[keys.WAVEFORM].sum(-1, keepdim=True) / recorded.sum(-1, keepdim=True).clamp_min(1)
    moved = (other[keys.WAVEFORM] - mean) * recorded * sample[keys.COMPONENT_MASK][..., None]
    loudness = (own - own.mean(-1, keepdim=True)).square().mean().sqrt()
    scale = factor * loudness / moved.square().mean().sqrt().clamp_min(1e-30)
    none = sample[keys.ARRIVALS_S].new_empty(1, 0, 2)
    further = [sample.get(keys.MORE_ARRIVALS_S, none), other[keys.ARRIVALS_S][:, None]]
    more_s = torch.cat([*further, other.get(keys.MORE_ARRIVALS_S, none)], 1)
    return sample | {
        keys.WAVEFORM: own + moved * scale,
        keys.ARRIVALS_S: sample[keys.ARRIVALS_S].masked_fill(untold, torch.nan),
        keys.MORE_ARRIVALS_S: more_s.masked_fill(untold[:, None], torch.nan),
    }
