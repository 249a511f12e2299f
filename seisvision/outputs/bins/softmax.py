"""What bins of numbers and of angles have in common: a softmax over bins, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.output import TINY, Output


class SoftmaxOverBins(Output):
    """K bins: linear head, softmax and cross-entropy; a kind says with ``bins`` where these lie.

    Args:
        name, target, weight, hides_origin: see :class:`~seisvision.outputs.output.Output`.
        n_bins: K, at least 2.
        class_weights: ``auto`` (inverse frequency of the bin in the training split, mean 1 over the bins that occur),
            ``None``, or K numbers.
        label_smoothing: share of the probability that is wanted spread over all bins, in [0, 1).
        soften_bins: standard deviation, in bins, of the normal curve about the true bin that is wanted of the network
            instead of certainty, so that a neighbour is less wrong than a far bin; 0: certainty.

    Raises:
        ConfigurationError: a setting that is not allowed.
    """

    class_weights: torch.Tensor

    def __init__(
        self,
        name: str,
        target: str,
        n_bins: int,
        class_weights: Literal["auto"] | Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        soften_bins: float = 0.0,
        weight: float = 1.0,
        hides_origin: bool = False,
    ) -> None:
        super().__init__(name, target, weight, hides_origin)
        if n_bins < 2:
            raise ConfigurationError(f"Output '{name}' has {n_bins} bins; it needs 2 or more. Set n_bins, or edges.")
        self.n_bins, self.weights_are_automatic = n_bins, class_weights == "auto"
        self.label_smoothing, self.soften_bins = float(label_smoothing), float(soften_bins)
        given = [] if class_weights is None or class_weights == "auto" else [float(one) for one in class_weights]
        if given and (len(given) != n_bins or min(given) < 0):
            raise ConfigurationError(
                f"class_weights={given} of output '{name}' must be 'auto', null or {n_bins} numbers of at least 0."
            )
        if not 0 <= self.label_smoothing < 1 or self.soften_bins < 0:
            raise ConfigurationError(
                f"label_smoothing={label_smoothing} of output '{name}' must be from 0 to below 1, and "
                f"soften_bins={soften_bins} at least 0"
            )
        self.register_buffer("class_weights", torch.tensor(given or [1.0] * n_bins))

    @property
    def bins(self) -> Any:
        """``number_of``, ``apart``, ``decode`` and ``centres``."""
        raise NotImplementedError

    def build_head(self, num_features: int) -> None:
        """Create the head for features (B, ``num_features``)."""
        self.head = nn.Linear(num_features, self.n_bins)

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Set automatic weights from the true values (N,) of the training split.

        Raises:
            DataError: there is no value.
        """
        known = targets[targets.isfinite()]
        if not len(known):
            raise DataError(f"no training sample has a value in '{self.target}', so '{self.name}' cannot be learnt")
        if self.weights_are_automatic:
            counts = torch.bincount(self.bins.number_of(known.to(self.class_weights)), minlength=self.n_bins)
            inverse = len(known) / counts.clamp_min(1)
            occurs = counts > 0
            self.class_weights.copy_(torch.where(occurs, inverse / inverse[occurs].mean(), 1.0))

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean weighted cross-entropy of logits (B, K) against true values (B,); NaN does not count."""
        number, weight = self._numbers_and_weights(target)
        each = -(self.wanted(number) * raw.float().log_softmax(dim=1)).sum(dim=1)
        return (weight * each).sum() / weight.sum().clamp_min(TINY)

    def _numbers_and_weights(self, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Bins (B,) of true values (B,), and how much each sample counts; one without a value stands in a bin for 0."""
        known = target.isfinite()
        # Not target[known], whose length the processor would have to wait for.
        number = self.bins.number_of(torch.where(known, target, 0.0))
        return number, self.class_weights[number] * known

    def wanted(self, number: torch.Tensor) -> torch.Tensor:
        """Probabilities (B, K) that are wanted where the true bins are ``number`` (B,)."""
        apart = self.bins.apart(torch.arange(self.n_bins, device=number.device), number[:, None]).float()
        share = (apart == 0).float()
        if self.soften_bins:
            share = (-(apart**2) / (2 * self.soften_bins**2)).softmax(dim=1)
        return (1 - self.label_smoothing) * share + self.label_smoothing / self.n_bins

    def known_weight(self, target: torch.Tensor) -> torch.Tensor:
        """Sum of the weights of the samples that have a true value (B,): what ``loss`` divides by, ()."""
        return self._numbers_and_weights(target)[1].sum()

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """What the bins say of the value, then their probabilities: (B, parts + K)."""
        probability = raw.float().softmax(dim=1)
        return torch.cat([self.bins.decode(probability), probability], dim=1)
