"""Networks of waveforms: sizes as published, lengths of any kind, padding, and what amplitudes are for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from seisvision import models
from seisvision.errors import ConfigurationError
from seisvision.models.backbone import Backbone
from seisvision.models.waveforms.back_azimuth_net import polarisation
from seisvision.models.waveforms.conv_stack import ConvStack1d
from seisvision.models.waveforms.layers import MeanOfParts, SameConv1d, same_padding, split_peak


def parameters(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


PUBLISHED: dict[str, tuple[Callable[[], Backbone], int, int]] = {
    "ConvNetQuake, 6 places": (lambda: models.ConvNetQuake(3, 1001), 6 + 1, 22_951),
    "ConvNetQuake, 50 places": (lambda: models.ConvNetQuake(3, 1001), 50 + 1, 28_627),
    "ConvNetQuake_INGV": (lambda: models.ConvNetQuakeINGV(3, 1001), 51 + 20 + 20 + 36, 37_824),
    "TCN": (lambda: models.TCN(4, keep_last_residual=True), 2 + 2, 58_924),
    "TCN without what reaches no output": (lambda: models.TCN(4), 2 + 2, 58_924 - 420),
    "back azimuth": (lambda: models.BackAzimuthNet(3, 150), 2, 46_602),
    "Shandong": (lambda: models.ShandongCNN(3, 5000), 3, 435_251),
    "Gu": (lambda: models.GuCNN(36, 1024), 3, 66_723),
    "Kriegerowski": (lambda: models.KriegerowskiCNN(27, 500), 3, 186_949),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_have_the_parameters_of_the_published_ones(name: str) -> None:
    build, outputs, count = PUBLISHED[name]
    backbone = build()
    assert parameters(backbone) + parameters(nn.Linear(backbone.num_features, outputs)) == count


def test_parts_of_the_auto_encoder_have_their_parameters() -> None:
    network = models.JanbakhshNet(3, decoder=True)
    assert [parameters(part) for part in (network.encoder, network.memory, network.decoder)] == [14_272, 49_920, 16_819]
    assert network.encode(torch.zeros(1, 3, 6000)).shape == (1, 64, 188)


NETWORKS: dict[str, Callable[[int, int], Backbone]] = {
    "ConvStack1d": models.ConvStack1d,
    "ConvStack1d, centred": lambda p, t: models.ConvStack1d(p, t, padding="centred", pools=2, hidden=[7], parts=3),
    "ConvStack1d, none": lambda p, t: models.ConvStack1d(p, t, padding="none", activation="gelu", batch_norm=True),
    "ConvNetQuake": models.ConvNetQuake,
    "ConvNetQuakeINGV": models.ConvNetQuakeINGV,
    "TCN": lambda p, t: models.TCN(p),
    "BackAzimuthNet": models.BackAzimuthNet,
    "ShandongCNN": models.ShandongCNN,
    "GuCNN": models.GuCNN,
    "KriegerowskiCNN": models.KriegerowskiCNN,
    "CNN1d": models.CNN1d,
    "LSTM": lambda p, t: models.LSTM(p),
    "JanbakhshNet": lambda p, t: models.JanbakhshNet(p),
    "ResNet1d": models.ResNet1d,
    "ResNet1d, peak": lambda p, t: models.ResNet1d(p, t, blocks=2, peak=True),
}


@pytest.mark.parametrize("n_samples", [513, 602, 747])
@pytest.mark.parametrize("name", NETWORKS)
def test_waveforms_of_any_length_go_through_and_every_weight_learns(name: str, n_samples: int) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](3, n_samples)
    features = network(torch.randn(4, 3, n_samples))
    assert features.shape == (4, network.num_features) and features.isfinite().all()
    (features * torch.randn_like(features)).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    silent = network.eval()(torch.zeros(2, 3, n_samples))
    assert silent.isfinite().all()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_sample_has_its_features_whatever_is_beside_it(name: str) -> None:
    torch.manual_seed(0)
    network, lines = NETWORKS[name](3, 600).eval(), torch.randn(4, 3, 600)
    with torch.no_grad():
        assert torch.allclose(network(lines)[1:2], network(lines[1:2]), atol=1e-5)


def test_padding_is_that_of_tensorflow() -> None:
    convolution = SameConv1d(1, 1, 3, stride=2, bias=False)
    convolution.weight.data = torch.tensor([[[1.0, 10.0, 100.0]]])
    # Of four samples one zero is needed, and stands behind; of five, one stands at either end.
    assert convolution(torch.tensor([[[1.0, 2, 3, 4]]])).tolist() == [[[321.0, 43.0]]]
    assert convolution(torch.tensor([[[1.0, 2, 3, 4, 5]]])).tolist() == [[[210.0, 432.0, 54.0]]]
    assert same_padding(1001, 3, 2) == (1, 1) and same_padding(126, 3, 2) == (0, 1) and same_padding(7, 4, 1) == (1, 2)
    (centred,) = ConvStack1d(1, 4, [1], kernels=3, padding="centred").layers[:1]
    (same,) = ConvStack1d(1, 4, [1], kernels=3, padding="same").layers[:1]
    centred.load_state_dict(same.state_dict())
    line = torch.tensor([[[1.0, 2, 3, 4]]])
    assert centred(line).shape == same(line).shape and not torch.allclose(centred(line), same(line))


def test_means_of_parts_are_those_of_adaptive_pooling() -> None:
    for length, parts in ((64, 8), (65, 8), (7, 3), (3, 8)):
        maps = torch.randn(2, 5, length)
        assert torch.allclose(MeanOfParts(length, parts)(maps), nn.AdaptiveAvgPool1d(parts)(maps), atol=1e-6)


def test_distances_are_seen_only_backwards_in_time() -> None:
    torch.manual_seed(0)
    network = models.TCN(1, levels=3).eval()
    lines = torch.randn(1, 1, 200)
    seen = 1 + 2 * 5 * (1 + 2 + 4)
    changed = lines.clone()
    changed[..., : 200 - seen] += 1
    assert torch.equal(network(lines), network(changed))
    changed[..., 200 - seen] += 1
    assert not torch.equal(network(lines), network(changed))


def test_polarisation_points_away_from_the_source_whichever_way_p_moves() -> None:
    back_azimuth = torch.deg2rad(torch.arange(0.0, 360.0, 15.0))
    # Upward motion goes with motion away from the source, downward with motion towards it.
    away = torch.stack([torch.ones(24), -0.7 * back_azimuth.cos(), -0.7 * back_azimuth.sin()], 1)
    wave = 1e-9 * torch.sin(torch.arange(20) * 0.7)
    for sign in (1, -1):
        found = polarisation(sign * away[..., None] * wave)
        values, main = found[:, :, 3], found[:, :, 4]
        assert torch.allclose(main, away / away.norm(dim=1, keepdim=True), atol=1e-3)
        assert torch.allclose(values, torch.tensor([1.0, 0, 0]).expand(24, 3), atol=1e-4)
        assert (found[:, 0, 4:] >= 0).all(), "all three eigenvectors point upward"
    assert (polarisation(torch.zeros(2, 3, 20)) == 0).all()


def test_waveforms_come_back_from_their_code_at_their_length() -> None:
    lines = torch.randn(2, 3, 601)
    assert models.JanbakhshNet(3, decoder=True).reconstruct(lines).shape == lines.shape
    with pytest.raises(ConfigurationError, match=r"no decoder .* Set model\.decoder=true"):
        models.JanbakhshNet(3).reconstruct(lines)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: models.ShandongCNN(3, 511), r"ShandongCNN needs waveforms of at least 512 samples and gets .*=511"),
        (lambda: models.CNN1d(3, 7), "CNN1d needs waveforms of at least 8 samples"),
        (lambda: models.ResNet1d(3, 127), "ResNet1d needs waveforms of at least 128 samples"),
        (lambda: models.KriegerowskiCNN(3, 63), "KriegerowskiCNN needs waveforms of at least 64 samples"),
        (lambda: models.KriegerowskiCNN(4, 600), r"would get 4 channels\. Set view\.components=ZNE"),
        (lambda: models.BackAzimuthNet(1, 150), r"would get 1 channels\. Set view\.components=ZNE"),
        (lambda: models.BackAzimuthNet(3, 60), r"model\.p_sample=50 with model\.p_length=20 does not lie in"),
        (lambda: models.ConvStack1d(3, 100, kernels=[3, 3]), r"model\.kernels=\[3, 3\] has 2 values for the 4 layers"),
        (lambda: models.ConvStack1d(3, 100, padding="valid"), r"model\.padding='valid' is not allowed"),
        (lambda: models.ConvStack1d(3, 100, activation="tanh"), r"model\.activation='tanh' is not allowed"),
        (lambda: models.ConvStack1d(3, 100, strides=[10**4] * 64, widths=[1] * 64, padding="none"), "at least"),
        (
            lambda: models.ConvNetQuake(3, 1001, layers=10**9),
            r"model\.layers=1000000000 is .* from 1 to 64",
        ),
        (lambda: models.ConvNetQuakeINGV(3, 1001, peak="square"), r"model\.peak='square' is not allowed"),
        (lambda: models.TCN(3, levels=40), r"model\.levels=40 is not allowed"),
        (lambda: models.LSTM(3, layers=0), r"model\.layers=0 is not allowed"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(build: Callable[[], Backbone], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        build()
    assert "\n" not in str(refused.value)


def test_a_peak_is_split_off_and_nothing_moves_where_nothing_moved() -> None:
    lines = torch.stack([torch.tensor([[0.0, -2e-7], [1e-7, 0]]), torch.zeros(2, 2)])
    scaled, log_peak = split_peak(lines)
    assert torch.allclose(scaled[0], torch.tensor([[0.0, -1], [0.5, 0]])) and (scaled[1] == 0).all()
    assert log_peak.shape == (2, 1) and abs(float(log_peak[0]) + 6.699) < 1e-3 and log_peak[1].isfinite().all()
