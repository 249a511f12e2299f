"""The picker of this project: its size, its places, and what a shift does to it."""

from __future__ import annotations

import pytest
import torch

from seisvision.errors import ConfigurationError
from seisvision.models.waveforms.pick_net import LowPass, PickNet, Stretched


@pytest.mark.parametrize("n_samples", [3000, 3001, 515])
def test_maps_have_a_place_for_every_sample(n_samples: int) -> None:
    network = PickNet(3, n_samples).eval()
    assert network.maps(torch.randn(2, 3, n_samples)).shape == (2, 12, n_samples)
    assert network(torch.randn(2, 3, n_samples)).shape == (2, 12)


def test_it_is_small() -> None:
    assert sum(one.numel() for one in PickNet(3, 3000).parameters()) < 10**6


@pytest.mark.parametrize("n_samples", [40, 41, 43])
def test_fewer_and_more_samples_stand_over_each_other(n_samples: int) -> None:
    """A straight line comes back as it was, but near its ends."""
    line = torch.arange(n_samples, dtype=torch.float32)[None, None]
    back = Stretched(4)(LowPass(4)(line), n_samples)
    assert torch.allclose(back[..., 8:-12], line[..., 8:-12], atol=1e-4)


def test_what_would_be_folded_is_filtered_out() -> None:
    time = torch.arange(400)
    kept = [LowPass(4)(torch.cos(2 * torch.pi * f * time)[None, None])[..., 10:-10].abs().max() for f in (0.02, 0.25)]
    assert kept[0] > 0.9
    assert kept[1] < 0.01


def test_without_attention_curves_move_with_the_waveform() -> None:
    network = PickNet(1, 4096, attention=0).eval()
    line = torch.zeros(1, 1, 4096)
    line[..., 2000] = 1
    moved = network.maps(line.roll(128, -1))
    assert torch.allclose(moved[..., 1024:-1024], network.maps(line).roll(128, -1)[..., 1024:-1024], atol=1e-5)


def test_odd_settings_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="divisible by 4"):
        PickNet(3, 3000, widths=(8, 30))
    with pytest.raises(ConfigurationError, match="at least 128"):
        PickNet(3, 100)
