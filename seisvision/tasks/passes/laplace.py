"""A Laplace approximation of the last layer: how far the weights of a head could be others, given the training samples.

The head is linear, so that its posterior needs one pass over the training set and no further training: a normal
distribution around the learnt weights, with the generalised Gauss-Newton matrix and a prior as its precision (Kristiadi
et al. 2020; Daxberger et al. 2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.outputs.output import Output
from seisvision.tasks.passes.draws import normal
from seisvision.tasks.passes.pooling import Raw

MOST_WEIGHTS = 6000
"""Of a head; the matrix of their precision is their number squared."""
PRIORS = torch.logspace(-4, 4, 41, dtype=torch.float64)
"""Precisions of the prior, of which the evidence chooses."""


@dataclass(frozen=True)
class HeadPosterior:
    """What is known of the weights of one head.

    Args:
        root: (W, W), a matrix whose product with its transpose is the covariance of the W weights.
        prior_precision: that was chosen.
    """

    root: torch.Tensor
    prior_precision: float

    def covariance(self, features: torch.Tensor, n_values: int) -> torch.Tensor:
        """Covariance (B, R, R) of the R raw values at features (B, F)."""
        known = _with_bias(features)
        root = self.root.to(known).reshape(n_values, known.shape[1], -1)
        spread = torch.einsum("bf,rfw->brw", known, root)
        return spread @ spread.transpose(1, 2)


@dataclass
class LaplacePasses:
    """Passes with heads drawn from their posterior; the features below are the same in all of them.

    Args:
        n_passes: M.
        seed: base seed of the draws, which follow from sample and pass.
        posteriors: by output.
    """

    n_passes: int
    seed: int
    posteriors: Mapping[str, HeadPosterior]

    def raws(self, task: Any, picture: torch.Tensor, keys: torch.Tensor) -> Iterator[Raw]:
        """Raw outputs (B, R) by name of each pass over pictures (B, P, ...)."""
        features = task.model(picture)
        middle = {output.name: output(features) for output in task.outputs}
        roots = {}
        for name, raw in middle.items():
            covariance = self.posteriors[name].covariance(features, raw.shape[1])
            roots[name] = _root(covariance).to(raw)
        for pass_number in range(self.n_passes):
            yield {
                name: raw
                + (roots[name] @ normal(keys, number, pass_number, raw.shape[1:]).to(raw)[:, :, None]).squeeze(2)
                for number, (name, raw) in enumerate(middle.items())
            }


def fit_posteriors(task: Any, batches: Iterable[Mapping[str, Any]]) -> dict[str, HeadPosterior]:
    """Posteriors of all heads from the training samples.

    Args:
        task: in evaluation mode.
        batches: of the training part, with true values.

    Raises:
        ConfigurationError: a head is not linear or too large, or its loss is no likelihood.
    """
    check_heads(task.outputs)
    precision: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for batch in batches:
            features = task.model(task.view(batch))
            known = _with_bias(features).double()
            for output in task.outputs:
                raw = output(features)
                information = output.information(raw, output.truth(dict(batch))).double()
                if keys.COUNTS in batch:
                    # What a process repeats so that no other one waits for it was seen already.
                    information = information * batch[keys.COUNTS].to(information)[:, None, None]
                part = torch.einsum("brs,bf,bg->rfsg", information, known, known)
                n_weights = raw.shape[1] * known.shape[1]
                part = part.reshape(n_weights, n_weights)
                precision[output.name] = precision.get(output.name, 0) + part
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        # Each process has seen its share of the training samples.
        for part in precision.values():
            torch.distributed.all_reduce(part)
    return {output.name: _posterior(precision[output.name], _weights(output)) for output in task.outputs}


def _posterior(precision: torch.Tensor, weights: torch.Tensor) -> HeadPosterior:
    """Posterior with the prior of the largest evidence (MacKay 1992), weights (W,) being the mode."""
    values, vectors = torch.linalg.eigh((precision + precision.T) / 2)
    values = values.clamp_min(0)
    squared = float(weights.square().sum())
    evidence = torch.stack(
        [
            0.5 * (len(weights) * math.log(prior) - prior * squared - (values + prior).log().sum())
            for prior in PRIORS.tolist()
        ]
    )
    prior = float(PRIORS[int(evidence.argmax())])
    return HeadPosterior(vectors / (values + prior).sqrt(), prior)


def check_heads(outputs: Iterable[Output]) -> None:
    """Refuse heads that have no such posterior, before anything is trained.

    Raises:
        ConfigurationError: a head is not linear or too large, or its loss is no likelihood.
    """
    for output in outputs:
        _check_head(output)


def _check_head(output: Output) -> None:
    head = output.head
    if not isinstance(head, nn.Linear) or output.on_maps or output.sees_picture:
        raise ConfigurationError(
            f"uncertainty=laplace needs a linear head, which output '{output.name}' has not. Choose another method."
        )
    n_weights = head.out_features * (head.in_features + 1)
    if n_weights > MOST_WEIGHTS:
        raise ConfigurationError(
            f"uncertainty=laplace of output '{output.name}' would need the precision of {n_weights} weights; at most "
            f"{MOST_WEIGHTS} are allowed. Choose a backbone with fewer features, or another method."
        )
    # Where the loss is no likelihood, this says so.
    nothing = torch.zeros(0, dtype=torch.long, device=head.weight.device)
    output.information(head.weight.new_zeros(0, head.out_features), nothing)


def _weights(output: Output) -> torch.Tensor:
    head: Any = output.head
    return torch.cat([head.weight, head.bias[:, None]], 1).detach().double().flatten()


def _with_bias(features: torch.Tensor) -> torch.Tensor:
    return torch.cat([features, torch.ones_like(features[:, :1])], 1)


def _root(covariance: torch.Tensor) -> torch.Tensor:
    """Symmetric square roots of covariances (B, R, R)."""
    values, vectors = torch.linalg.eigh(covariance.double())
    return (vectors * values.clamp_min(0).sqrt()[:, None, :]) @ vectors.transpose(1, 2)
