"""The scale on which a number is learnt, and distributions on it: centres, spreads and intervals as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.outputs.averaging import mean_of_votes

LEVELS = (0.68, 0.95)
"""Of the intervals that are decoded."""
FORWARD: dict[str, Callable[[np.ndarray], np.ndarray]] = {"none": np.asarray, "log": np.log, "log1p": np.log1p}
INVERSE: dict[str, Callable[[np.ndarray], np.ndarray]] = {"none": np.asarray, "log": np.exp, "log1p": np.expm1}
SLOPE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": np.ones_like, "log": lambda values: 1 / values, "log1p": lambda values: 1 / (1 + values)
}  # fmt: skip
"""Transforms of :class:`~seisvision.outputs.numbers.output.ScalarOutput`, their inverses and derivatives."""
FAMILIES = {"gaussian": "norm", "laplace": "laplace", "evidential": "norm"}
"""Distributions of ``scipy.stats`` by loss. What an evidential output says is told as the normal distribution with its
moments."""


@dataclass(frozen=True)
class LearntScale:
    """A transform, and the family of the distributions that are stated on its scale."""

    transform: str
    family: str | None
    """Its name in ``scipy.stats``; None where only a value is learnt."""

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> LearntScale:
        """From the description of an output."""
        return cls(str(about["transform"]), FAMILIES.get(about.get("loss", "")))

    @property
    def has_spread(self) -> bool:
        """Whether a distribution is stated, and not only a value."""
        return self.family is not None

    @property
    def distribution(self) -> Any:
        """The family of ``scipy.stats``; the normal one where none is stated."""
        from scipy import stats  # late: it takes half a second, and comparisons of values ask for no distribution

        return getattr(stats, self.family or "norm")

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Values in their unit to the learnt scale; NaN where they lie outside of it."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return FORWARD[self.transform](np.asarray(values, float))

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Values of the learnt scale in their unit."""
        with np.errstate(over="ignore"):
            found = INVERSE[self.transform](np.asarray(values, float))
        return np.maximum(found, 0.0) if self.transform == "log1p" else found

    def slope(self, values: np.ndarray) -> np.ndarray:
        """How fast the learnt scale grows at values in their unit."""
        return SLOPE[self.transform](np.asarray(values, float))

    def quantile(self, share: float | np.ndarray) -> Any:
        """Quantiles of the family with mean 0 and standard deviation 1; a normal one where none is stated."""
        return self.distribution.ppf(share) / self.distribution.std()

    def ends(self, centre: np.ndarray, deviation: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the central interval of that level, in the unit; centre and deviation are of the learnt scale."""
        half = float(self.quantile(0.5 + level / 2)) * deviation
        return self.inverse(centre - half), self.inverse(centre + half)

    def sigma(self, centre: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """Half the width of the 68 % interval, in the unit."""
        low, high = self.ends(centre, deviation, LEVELS[0])
        return (high - low) / 2

    def deviation_of(self, decoded: np.ndarray) -> np.ndarray:
        """Standard deviation on the learnt scale (...,) of decoded values (..., 6); NaN where none is stated.

        From the upper ends only: lower ones are cut at zero where the value cannot be negative.
        """
        width68, width95 = (float(self.quantile(0.5 + level / 2)) for level in LEVELS)
        return (self.forward(decoded[..., 5]) - self.forward(decoded[..., 3])) / (width95 - width68)


@dataclass(frozen=True)
class Mixture:
    """Moments on the learnt scale of the mixture of the distributions of several members, (N,) each."""

    mean: np.ndarray
    aleatoric: np.ndarray
    """Mean of the members' variances; NaN where they state none."""
    epistemic: np.ndarray
    """Variance of the members' means."""
    several: np.ndarray
    """bool: where more than one spoke, so that they can disagree."""


def mixture_of_votes(votes: np.ndarray, about: Mapping[str, Any]) -> Mixture:
    """Moments of the mixture of decoded values (M, N, 6) of an output.

    It is the variances that are averaged, not their logarithms, whose mean belongs to a smaller variance, nor sigmas.
    The variance of few means is divided by their number, as the law of total variance has it.
    """
    scale = LearntScale.of(about)
    centre = scale.forward(votes[:, :, 0])
    mean = mean_of_votes(centre)
    several = np.isfinite(centre).sum(axis=0) > 1
    epistemic = mean_of_votes((centre - mean) ** 2)
    unknown = np.full(votes.shape[1], math.nan)
    aleatoric = mean_of_votes(scale.deviation_of(votes) ** 2) if scale.has_spread else unknown
    return Mixture(mean, aleatoric, epistemic, several)
