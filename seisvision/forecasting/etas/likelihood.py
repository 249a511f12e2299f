"""The logarithm of the likelihood of ETAS, and its gradient, block of pairs by block of pairs.

Each block is differentiated as soon as it is summed, so memory does not grow with the pairs. Cost: 40 to 60 ns a
pair on one core, N² / 2 pairs, and N times corners of the region once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from seisvision.forecasting.etas.data import EtasData
from seisvision.forecasting.etas.kernels import polygon_share, time_share
from seisvision.forecasting.etas.pairs import AllPairs, Block
from seisvision.forecasting.etas.parameters import EtasParameters, tensors
from seisvision.forecasting.etas.terms import Terms, source_terms, terms_of

EVENTS_AT_ONCE = 2048


def triggered(block: Block, terms: Terms) -> Tensor:
    """Rate of aftershocks, a day and km², at the targets of a block."""
    rates = terms.rates(block.source, block.days, block.squared_km2) * block.weight
    if block.row is None:
        return rates.sum(dim=1)
    return torch.zeros(block.last - block.first, dtype=torch.float64).index_add(0, block.row, rates)


def target_rates(data: EtasData, parameters: EtasParameters, pairs: Iterable[Block] | None = None) -> np.ndarray:
    """Rates of aftershocks (M,) at the targets, a day and km², of the reference magnitude and more."""
    terms = source_terms(data, parameters)
    with torch.no_grad():
        parts = [triggered(block, terms) for block in (AllPairs(data) if pairs is None else pairs)]
    return torch.cat(parts).numpy()


def expected_number(values: dict[str, Tensor], data: EtasData) -> float:
    """Events to be expected of window and region, of those that the catalogue is complete for.

    Gradients are gathered in ``values``, where those are leaves that want them.
    """
    time, x, y, excess = data.tensors()
    pieces, corners = torch.from_numpy(data.pieces), torch.from_numpy(data.corners_km)
    parts = [values["background_per_day"] * data.observed_days]
    total = 0.0
    for low in range(0, len(time), EVENTS_AT_ONCE):
        part = slice(low, low + EVENTS_AT_ONCE)
        spread = values["d_km2"] * torch.exp(values["gamma"] * excess[part])
        inside = polygon_share(x[part], y[part], spread, values["q_less_1"], corners)
        ends = pieces[:, :2] - time[part, None, None]
        share = time_share(ends, values["c_days"], values["p"])
        in_time = (share[..., 1] - share[..., 0]) @ pieces[:, 2]
        number = values["productivity"] * torch.exp(values["alpha"] * excess[part])
        parts.append((number * inside * in_time).sum())
        total += sum(_done(one) for one in parts)
        parts = []
    return total


def _done(part: Tensor) -> float:
    """The number, once its gradient is gathered and its graph can go."""
    if part.requires_grad:
        part.backward()
    return float(part.detach())


def log_likelihood(
    vector: np.ndarray, data: EtasData, density: np.ndarray, pairs: Iterable[Block]
) -> tuple[float, np.ndarray]:
    """Logarithm of the likelihood of times and places, and its gradient (8,).

    Args:
        vector: parameters in the terms of the search.
        data: events.
        density: (M,) of the background at the targets, a km².
        pairs: all of them, or a sample.
    """
    at = torch.from_numpy(np.array(vector, float)).requires_grad_()
    values = tensors(at)
    terms = terms_of(values, data.tensors()[3])
    leaves = terms.leaves()
    apart = {name: one.detach().requires_grad_() for name, one in values.items()}
    even, value = torch.from_numpy(density), float(data.log_weight.sum())
    for block in pairs:
        rate = apart["background_per_day"] * even[block.first : block.last] + triggered(block, leaves)
        # What is minimised is added up, so that all gradients have one sign.
        value -= _done(-torch.log(rate).sum())
    value -= expected_number(apart, data)
    ends = [(getattr(terms, field.name), getattr(leaves, field.name).grad) for field in fields(Terms)]
    ends += [(values[name], one.grad) for name, one in apart.items() if one.grad is not None]
    torch.autograd.backward([end for end, _ in ends], [slope for _, slope in ends])
    assert at.grad is not None
    return value, -at.grad.numpy()
