"""A number in physical units, learnt as one of several bins."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal

import torch

from seisvision.errors import ConfigurationError
from seisvision.outputs.bins import KIND, WORDS
from seisvision.outputs.bins.line import LineBins, made_edges
from seisvision.outputs.bins.softmax import SoftmaxOverBins

log = logging.getLogger(__name__)


class BinnedOutput(SoftmaxOverBins):
    """A softmax over bins of a number, decoded to a value with intervals, so that it is measured like a number.

    Args:
        name: how the output is called in metrics and files.
        target: metadata column of the true value, in ``unit``.
        unit: unit of the value, as it stands in names of metrics, such as ``km``.
        n_bins: how many bins the rule makes; not needed with ``edges``.
        edges: K + 1 rising numbers, instead of a rule. A value on an edge is in the bin above it.
        rule: ``equal_width``, ``square_root`` (of equal width in the square root, fine near the lower limit) or
            ``equal_counts`` (as many training samples in each).
        limits: where the first bin begins and the last ends; None: with the training values. Values outside count as of
            the first or last bin; how many there are is said before training.
        rounded: bins are what rounding to ``n_bins`` steps gives, the first half as wide (Lomax et al. 2019,
            doi:10.1785/0220180311).
        value: what is told of the probabilities: their ``median``, ``mean`` or ``mode``.
        transform: ``log`` or ``log1p`` where ratios of values count: the scale on which baselines are fitted.
        class_weights, label_smoothing, soften_bins: see :class:`~seisvision.outputs.bins.softmax.SoftmaxOverBins`.
        tolerance_relative, tolerance_absolute: a prediction counts as right within the larger of this share of the true
            value and this amount.
        weight, hides_origin: see :class:`~seisvision.outputs.output.Output`.

    Raises:
        ConfigurationError: a setting that is not allowed.
    """

    kind = KIND
    edges: torch.Tensor

    def __init__(
        self,
        name: str,
        target: str,
        unit: str,
        n_bins: int | None = None,
        edges: Sequence[float] | None = None,
        rule: str = "equal_width",
        limits: Sequence[float] | None = None,
        rounded: bool = False,
        value: str = "median",
        transform: str = "none",
        class_weights: Literal["auto"] | Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        soften_bins: float = 0.0,
        tolerance_relative: float = 0.1,
        tolerance_absolute: float = 10.0,
        weight: float = 1.0,
        hides_origin: bool = False,
    ) -> None:
        given = None if edges is None else [float(one) for one in edges]
        n_bins = n_bins or 0 if given is None else len(given) - 1
        super().__init__(name, target, n_bins, class_weights, label_smoothing, soften_bins, weight, hides_origin)
        self.unit, self.rule, self.rounded, self.value, self.transform = unit, rule, rounded, value, transform
        if limits is not None and len(limits) != 2:
            raise ConfigurationError(f"limits={list(limits)} of '{name}' must be two numbers that rise")
        self.limits = None if limits is None else (float(limits[0]), float(limits[1]))
        self.tolerance_relative, self.tolerance_absolute = float(tolerance_relative), float(tolerance_absolute)
        self.check_words(WORDS, rule=rule, value=value, transform=transform)
        self._check_numbers(given)
        self.are_fitted = given is None and (limits is None or rule == "equal_counts")
        if given is None:
            # Bins that are fitted stand at 0 to 1 until the training values are known.
            plain = "equal_width" if self.are_fitted else rule
            nothing = torch.zeros(0)
            made = made_edges(plain, n_bins, self.limits or (0.0, 1.0), rounded, nothing, target)
        else:
            made = torch.tensor(given)
        self.register_buffer("edges", made.float())

    def _check_numbers(self, edges: Sequence[float] | None) -> None:
        tolerances = (self.tolerance_relative, self.tolerance_absolute)
        if min(tolerances) < 0 or max(tolerances) == 0:
            raise ConfigurationError(
                f"tolerances {tolerances} of output '{self.name}' must be at least 0, and not both 0"
            )
        if self.limits is not None and not self.limits[0] < self.limits[1]:
            raise ConfigurationError(
                f"limits={list(self.limits)} of '{self.name}' must be two numbers, the lower first"
            )
        rising = torch.tensor(edges if edges is not None else [0.0, 1.0])
        if not (rising.isfinite().all() and (rising.diff() > 0).all()):
            raise ConfigurationError(f"edges={edges} of '{self.name}' must rise from number to number")

    @property
    def bins(self) -> LineBins:
        """Where the bins lie."""
        return LineBins(self.edges, self.value)

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Make the bins, where the training values (N,) decide on them, and automatic weights; say what lies outside.

        Raises:
            DataError: there is no value, or they are too alike for so many bins.
        """
        known = targets[targets.isfinite()]
        if self.are_fitted:
            made = made_edges(self.rule, self.n_bins, self.limits, self.rounded, known, self.target)
            self.edges.copy_(made)
        super().fit_statistics(targets)
        outside = int(((known < self.edges[0]) | (known > self.edges[-1])).sum())
        if outside:
            log.warning(
                "%s: %d of %d training values of '%s' lie outside the bins (%g to %g %s) and count as of the first or "
                "last one; widen limits, or edges, to tell them apart.",
                self.name, outside, len(known), self.target, self.edges[0], self.edges[-1], self.unit,
            )  # fmt: skip

    def explained(self, raw: torch.Tensor) -> torch.Tensor:
        """The mean value (B, 1) of logits (B, K)."""
        return (raw.softmax(dim=1) @ self.bins.centres)[:, None]

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Median and mean absolute error of decoded values (N, 6 + K) against true values (N,)."""
        known = target.isfinite()
        error = (decoded[known, 0] - target[known]).abs()
        if not len(error):
            return {}
        return {f"median_ae_{self.unit}": error.median(), f"mae_{self.unit}": error.mean()}

    def describe(self) -> dict[str, Any]:
        """Plain description stored in checkpoints."""
        return {
            "kind": self.kind,
            "name": self.name,
            "target": self.target,
            "unit": self.unit,
            "transform": self.transform,
            "edges": self.edges.tolist(),
            "value": self.value,
            "tolerance_relative": self.tolerance_relative,
            "tolerance_absolute": self.tolerance_absolute,
        }
