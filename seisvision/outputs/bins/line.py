"""Bins of a number: which one a value is in, and what probabilities of bins say of the value."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from seisvision.errors import DataError

TAILS = (0.16, 0.84, 0.025, 0.975)
"""Ends of the central 68 % and 95 % intervals."""


@dataclass(frozen=True)
class LineBins:
    """K bins side by side; within a bin all values are equally probable."""

    edges: torch.Tensor
    """(K + 1,), rising."""
    value: str = "median"
    """What is told of a distribution: its median, its mean, or the middle of its likeliest bin (``mode``)."""

    @property
    def centres(self) -> torch.Tensor:
        """Middle of every bin (K,)."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    def number_of(self, values: torch.Tensor) -> torch.Tensor:
        """Bins (N,) of values (N,): an edge belongs to the bin above it, what lies outside to the first or last bin."""
        return torch.bucketize(values.to(self.edges), self.edges[1:-1].contiguous(), right=True)

    def apart(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """How many bins lie from bin to bin."""
        return (a - b).abs()

    def decode(self, probability: torch.Tensor) -> torch.Tensor:
        """Value, sigma and the ends of the 68 % and 95 % intervals (B, 6) of probabilities (B, K).

        Sigma is half the width of the 68 % interval, as that of a number.
        """
        probability = probability.to(self.edges)
        low68, high68, low95, high95 = (self.quantile(probability, level) for level in TAILS)
        if self.value == "median":
            value = self.quantile(probability, 0.5)
        else:
            value = probability @ self.centres if self.value == "mean" else self.centres[probability.argmax(dim=1)]
        return torch.stack([value, (high68 - low68) / 2, low68, high68, low95, high95], dim=1)

    def quantile(self, probability: torch.Tensor, level: float) -> torch.Tensor:
        """The value (B,) below which a share ``level`` of the probability (B, K) lies."""
        above = probability.cumsum(dim=1)
        number = (above < level * above[:, -1:]).sum(dim=1, keepdim=True).clamp_max(probability.shape[1] - 1)
        inside = probability.gather(1, number)
        begun = above.gather(1, number) - inside
        share = ((level * above[:, -1:] - begun) / inside.clamp_min(1e-12)).clamp(0, 1)[:, 0]
        low, high = self.edges[number[:, 0]], self.edges[number[:, 0] + 1]
        return low + share * (high - low)


def made_edges(
    rule: str, n_bins: int, limits: tuple[float, float] | None, rounded: bool, known: torch.Tensor, column: str
) -> torch.Tensor:
    """Edges (K + 1,) by rule.

    Args:
        rule: ``equal_width``; ``square_root``, of equal width in the square root of the value above the lower limit;
            or ``equal_counts``, quantiles of the known values.
        n_bins: K.
        limits: where the first bin begins and the last ends; None takes those of the known values.
        rounded: bins are what rounding to K steps gives, the first half as wide, as Lomax et al. (2019) have them.
        known: (N,) finite values of the training samples; may be empty where the rule needs none.
        column: what they are called in messages.

    Raises:
        DataError: the values are too few or too alike for so many bins.
    """
    if limits is None and not len(known):
        raise DataError(f"no training sample has a value in '{column}', so no bins of it can be made")
    low, high = limits or (float(known.min()), float(known.max()))
    steps = torch.linspace(0, 1, n_bins + 1, dtype=torch.float64)
    if rounded:
        steps[1:-1] -= 0.5 / n_bins
    if rule == "equal_counts":
        inside = known[(known >= low) & (known <= high)]
        edges = torch.quantile(inside.double(), steps) if len(inside) else steps.new_zeros(n_bins + 1)
    else:
        edges = low + (high - low) * (steps**2 if rule == "square_root" else steps)
    if not (edges.float().diff() > 0).all():
        raise DataError(
            f"{n_bins} bins of '{column}' by rule={rule} would be empty: too few of its {len(known)} training values "
            "differ. Give fewer bins (n_bins), or edges."
        )
    return edges


def regrouped(probability: torch.Tensor, edges: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Probabilities (N, K) of bins with ``edges`` (K + 1,) as probabilities (N, L) of bins with ``others`` (L + 1,).

    Within a bin the probability is spread evenly; what lies outside goes to the first or last bin.
    """
    probability, edges = probability.double(), edges.double()
    cumulative = torch.cat([probability.new_zeros(len(probability), 1), probability.cumsum(dim=1)], dim=1)
    inner = others[1:-1].to(edges)
    number = torch.bucketize(inner, edges[1:-1].contiguous(), right=True)
    share = ((inner - edges[number]) / (edges[number + 1] - edges[number])).clamp(0, 1)
    below = cumulative[:, number] + share * probability[:, number]
    ends = cumulative[:, :1], cumulative[:, -1:]
    return torch.cat([ends[0], below, ends[1]], dim=1).diff(dim=1)
