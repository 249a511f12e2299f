"""The U-Net of PhaseNet: its size, its padding, and its published weights."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.experiments.waveforms.pickers import open_picker
from seisvision.models.waveforms.layers import SameConv1d, SameConvTranspose1d
from seisvision.models.waveforms.unet1d import UNet1d
from seisvision.tasks.pick_network import phasenet_of


def test_it_has_the_published_number_of_parameters_with_its_head() -> None:
    network = UNet1d(3, 3000)
    head = torch.nn.Conv1d(network.num_features, 3, 1)
    assert sum(one.numel() for part in (network, head) for one in part.parameters()) == 268_443


@pytest.mark.parametrize("padding", ["same", "centred"])
@pytest.mark.parametrize("n_samples", [3000, 3001, 777])
def test_maps_have_a_place_for_every_sample_and_features_are_their_mean(padding: str, n_samples: int) -> None:
    network = UNet1d(3, n_samples, padding=padding).eval()
    lines = torch.randn(2, 3, n_samples)
    maps = network.maps(lines)
    assert maps.shape == (2, 8, n_samples)
    assert torch.allclose(network(lines), maps.mean(-1))


def test_the_transposed_convolution_is_the_gradient_of_the_convolution() -> None:
    """TensorFlow defines its padding so."""
    down, up = SameConv1d(1, 1, 7, 4, bias=False), SameConvTranspose1d(1, 1, 7, 4, bias=False)
    up.weight.data = down.weight.data.clone()
    long, short = torch.randn(1, 1, 48, requires_grad=True), torch.randn(1, 1, 12)
    (gradient,) = torch.autograd.grad((down(long) * short).sum(), long)
    assert torch.allclose(up(short), gradient, atol=1e-6)


def test_centred_maps_move_with_the_waveform() -> None:
    """By whole strides, and up to the ends of the line."""
    network = UNet1d(1, 1024, levels=3, padding="centred").eval()
    line = torch.zeros(1, 1, 1024)
    line[..., 500] = 1
    moved = network.maps(line.roll(16, -1))
    assert torch.allclose(moved[..., 200:-200], network.maps(line).roll(16, -1)[..., 200:-200], atol=1e-6)


def test_a_frozen_network_keeps_its_statistics() -> None:
    network = UNet1d(3, 1000, frozen=True)
    before = network.in_bn.running_mean.clone()
    network.maps(torch.randn(4, 3, 1000) + 5)
    network.train().maps(torch.randn(4, 3, 1000) + 5)
    assert torch.equal(network.in_bn.running_mean, before)
    assert not any(one.requires_grad for one in network.parameters())


def test_lines_that_are_too_short_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="256"):
        UNet1d(3, 200)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"layer.weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="PhaseNet"):
        open_picker(path)
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match="something else"):
        open_picker(path)


def test_curves_of_weights_in_another_order_are_the_same_curves() -> None:
    network = UNet1d(3, 3000).state_dict()
    out = {"out.weight": torch.randn(3, 8, 1), "out.bias": torch.randn(3)}
    turned = {name: one[[1, 2, 0]] for name, one in out.items()}
    window = torch.randn(2, 3, 3000)
    curves = phasenet_of(network | out, "NPS").curves(window)
    assert torch.allclose(curves, phasenet_of(network | turned, "PSN").curves(window))
    assert torch.allclose(curves.sum(1), torch.ones(2, 3000))


def test_published_weights_pick_without_delay(shared_data: Path) -> None:
    weights = shared_data / "peers" / "phasenet_ncedc_2018.pt"
    table = shared_data / "ncedc_picks" / "metadata.csv"
    if not weights.is_file() or not table.is_file():
        pytest.skip(f"published weights and picks are not at {shared_data}")
    network = open_picker(weights)
    assert (network.components, network.n_samples, network.phases) == ("ENZ", 3000, ("P", "S"))
    traces = pd.read_csv(table)
    traces = traces[traces["trace_s_arrival_sample"] < 4500]
    first = 2000 + 10 * (np.arange(len(traces)) % 50)
    with h5py.File(table.with_name("waveforms.hdf5")) as file:
        names = zip(traces["trace_name"], first, strict=True)
        windows = np.stack([file["data"][name][:, start : start + 3000] for name, start in names])
    picks = network.output.decode(network.raw(torch.from_numpy(windows))).detach().numpy()
    late_s = picks[:, 0] - (traces["trace_p_arrival_sample"].to_numpy() - first) / 100
    assert (np.abs(late_s) <= 0.1).mean() > 0.9
    assert abs(np.median(late_s)) < 0.006
