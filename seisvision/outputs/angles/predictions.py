"""Predicted angles: measures, comparison, averaging, table and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from seisvision.angles import wrapped_difference_deg
from seisvision.base.units import TRACE
from seisvision.evaluation.calibration import Stated, stated_angles
from seisvision.evaluation.conformal import ConformalAnswers
from seisvision.evaluation.differences import Influence
from seisvision.evaluation.intervals import Measure
from seisvision.outputs.angles.measures import (
    BIN_WIDTH_DEG,
    Z_95,
    angle_curve,
    angle_metrics,
    best_constant_deg,
    check_period,
    tolerance_name,
)
from seisvision.outputs.averaging import mean_of_votes
from seisvision.outputs.plain import plain_numbers
from seisvision.outputs.regression import RegressionPredictions, share_inside

BACK_AZIMUTH_TARGET = "path_back_azimuth_deg"
CANCELLED = 1e-6
"""Length of a mean vector below which directions cancel and none is the mean."""


@dataclass(frozen=True)
class AnglePredictions(RegressionPredictions):
    """Angles and their standard deviations (N, 2) in degrees; NaN targets have no label.

    ``about`` holds ``period_deg`` (360 or 180) and ``tolerance_deg``.
    """

    needs: ClassVar[tuple[str, ...]] = ("period_deg", "tolerance_deg")
    parts = ("angle_deg", "sigma")
    apart_names = ("sigma_aleatoric", "sigma_epistemic")

    @classmethod
    def feature_kinds(cls, unit: str, about: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """For back azimuths of single traces also the polarisation of P."""
        alone, others = super().feature_kinds(unit, about)
        is_back_azimuth = unit == TRACE.name and about["target"] == BACK_AZIMUTH_TARGET
        return ["polarisation", *alone] if is_back_azimuth else alone, others

    @property
    def period_deg(self) -> float:
        """360, or 180 where opposite directions are the same."""
        return float(self.about["period_deg"])

    unit = "deg"

    @classmethod
    def disagreement(cls, several: Sequence[Self]) -> tuple[np.ndarray, int | None]:
        """The largest difference of two angles."""
        values = np.stack([one.value for one in several])
        differences = wrapped_difference_deg(values[:, None], values[None, :], several[0].period_deg)
        return np.nan_to_num(np.abs(differences)).max((0, 1)), None

    @property
    def axis_limits(self) -> tuple[float, float]:
        """One period."""
        return 0.0, self.period_deg

    @property
    def error(self) -> np.ndarray:
        """Wrapped difference, angle minus target (N,), in degrees."""
        return wrapped_difference_deg(self.value, self.target, self.period_deg)

    @property
    def headline(self) -> str:
        """Median absolute error: less is better."""
        return "median_ae_deg"

    @property
    def table_columns(self) -> dict[str, str]:
        """Measures of a results table and their headings, the headline first."""
        tolerance_deg = float(self.about["tolerance_deg"])
        columns = {
            self.headline: "median error (deg)",
            tolerance_name(tolerance_deg): f"within {tolerance_deg:g} deg",
            "bias_deg": "bias (deg)",
            "circular_correlation": "circular correlation",
        }
        return columns | ({"flips_180": "opposite"} if self.period_deg == 360 else {})

    def guess(self, train_target: np.ndarray) -> float:
        """Circular median of the training targets, see `best_constant_deg`."""
        return best_constant_deg(train_target, self.period_deg)

    def details(self) -> dict[str, Any]:
        """``acc_curve``, ``coverage``, ``bins`` and what a table shows."""
        tolerances, shares = angle_curve(self.target, self.value, self.period_deg)
        size, sigma = np.abs(self.error), self.decoded[:, 1]
        return {
            **self.table_details(),
            "acc_curve": {"tolerance_deg": list(tolerances), "share": plain_numbers(shares)},
            "coverage": self.stated().shares()
            | {"68": share_inside(size, -sigma, sigma), "95": share_inside(size, -sigma, Z_95 * sigma)},
            "bins": {"width_deg": BIN_WIDTH_DEG},
        }

    def average(self, votes: np.ndarray) -> np.ndarray:
        """Angle and circular standard deviation (N, 2) in degrees of votes (M, N, 2).

        A member with an uncertainty is a vector as long as its mean resultant, exp(-sigma^2 / 2), else a unit vector.
        The mean vector is the first moment of the mixture, so its direction is the circular mean, and its length gives
        the standard deviation, which holds the members' own spread and their disagreement (Mardia and Jupp 2000,
        section 2.3). Directions that cancel have no mean: NaN.
        """
        to_phase = 2 * math.pi / self.period_deg
        vector = mean_of_votes(self._vectors(votes))
        resultant = np.abs(vector)
        period = self.period_deg
        angle = np.where(resultant > CANCELLED, np.angle(vector) / to_phase % period, np.nan)
        angle = np.where(
            angle >= period, 0.0, angle
        )  # the remainder of a tiny negative number rounds to a whole period
        votes_without = np.isfinite(votes[:, :, 0]) & ~np.isfinite(votes[:, :, 1])
        spread = self._deviation_deg(resultant)
        return np.stack([angle, np.where(votes_without.any(axis=0), np.nan, spread)], axis=1)

    def tell_apart(self, votes: np.ndarray) -> dict[str, np.ndarray]:
        """``sigma_aleatoric`` and ``sigma_epistemic`` (N,) in degrees, whose squares add to that of :meth:`average`.

        The length of the mean vector is the mean length of the members' vectors, which is their own spread, times what
        their directions leave of it, which is how far they disagree. Standard deviations come from lengths r as
        sqrt(-2 ln r), so that products of lengths are sums of variances. Angles themselves are never averaged.
        """
        vectors = self._vectors(votes)
        own = mean_of_votes(np.abs(vectors))
        agreement = np.abs(mean_of_votes(vectors)) / own
        has_own = np.isfinite(votes[:, :, 1]).any(axis=0)
        several = np.isfinite(votes[:, :, 0]).sum(axis=0) > 1
        return {
            "sigma_aleatoric": np.where(has_own, self._deviation_deg(own), np.nan),
            "sigma_epistemic": np.where(several, self._deviation_deg(agreement), np.nan),
        }

    def stated(self) -> Stated:
        """What wrapped normal distributions with the stated standard deviations say of the true angles."""
        return stated_angles(self.error, self.decoded[:, 1], self.period_deg)

    def nonconformity(self) -> np.ndarray:
        """Wrapped errors (N,), over the stated standard deviation where there is one."""
        return np.abs(self.error) / self.conformal_unit()

    def conformal(self, threshold: float) -> ConformalAnswers:
        """Sectors around the angles; at most the whole circle."""
        half = np.minimum(threshold * self.conformal_unit(), self.period_deg / 2)
        return ConformalAnswers(self.nonconformity() <= threshold, half, "deg")

    def conformal_unit(self) -> np.ndarray:
        """What errors are counted in (N,): the stated standard deviation, else 1."""
        sigma = self.decoded[:, 1]
        return np.where(np.isfinite(sigma), np.maximum(sigma, 1e-9), 1.0)

    def _vectors(self, votes: np.ndarray) -> np.ndarray:
        """Mean resultant vectors, complex (M, N), of votes (M, N, 2)."""
        to_phase = 2 * math.pi / self.period_deg
        phase, sigma = votes[:, :, 0] * to_phase, votes[:, :, 1] * to_phase
        length = np.where(np.isfinite(sigma), np.exp(-(sigma**2) / 2), 1.0)
        return length * np.exp(1j * phase)

    def _deviation_deg(self, resultant: np.ndarray) -> np.ndarray:
        """Circular standard deviations (N,) that belong to lengths of mean vectors (N,)."""
        return np.sqrt(-2 * np.log(np.clip(resultant, 1e-12, 1))) * self.period_deg / (2 * math.pi)

    def is_right(self, row: int) -> bool:
        """Whether the error is within the tolerance."""
        return abs(float(self.error[row])) <= float(self.about["tolerance_deg"])

    def draw(self, stem: Path, offset_km: np.ndarray | None = None) -> None:
        """Write the figures of an angle; ``offset_km`` (N,) adds the error against the offset."""
        from seisvision.outputs.regression_figures import draw_angle

        draw_angle(self, stem, offset_km)

    def _check_shapes(self) -> None:
        super()._check_shapes()
        check_period(self.period_deg)

    def _family(self, value: np.ndarray, level: float, uncertainty: np.ndarray) -> dict[str, Measure]:
        return angle_metrics(
            self.target,
            value,
            period_deg=self.period_deg,
            tolerance_deg=float(self.about["tolerance_deg"]),
            groups=self.source_ids,
            sigma_deg=uncertainty[:, 0],
            level=level,
        )

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        tolerance_deg = float(self.about["tolerance_deg"])
        return self._of_errors(tolerance_name(tolerance_deg), "deg", np.abs(self.error) <= tolerance_deg)
