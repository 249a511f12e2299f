"""The parameters of ETAS."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from torch import Tensor

NAMES = ("background_per_day", "productivity", "alpha", "c_days", "p", "d_km2", "q", "gamma")
PLAIN = ("alpha", "p", "gamma")
"""Those that the search takes as they are."""
REFERENCE_DAYS = 1000.0
"""Span of which productivity tells the number of aftershocks."""
START = (np.nan, 0.4, 1.5, 0.01, 1.15, 1.0, 1.6, 0.8)
"""Where a search begins; its background follows from the number of events."""
BOUNDS = (
    (-20.0, 15.0), (-12.0, 4.0), (0.0, 7.0), (-14.0, 5.0), (0.2, 4.0), (-12.0, 10.0), (-4.0, 2.0), (-1.0, 4.0),
)  # fmt: skip
"""Of the search, in its own terms; a parameter that ends there is told."""
LOG10 = float(np.log(10))


@dataclass(frozen=True)
class EtasParameters:
    """One set of parameters.

    Attributes:
        background_per_day: events of the reference magnitude and more that come by themselves, in the whole region.
        productivity: direct aftershocks, everywhere within 1000 days, of an event of the reference magnitude.
        alpha: growth of that a unit of magnitude (natural logarithm).
        c_days: time from which the rate of aftershocks falls as a power of time.
        p: that power; at 1 and below, aftershocks have no end, so that their number is told of 1000 days.
        d_km2: square of the distance from which it falls as a power of distance, of the reference magnitude.
        q: that power of the squared distance, above 1.
        gamma: growth of ``d_km2`` a unit of magnitude (natural logarithm).
        reference_magnitude: of all these.
        b: of the magnitudes, which are independent of everything else.
        largest_magnitude: none is larger.
    """

    background_per_day: float
    productivity: float
    alpha: float
    c_days: float
    p: float
    d_km2: float
    q: float
    gamma: float
    reference_magnitude: float
    b: float = 1.0
    largest_magnitude: float = 9.0

    @property
    def beta(self) -> float:
        """b times ln 10."""
        return self.b * LOG10

    @property
    def mean_productivity(self) -> float:
        """Branching ratio: direct aftershocks within 1000 days of an event, on average over magnitudes."""
        width = self.largest_magnitude - self.reference_magnitude
        excess = self.beta - self.alpha
        grown = width if abs(excess) < 1e-9 else -np.expm1(-excess * width) / excess
        return float(self.productivity * self.beta * grown / -np.expm1(-self.beta * width))

    @property
    def powers_left(self) -> float:
        """1 - p, but never quite 0, where integrals are logarithms; ten digits are kept."""
        return 1 - self.p if abs(1 - self.p) > 1e-10 else 1e-10

    def triggered(self, magnitude: np.ndarray) -> np.ndarray:
        """Direct aftershocks (N,) of each magnitude to be expected within 1000 days."""
        return np.asarray(self.productivity * np.exp(self.alpha * (magnitude - self.reference_magnitude)))

    def spread_km2(self, magnitude: np.ndarray) -> np.ndarray:
        """D (N,) of each magnitude."""
        return np.asarray(self.d_km2 * np.exp(self.gamma * (magnitude - self.reference_magnitude)))

    def to_vector(self) -> np.ndarray:
        """The eight (8,) in the terms of the search: alpha, gamma and p, logarithms of others, and that of q - 1."""
        values = [getattr(self, name) for name in NAMES]
        return np.array([_to_search(name, value) for name, value in zip(NAMES, values, strict=True)])

    @classmethod
    def from_vector(
        cls, vector: np.ndarray, reference_magnitude: float, b: float, largest_magnitude: float
    ) -> EtasParameters:
        """The reverse of :meth:`to_vector`."""
        values = {name: from_search(name, value) for name, value in zip(NAMES, vector, strict=True)}
        return cls(**values, reference_magnitude=reference_magnitude, b=b, largest_magnitude=largest_magnitude)

    def to_dict(self) -> dict[str, float]:
        """Plain numbers for JSON."""
        return asdict(self)


def _to_search(name: str, value: float) -> float:
    if name in PLAIN:
        return float(value)
    return float(np.log(value - 1 if name == "q" else value))


def from_search(name: str, value: float) -> float:
    """A parameter, from what the search calls it."""
    if name in PLAIN:
        return float(value)
    return float(np.exp(value) + (name == "q"))


def tensors(vector: Tensor) -> dict[str, Tensor]:
    """The parameters by name, each a tensor without shape, from a vector (8,) that may want its gradient."""
    values = dict(zip(NAMES, vector.unbind(), strict=True))
    for name in NAMES:
        if name not in PLAIN:
            values[name] = values[name].exp()
    # How much q exceeds 1 is kept beside it: near 1 the difference would lose its digits.
    return values | {"q_less_1": values["q"], "q": values["q"] + 1}
