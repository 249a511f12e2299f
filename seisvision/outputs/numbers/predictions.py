"""Predicted numbers: measures, comparison, averaging, table and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from seisvision.base.units import TRACE
from seisvision.errors import DataError
from seisvision.evaluation.calibration import Stated, crps_of_quantiles
from seisvision.evaluation.conformal import ConformalAnswers
from seisvision.evaluation.differences import Influence
from seisvision.evaluation.intervals import Measure
from seisvision.outputs.numbers.measures import Tolerance, bin_edges, scalar_metrics, small_targets, tolerance_curve
from seisvision.outputs.numbers.scale import LEVELS, LearntScale, mixture_of_votes
from seisvision.outputs.plain import plain_numbers
from seisvision.outputs.regression import RegressionPredictions, share_inside

OFFSET_TARGETS = ("path_ep_distance_km", "path_hypocentral_distance_km")


@dataclass(frozen=True)
class ScalarPredictions(RegressionPredictions):
    """Numbers (N, 6): value, sigma and the ends of the 68 % and 95 % intervals; NaN targets have no label.

    ``about`` holds ``unit``, ``transform`` (``none``, ``log`` or ``log1p``), ``tolerance_relative`` and
    ``tolerance_absolute``.
    """

    needs: ClassVar[tuple[str, ...]] = ("unit", "transform", "tolerance_relative", "tolerance_absolute")
    parts = ("value", "sigma", "low68", "high68", "low95", "high95")
    apart_names = ("sigma_aleatoric", "sigma_epistemic")

    @classmethod
    def feature_kinds(cls, unit: str, about: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """For offsets of single traces also what follows from P and S."""
        if unit == TRACE.name and about["target"] in OFFSET_TARGETS:
            return ["two_feature", "s_minus_p"], ["spectral_ratio", "trace_attributes"]
        return super().feature_kinds(unit, about)

    @classmethod
    def disagreement(cls, several: Sequence[Self]) -> tuple[np.ndarray, int | None]:
        """From the smallest to the largest value."""
        values = np.stack([one.value for one in several])
        low = np.where(np.isfinite(values), values, np.inf).min(0)
        high = np.where(np.isfinite(values), values, -np.inf).max(0)
        return np.where(high >= low, high - low, 0.0), None

    @property
    def unit(self) -> str:
        """Unit of targets and values, such as ``km``; may be empty."""
        return self.about["unit"] or ""

    @property
    def tolerance(self) -> Tolerance:
        """What counts as right."""
        return Tolerance(float(self.about["tolerance_relative"]), float(self.about["tolerance_absolute"]), self.unit)

    @property
    def error(self) -> np.ndarray:
        """Value minus target (N,)."""
        return self.value - self.target

    @property
    def headline(self) -> str:
        """Share within the tolerance."""
        return self.tolerance.name

    @property
    def table_columns(self) -> dict[str, str]:
        """Measures of a results table and their headings, the headline first."""
        suffix, unit = (f"_{self.unit}", f" ({self.unit})") if self.unit else ("", "")
        return {
            self.headline: self.tolerance.heading,
            f"median_ae{suffix}": f"median error{unit}",
            f"mae{suffix}": f"mean error{unit}",
            f"bias{suffix}": f"bias{unit}",
            "r2": "R²",
        }

    def guess(self, train_target: np.ndarray) -> float:
        """Median of the training targets.

        Raises:
            DataError: there is none.
        """
        known = np.asarray(train_target, float)
        known = known[np.isfinite(known)]
        if not len(known):
            raise DataError("No training sample has a value, so there is no median guess. Check the target column.")
        return float(np.median(known))

    def details(self) -> dict[str, Any]:
        """``acc_curve``, ``coverage``, ``bins``, ``n_excluded_from_mape`` and what a table shows."""
        tolerances, shares = tolerance_curve(self.target, self.value, self.tolerance)
        known = self.target[np.isfinite(self.error)]
        return {
            **self.table_details(),
            "acc_curve": {"tolerance_relative": list(tolerances), "share": plain_numbers(shares)},
            "coverage": self.stated().shares()
            | {
                "68": share_inside(self.target, self.decoded[:, 2], self.decoded[:, 3]),
                "95": share_inside(self.target, self.decoded[:, 4], self.decoded[:, 5]),
            },
            "bins": {"edges": plain_numbers(bin_edges(known))},
            "n_excluded_from_mape": int(small_targets(known).sum()),
        }

    def average(self, votes: np.ndarray) -> np.ndarray:
        """Value, sigma and intervals (N, 6) of votes (M, N, 6).

        Value and spread are those of the mixture of the members' distributions on the transformed scale: the mean of
        the means, and by the law of total variance the mean of the variances plus the variance of the means
        (Lakshminarayanan et al. 2017, section 2.4). The intervals are those of one distribution of the members' family
        with these moments. Without a learnt spread all but the value are NaN: how far members disagree is not how far
        they are off.
        """
        mixture = mixture_of_votes(votes, self.about)
        decoded = np.full((votes.shape[1], 6), np.nan)
        decoded[:, 0] = self.scale.inverse(mixture.mean)
        if self.scale.has_spread:
            spread = np.sqrt(mixture.aleatoric + mixture.epistemic)
            ends = [end for level in LEVELS for end in self.scale.ends(mixture.mean, spread, level)]
            decoded[:, 2:] = np.stack(ends, axis=1)
            decoded[:, 1] = (decoded[:, 3] - decoded[:, 2]) / 2
        return decoded

    def tell_apart(self, votes: np.ndarray) -> dict[str, np.ndarray]:
        """``sigma_aleatoric``, the noise, and ``sigma_epistemic``, what the network does not know (N,), in the unit.

        Of the two terms of the law of total variance: the mean of the members' variances, and the variance of their
        means (Kendall & Gal 2017, equation 9). Each sigma is half the width of the 68 % interval that it alone gives.
        """
        mixture = mixture_of_votes(votes, self.about)
        epistemic = np.where(mixture.several, mixture.epistemic, np.nan)
        parts = {"sigma_aleatoric": mixture.aleatoric, "sigma_epistemic": epistemic}
        return {name: self.scale.sigma(mixture.mean, np.sqrt(variance)) for name, variance in parts.items()}

    def stated(self) -> Stated:
        """What the distributions on the learnt scale say of the true values; of bins, normal ones with their ends."""
        scale, family = self.scale, self.scale.distribution
        centre, deviation = scale.forward(self.value), np.maximum(scale.deviation_of(self.decoded), 1e-9)
        z = (scale.forward(self.target) - centre) / deviation
        with np.errstate(divide="ignore", invalid="ignore"):
            nll = np.log(deviation) - family.logpdf(z * family.std()) - np.log(family.std())
            nll = nll - np.log(scale.slope(self.target))
        return Stated(
            rank=family.cdf(z * family.std()),
            nll=nll,
            crps=crps_of_quantiles(self.target, lambda q: scale.inverse(centre + scale.quantile(q) * deviation)),
            width95=self.decoded[:, 5] - self.decoded[:, 4],
            sigma=self.decoded[:, 1],
            size=np.abs(self.error),
        )

    def nonconformity(self) -> np.ndarray:
        """Errors (N,) on the learnt scale, over the stated standard deviation where there is one."""
        return np.abs(self.scale.forward(self.target) - self.scale.forward(self.value)) / self.conformal_unit()

    def conformal(self, threshold: float) -> ConformalAnswers:
        """Intervals around the values, as many units of :meth:`nonconformity` to each side as the threshold says."""
        centre, half = self.scale.forward(self.value), threshold * self.conformal_unit()
        low, high = self.scale.inverse(centre - half), self.scale.inverse(centre + half)
        return ConformalAnswers(self.nonconformity() <= threshold, (high - low) / 2, self.unit)

    def conformal_unit(self) -> np.ndarray:
        """What errors are counted in (N,): the stated standard deviation, else 1."""
        deviation = self.scale.deviation_of(self.decoded)
        return np.where(np.isfinite(deviation), np.maximum(deviation, 1e-9), 1.0)

    @property
    def scale(self) -> LearntScale:
        """The transformed scale on which the value was learnt."""
        return LearntScale.of(self.about)

    def is_right(self, row: int) -> bool:
        """Whether the error is within the tolerance."""
        return abs(float(self.error[row])) <= float(self.tolerance.width(self.target[row : row + 1])[0])

    def draw(self, stem: Path, offset_km: np.ndarray | None = None) -> None:
        """Write the figures of a regression; ``offset_km`` (N,) adds the residual against the offset."""
        from seisvision.outputs.regression_figures import draw_scalar

        draw_scalar(self, stem, offset_km)

    def _family(self, value: np.ndarray, level: float, uncertainty: np.ndarray) -> dict[str, Measure]:
        return scalar_metrics(
            self.target,
            value,
            self.tolerance,
            groups=self.source_ids,
            factor=str(self.about["transform"]).startswith("log"),
            intervals=uncertainty[:, 1:],
            level=level,
        )

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        right = np.abs(self.error) <= self.tolerance.width(self.target)
        return self._of_errors(self.headline, self.unit, right)
