"""A direction, learnt as one of several sectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from seisvision.angles import wrapped_difference_deg
from seisvision.errors import ConfigurationError
from seisvision.outputs.bins.softmax import SoftmaxOverBins
from seisvision.outputs.circular_bins import KIND, WORDS
from seisvision.outputs.circular_bins.circle import CircleBins, directions_on


class BinnedAngleOutput(SoftmaxOverBins):
    """A softmax over sectors of a circle, decoded to an angle with a standard deviation.

    Args:
        name: how the output is called in metrics and files.
        target: metadata column of the true angle, degrees clockwise from north.
        n_bins: number of sectors, all of one width.
        period_deg: 360, or 180 where opposite directions are the same.
        centred: the first sector lies about 0, so that 356 and 4 are in one; False: it begins at 0.
        legacy: angles that round up to a whole period go to the last sector instead of the first: the mistake of the
            published ConvNetQuake_INGV (Lomax et al. 2019), only to compare with it.
        value: what is told of the probabilities: their circular ``mean`` or their ``mode``.
        class_weights, label_smoothing, soften_bins: see :class:`~seisvision.outputs.bins.softmax.SoftmaxOverBins`.
        tolerance_deg: a prediction counts as right within this.
        weight: see :class:`~seisvision.outputs.output.Output`.

    Raises:
        ConfigurationError: a setting that is not allowed.
    """

    kind = KIND

    def __init__(
        self,
        name: str,
        target: str,
        n_bins: int = 36,
        period_deg: float = 360.0,
        centred: bool = True,
        legacy: bool = False,
        value: str = "mean",
        class_weights: Literal["auto"] | Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        soften_bins: float = 0.0,
        tolerance_deg: float = 15.0,
        weight: float = 1.0,
    ) -> None:
        super().__init__(name, target, n_bins, class_weights, label_smoothing, soften_bins, weight)
        self.period_deg, self.tolerance_deg = float(period_deg), float(tolerance_deg)
        if self.period_deg not in (180.0, 360.0):
            raise ConfigurationError(f"period_deg={period_deg} of '{name}' must be 360, or 180 for axial data")
        if not 0 < self.tolerance_deg <= self.period_deg / 2:
            raise ConfigurationError(
                f"tolerance_deg={tolerance_deg} of '{name}' must be above 0, at most half a period"
            )
        self.check_words(WORDS, value=value)
        if legacy and not centred:
            raise ConfigurationError(f"legacy=true of '{name}' is a mistake of centred sectors; set centred=true.")
        self.circle = CircleBins(n_bins, self.period_deg, centred, legacy, value)

    @property
    def bins(self) -> CircleBins:
        """Where the sectors lie."""
        return self.circle

    def explained(self, raw: torch.Tensor) -> torch.Tensor:
        """The angle (B, 1) of logits (B, K) as :class:`~seisvision.outputs.angles.output.AngleOutput` has it."""
        vector = raw.softmax(dim=1) @ directions_on(self.circle, raw.device).to(raw)
        fixed = vector.detach()
        across = torch.stack([-fixed[:, 1], fixed[:, 0]], dim=1) / fixed.square().sum(1, keepdim=True).clamp_min(1e-12)
        return (vector * across).sum(1, keepdim=True)

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Median and mean absolute error of decoded angles (N, 2 + K) against true angles (N,)."""
        known = target.isfinite()
        error = wrapped_difference_deg(decoded[known, 0], target[known], self.period_deg).abs()
        if not len(error):
            return {}
        return {"median_ae_deg": error.median(), "mae_deg": error.mean()}

    def describe(self) -> dict[str, Any]:
        """Plain description stored in checkpoints."""
        return {
            "kind": self.kind,
            "name": self.name,
            "target": self.target,
            "period_deg": self.period_deg,
            "n_bins": self.n_bins,
            "centred": self.circle.centred,
            "legacy": self.circle.legacy,
            "value": self.circle.value,
            "tolerance_deg": self.tolerance_deg,
        }
