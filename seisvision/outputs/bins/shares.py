"""What predictions told as probabilities of bins have in common, of numbers and of angles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.outputs.averaging import ENTROPIES, entropies_of_votes, mean_of_votes
from seisvision.outputs.regression import RegressionPredictions


@dataclass(frozen=True)
class PredictionsOfBins(RegressionPredictions):
    """Behind the ``parts`` of a number or an angle stand the probabilities of the K bins; NaN of a baseline."""

    apart_names = ENTROPIES

    @classmethod
    def bins_of(cls, about: Mapping[str, Any]) -> Any:
        """The bins of a description."""
        raise NotImplementedError

    @classmethod
    def n_bins_of(cls, about: Mapping[str, Any]) -> int:
        """How many bins a description has."""
        raise NotImplementedError

    @classmethod
    def width(cls, about: Mapping[str, Any]) -> int:
        """Parts and bins."""
        return super().width(about) + cls.n_bins_of(about)

    @classmethod
    def number_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """Those of the value, then ``bin_<number>``."""
        return [*super().number_columns(about), *(f"bin_{number}" for number in range(cls.n_bins_of(about)))]

    @property
    def probability(self) -> np.ndarray:
        """float (N, K); NaN where only a value was said."""
        return self.decoded[:, len(self.parts) :]

    @property
    def likeliest(self) -> np.ndarray:
        """Number of the likeliest bin (N,), else that of the value; -1 where nothing was said."""
        of_value = self.numbers_of(self.value)
        told = np.isfinite(self.probability).all(axis=1)
        return np.where(told, np.nan_to_num(self.probability).argmax(axis=1), of_value)

    def numbers_of(self, values: np.ndarray) -> np.ndarray:
        """Bins (N,) of values (N,); -1 of NaN."""
        known = np.isfinite(values)
        numbers = self.bins_of(self.about).number_of(torch.from_numpy(np.where(known, values, 0.0))).numpy()
        return np.where(known, numbers, -1)

    def columns(self) -> dict[str, list[Any]]:
        """Those of the value, and the probability of every bin where there is one."""
        columns = super().columns()
        if np.isfinite(self.probability).any():
            columns |= {f"bin_{number}": share.tolist() for number, share in enumerate(self.probability.T)}
        return columns

    def measures(self, level: float = 0.95, train_target: np.ndarray | None = None) -> dict[str, Measure]:
        """Those of the value; ``exact_bin`` and ``within_1_bin``: shares with the likeliest bin right, or next."""
        known = np.flatnonzero(self.answered)
        bins = self.bins_of(self.about)
        apart = bins.apart(
            *(torch.from_numpy(some[known]) for some in (self.likeliest, self.numbers_of(self.target)))
        ).numpy()
        bootstrap = EventBootstrap(np.asarray(self.source_ids)[known], level)
        of_bins = {"exact_bin": bootstrap.share(apart == 0), "within_1_bin": bootstrap.share(apart <= 1)}
        return super().measures(level, train_target) | of_bins

    def average(self, votes: np.ndarray) -> np.ndarray:
        """What the mean probabilities of the members say, (N, parts + K) of votes (M, N, parts + K)."""
        mean = mean_of_votes(votes)
        probability = mean[:, len(self.parts) :]
        together = self.bins_of(self.about).decode(torch.from_numpy(np.nan_to_num(probability))).double().numpy()
        together[~np.isfinite(probability).all(axis=1)] = np.nan
        # Who speaks alone, as the folds of a cross-validation do, is left as it is.
        alone = np.isfinite(votes[:, :, 0]).sum(axis=0) == 1
        return np.concatenate([np.where(alone[:, None], mean[:, : len(self.parts)], together), probability], axis=1)

    def tell_apart(self, votes: np.ndarray) -> dict[str, np.ndarray]:
        """Of the probabilities of the bins, as of classes."""
        return entropies_of_votes(votes[:, :, len(self.parts) :])

    def in_terms_of(self, about: Mapping[str, Any]) -> Self:
        """The same with the bins of another description, where these lie elsewhere."""
        raise NotImplementedError
