"""What pairs of events need of the parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seisvision.forecasting.etas.data import EtasData
from seisvision.forecasting.etas.kernels import log_time_factor
from seisvision.forecasting.etas.parameters import EtasParameters, tensors


@dataclass(frozen=True)
class Terms:
    """Factors of N sources (logarithm) and their spread, and the powers."""

    log_factor: Tensor
    spread_km2: Tensor
    c_days: Tensor
    p: Tensor
    q: Tensor

    def leaves(self) -> Terms:
        """The same as leaves of a graph, which gather the gradients of all blocks."""
        columns = (self.log_factor, self.spread_km2, self.c_days, self.p, self.q)
        return Terms(*(one.detach().requires_grad_() for one in columns))

    def rates(self, source: Tensor | slice, days: Tensor, squared_km2: Tensor) -> Tensor:
        """Rate, a day and km², that sources add after ``days`` at a squared distance, of the shape of these."""
        exponent = self.log_factor[source] - self.p * torch.log(days + self.c_days)
        return torch.exp(exponent - self.q * torch.log(squared_km2 + self.spread_km2[source]))


def terms_of(values: dict[str, Tensor], excess: Tensor) -> Terms:
    """Terms of sources that exceed the reference magnitude by ``excess`` (N,), with the gradients of ``values``."""
    spread = values["d_km2"] * torch.exp(values["gamma"] * excess)
    log_factor = (
        torch.log(values["productivity"])
        + values["alpha"] * excess
        + log_time_factor(values["c_days"], values["p"])
        + values["q_less_1"] * torch.log(spread)
        + torch.log(values["q_less_1"] / torch.pi)
    )
    return Terms(log_factor, spread, values["c_days"], values["p"], values["q"])


def source_terms(data: EtasData, parameters: EtasParameters) -> Terms:
    """Terms without gradients."""
    return terms_of(tensors(torch.from_numpy(parameters.to_vector())), data.tensors()[3])
