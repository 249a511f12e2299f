"""Networks of all stations: published sizes, and what the order and the absence of stations change."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from seisvision.errors import ConfigurationError
from seisvision.models.networks.early_warning import EarlyWarningFCN
from seisvision.models.networks.fcn_locator import FCNLocator
from seisvision.models.networks.preseis import PreSEIS
from seisvision.models.networks.station_transformer import StationTransformer
from seisvision.models.waveforms.kriegerowski import KriegerowskiCNN


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("width", "wanted"), [(1.0, 27_626_558), (0.25, 1_728_422), (0.125, 432_706), (1 / 16, 108_488)]
)
def test_the_fcn_has_the_published_number_of_parameters(width: float, wanted: int) -> None:
    with torch.device("meta"):
        network = FCNLocator(3, 30, 2048, width)
        head = nn.Conv2d(network.num_features, 30, 1)
        shape = network.maps(torch.zeros(1, 3, 30, 2048)).shape
    assert _parameters(network) + _parameters(head) == wanted
    assert shape == (1, network.num_features, 80, 128)


def test_the_early_warning_network_has_the_size_that_was_laid_down() -> None:
    with torch.device("meta"):
        network = EarlyWarningFCN(3, 12, 1024)
        head = nn.Conv2d(network.map_features, 16, 1)
        picture = torch.zeros(2, 3, 12, 1024)
        maps, features = network.maps(picture), network(picture)
    # With a detection of one number and a magnitude of two behind 64 values it would be 2,950,835.
    assert _parameters(network) + _parameters(head) == 2_950_835 - 257 - 16_578
    assert maps.shape == (2, 32, 64, 64) and features.shape == (2, 256)


def test_the_cnn_of_kriegerowski_has_the_size_that_was_laid_down() -> None:
    network = KriegerowskiCNN(27, 500)
    assert _parameters(network) + _parameters(nn.Linear(network.num_features, 3)) == 186_949


def _picture() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    picture = torch.randn(2, 7, 8, 256, generator=generator)
    picture[:, 3:] = picture[:, 3:, :, :1]
    picture[:, 6] = 0.3
    picture[1, :, 5] = 0
    return picture


def test_another_order_breaks_the_fcn_and_not_the_transformer() -> None:
    picture, order = _picture(), torch.tensor([3, 0, 6, 1, 7, 4, 2, 5])
    torch.manual_seed(0)
    fcn, transformer = FCNLocator(3, 8, 256, 1 / 16).eval(), StationTransformer(7, 256, 24, 1, 2, 4).eval()
    with torch.no_grad():
        one, other = (fcn(some[:, :3]) for some in (picture, picture[:, :, order]))
        assert (one - other).abs().max() > 0.05 * one.abs().max()
        assert torch.allclose(transformer(picture), transformer(picture[:, :, order]), atol=1e-5)


def test_absent_stations_change_nothing_for_the_transformer() -> None:
    torch.manual_seed(0)
    network, picture = StationTransformer(7, 256, 24, 1, 2, 4).eval(), _picture()
    with torch.no_grad():
        more = torch.cat([picture, torch.zeros(2, 7, 4, 256)], 2)
        assert torch.allclose(network(picture), network(more), atol=1e-5)
        without = network(picture[1:, :, [0, 1, 2, 3, 4, 6, 7]])
        assert torch.allclose(network(picture)[1:], without, atol=1e-5)
        fewer = picture.clone()
        fewer[:, :, 0] = 0
        assert not torch.allclose(network(picture), network(fewer), atol=1e-3)
        moved = picture.clone()
        moved[:, 3, 0] += 0.2
        assert not torch.allclose(network(picture), network(moved), atol=1e-3)
        assert network(torch.zeros(1, 7, 3, 256)).isfinite().all()


def test_what_a_network_cannot_take_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="6 stations and 256 samples"):
        FCNLocator(3, 5, 2048)
    with pytest.raises(ConfigurationError, match=r"view\.coordinates=true"):
        StationTransformer(3, 256)
    with pytest.raises(ConfigurationError, match="multiple"):
        StationTransformer(6, 256, width=25, heads=2)


def test_preseis_is_a_small_network_for_every_second() -> None:
    network = PreSEIS(1, 31)
    one_second = 31 * 20 + 20 + 21 * 3
    assert one_second == 703
    assert _parameters(network) + network.num_features * 3 == 15 * one_second
    torch.manual_seed(0)
    numbers = torch.rand(3, 1, 31)
    numbers[:, 0, -1] = torch.tensor([0.0, 0.35, 9.0])
    features = network(numbers).reshape(3, 15, 21)
    assert features.ne(0).any(-1).nonzero()[:, 1].tolist() == [0, 3, 14]
    with pytest.raises(ConfigurationError, match="station_triggers"):
        PreSEIS(3, 600)
