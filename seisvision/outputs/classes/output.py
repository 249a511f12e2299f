"""One of several classes: what caused the event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional

from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.classes import KIND, NO_CLASS
from seisvision.outputs.output import TINY, Output


class ClassOutput(Output):
    """One of K classes: linear head, softmax and cross-entropy (A-16 of the Seismic Atlas).

    Args:
        name: how the output is called in metrics and files.
        target: metadata column of the true class.
        class_names: the K classes in the order of their numbers.
        class_weights: ``auto`` (inverse frequency in the training split, mean 1), ``None``, or K numbers.
        label_smoothing: share of the probability spread over all classes, in [0, 1).
        weight: see :class:`~seisvision.outputs.output.Output`.

    Raises:
        ConfigurationError: fewer than two classes, or weights or smoothing that are not allowed.
    """

    kind = KIND
    map_is_signed = False
    class_weights: torch.Tensor

    def __init__(
        self,
        name: str,
        target: str,
        class_names: Sequence[str | int | float | bool],
        class_weights: Literal["auto"] | Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        weight: float = 1.0,
    ) -> None:
        super().__init__(name, target, weight)
        self.class_names = [str(class_name) for class_name in class_names]
        self.label_smoothing = label_smoothing
        if len(self.class_names) < 2:
            raise ConfigurationError(
                f"Output '{name}' has the classes {self.class_names}; classification needs two or more. "
                f"Set dataset.labels.{target} to a map of class names to the values of column '{target}'."
            )
        self.weights_are_automatic = class_weights == "auto"
        if class_weights is None or self.weights_are_automatic:
            weights = [1.0] * len(self.class_names)
        else:
            weights = [float(weight) for weight in class_weights]
        if len(weights) != len(self.class_names) or min(weights) < 0:
            raise ConfigurationError(
                f"class_weights={list(weights)} of output '{name}' must be 'auto', null or {len(self.class_names)} "
                f"numbers of at least 0, one for each of {self.class_names}."
            )
        if not 0 <= label_smoothing < 1:
            raise ConfigurationError(f"label_smoothing={label_smoothing} of output '{name}' must be from 0 to below 1")
        self.register_buffer("class_weights", torch.tensor(weights))

    def build_head(self, num_features: int) -> None:
        """Create the head for features (B, ``num_features``)."""
        self.head = nn.Linear(num_features, len(self.class_names))

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Set automatic class weights from the class numbers (N,) of the training split.

        Raises:
            DataError: a class has no training sample, so it cannot be learnt.
        """
        counts = torch.bincount(targets[targets != NO_CLASS], minlength=len(self.class_names)).double()
        absent = [name for name, count in zip(self.class_names, counts, strict=True) if count == 0]
        if absent:
            raise DataError(
                f"no training sample is of class {', '.join(absent)} of '{self.target}'; take it out of "
                f"dataset.labels.{self.target}, or use another split or more data"
            )
        if not self.weights_are_automatic:
            return
        inverse = counts.sum() / counts
        self.class_weights.copy_(inverse / inverse.mean())

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Weighted cross-entropy of logits (B, K) against class numbers (B,); unlabelled samples do not count."""
        summed = functional.cross_entropy(
            raw.float(),
            target,
            weight=self.class_weights,
            ignore_index=NO_CLASS,
            label_smoothing=self.label_smoothing,
            reduction="sum",
        )
        # Asking whether any sample counts would make the processor wait for an accelerator.
        return summed / self.known_weight(target).clamp_min(TINY)

    def known_weight(self, target: torch.Tensor) -> torch.Tensor:
        """Sum of the class weights of the samples that have a label (B,): what ``loss`` divides by, ()."""
        return (self.class_weights[target.clamp_min(0)] * (target != NO_CLASS)).sum()

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """Class probabilities (B, K)."""
        return raw.float().softmax(dim=-1)

    def information(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Of the logits (B, K): the covariance of the class, diag(p) - p p^T, by its weight in the loss."""
        share = self.decode(raw)
        covariance = torch.diag_embed(share) - share[:, :, None] * share[:, None, :]
        known = target != NO_CLASS
        weight = self.class_weights[target.clamp_min(0)] * known
        return covariance * weight[:, None, None]

    def explained(self, raw: torch.Tensor) -> torch.Tensor:
        """The logit (B, 1) of the class that is predicted."""
        return raw.gather(1, raw.argmax(1, keepdim=True))

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Metrics of decoded probabilities (N, K) against class numbers (N,), cheap enough for every epoch."""
        known = target != NO_CLASS
        if not known.any():
            return {}
        hits = (decoded.argmax(dim=-1) == target)[known].float()
        per_class = [hits[target[known] == number] for number in range(len(self.class_names))]
        recalls = torch.stack([part.mean() for part in per_class if len(part)])
        return {"accuracy": hits.mean(), "balanced_accuracy": recalls.mean()}

    def describe(self) -> dict[str, Any]:
        """Plain description stored in checkpoints."""
        return {
            "kind": self.kind,
            "name": self.name,
            "target": self.target,
            "class_names": self.class_names,
            "class_weights": self.class_weights.tolist(),
        }
