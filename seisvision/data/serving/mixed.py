"""Training samples of several sets in one order: once through the own set, and of the others what their share asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from seisvision.data.serving.epoch_sampler import DrawnStations, EpochSampler
from seisvision.data.serving.redrawn import RedrawnWindows
from seisvision.seeding import DEFAULT_SEED, numpy_stream


@dataclass(frozen=True)
class Beside:
    """A further set to train with.

    Attributes:
        data: its data module; what it trains with is all that it serves.
        share: of the samples of an epoch, in (0, 1).
    """

    data: Any
    share: float


class MixedSamples(Dataset):
    """Samples of several members as one list; number j + N r is sample j in round r, N being all samples together.

    Args:
        members: what serves the samples of each set, the own one first.
    """

    def __init__(self, members: Sequence[Any]) -> None:
        self._members = list(members)
        self._first = np.concatenate([[0], np.cumsum([len(member) for member in members], dtype=int)])

    def __len__(self) -> int:
        """Return the number of all samples N."""
        return int(self._first[-1])

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return one sample as its round shows it."""
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Return several samples, those of a member read at once where that is possible."""
        rounds, places = np.divmod(np.asarray(numbers), len(self))
        owner = np.searchsorted(self._first, places, side="right") - 1
        found: dict[int, dict[str, Any]] = {}
        for number, member in enumerate(self._members):
            asked = np.flatnonzero(owner == number)
            if not len(asked):
                continue
            wanted = places[asked] - self._first[number]
            if isinstance(member, DrawnStations | RedrawnWindows):
                wanted = wanted + len(member) * rounds[asked]
            read_many = getattr(member, "__getitems__", None)
            read = read_many(wanted.tolist()) if read_many else [member[place] for place in wanted.tolist()]
            found |= dict(zip(asked.tolist(), read, strict=True))
        return [found[place] for place in range(len(numbers))]


class MixedSampler(EpochSampler):
    """Order of an epoch in which every own sample comes once, and others as often as their share asks for.

    Those of another set follow each other in drawn orders, one whole order after the other from epoch to epoch, so that
    all come equally often whatever the share is.

    Args:
        n_own: samples of the own set.
        others: name of each other set, to the number of its samples and its share of the epoch.
        seed: base seed.
        **ranks: see :class:`~seisvision.data.serving.epoch_sampler.EpochSampler`.
    """

    def __init__(
        self, n_own: int, others: Mapping[str, tuple[int, float]], *, seed: int = DEFAULT_SEED, **ranks: Any
    ) -> None:
        n_whole = n_own / (1 - sum(share for _, share in others.values()))
        self._n_own, self._others = n_own, dict(others)
        self._wanted = {name: max(1, round(share * n_whole)) for name, (_, share) in others.items()}
        super().__init__(n_own + sum(self._wanted.values()), shuffle=True, seed=seed, **ranks)

    def order(self) -> np.ndarray:
        """Return the numbers of the epoch, as :class:`MixedSamples` reads them."""
        n_all = self._n_own + sum(n for n, _ in self._others.values())
        chosen, first = [np.arange(self._n_own) + n_all * self.epoch], self._n_own
        for name, (n_samples, _) in self._others.items():
            rounds, places = np.divmod(np.arange(self._wanted[name]) + self._wanted[name] * self.epoch, n_samples)
            orders = {
                int(one): numpy_stream(self.seed, f"beside {name}", int(one)).permutation(n_samples)
                for one in np.unique(rounds)
            }
            drawn = [orders[one][place] for one, place in zip(rounds.tolist(), places.tolist(), strict=True)]
            chosen.append(first + np.array(drawn, dtype=int) + n_all * rounds)
            first += n_samples
        return numpy_stream(self.seed, "shuffle", self.epoch).permutation(np.concatenate(chosen))


def mix(
    samples: Any, beside: Mapping[str, Beside], seed: int, ranks: Mapping[str, Any]
) -> tuple[MixedSamples, MixedSampler]:
    """Training samples of a set with those of the sets beside it, and their order."""
    others = {name: (one.data.train_samples(), one.share) for name, one in beside.items()}
    sizes = {name: (len(served), share) for name, (served, share) in others.items()}
    mixed = MixedSamples([samples, *(served for served, _ in others.values())])
    return mixed, MixedSampler(len(samples), sizes, seed=seed, joins=True, **ranks)
