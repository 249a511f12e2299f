"""Networks of forecasts have the sizes that are told of them, and ours begins with what ETAS says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seisvision import keys
from seisvision.models import ConvLSTM, EtasCorrection, IndicatorRNN, SafeNet


def n_parameters(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


def test_recurrent_convolutions_have_the_size_of_the_paper() -> None:
    network = ConvLSTM(1)
    assert n_parameters(network) == 58_320
    maps = torch.rand(2, 4, 1, 6, 5)
    said = network.eval()({keys.MAPS: maps})
    assert said.shape == (2, 6, 5)
    # The order of the steps counts, as it would not if they were only added up.
    assert not torch.allclose(said, network({keys.MAPS: maps.flip(1)}))


def test_the_recurrent_network_on_indicators_has_484_parameters() -> None:
    network = IndicatorRNN(8)
    assert n_parameters(network) == 484
    seen = torch.randn(2, 5, 3, 8)
    said = network({keys.INDICATORS: seen})
    assert said.shape == (2, 5)
    moved = seen.clone()
    moved[:, 1:] = 0
    assert torch.allclose(network({keys.INDICATORS: moved})[:, 0], said[:, 0]), "a cell sees itself alone"


@pytest.mark.parametrize(("pool", "size"), [("mean", 151_000), ("flatten", 184_000)])
def test_cells_as_tokens_have_about_the_size_of_the_paper(pool: str, size: int) -> None:
    network = SafeNet(282, 85, 5, (10, 12), tuple(range(85)), patch=50, pool=pool)
    assert n_parameters(network) == pytest.approx(size, rel=0.02)


@pytest.mark.parametrize("patch", [None, 9])
def test_cells_as_tokens_look_at_each_other_and_at_maps_where_asked(patch: int | None) -> None:
    torch.manual_seed(0)
    places = (0, 1, 5, 6)
    network = SafeNet(7, 4, 2, (2, 4), places, patch=patch).eval()
    nn.init.normal_(network.say.weight)
    batch = {
        keys.INDICATORS: torch.randn(2, 4, 3, 7),
        keys.REGION_INDICATORS: torch.randn(2, 3, 7),
        keys.MAPS: torch.rand(2, 3, 2, 2, 4),
    }
    said = network(batch)
    assert said.shape == (2, 4)
    other = batch | {keys.INDICATORS: batch[keys.INDICATORS].clone()}
    other[keys.INDICATORS][:, 3] += 3
    assert not torch.allclose(network(other)[:, 0], said[:, 0])
    blind = torch.allclose(network(batch | {keys.MAPS: batch[keys.MAPS] + 1}), said)
    assert blind == (patch is None)


def test_the_correction_begins_at_one_and_stays_within_its_limit() -> None:
    network = EtasCorrection(2, 3, 2, (3, 3), (0, 1, 4, 8), limit=5.0)
    batch = {keys.MAPS: torch.rand(2, 3, 2, 3, 3), keys.LOG_RATES: torch.randn(2, 2, 4)}
    assert (network(batch) == 0).all()
    nn.init.constant_(network.say.bias, 100.0)
    assert network(batch).exp().max() <= 5.001
