"""Outputs learn what they should, in physical units, and refuse what they cannot use."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import nn

from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.angles.output import AngleOutput
from seisvision.outputs.classes.output import ClassOutput
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.outputs.output import Output


def _learn(output: Output, features: torch.Tensor, target: torch.Tensor, steps: int = 160) -> torch.Tensor:
    """Decoded predictions after fitting the head to ``features`` (N, F)."""
    torch.manual_seed(0)
    output.build_head(features.shape[1])
    output.fit_statistics(target)
    optimizer = torch.optim.Adam(output.parameters(), lr=0.2)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        output.loss(output(features), target).backward()
        optimizer.step()
        slower.step()
    return output.decode(output(features)).detach()


def _scale(n: int = 400) -> torch.Tensor:
    return torch.linspace(-1, 1, n)[:, None]


@pytest.mark.parametrize("loss", ["huber", "mse", "l1", "gaussian", "laplace"])
@pytest.mark.parametrize(("transform", "shift"), [("log1p", -1.0), ("log", 0.0)])
def test_scalars_are_learnt_and_decoded_in_physical_units(loss: str, transform: str, shift: float) -> None:
    features = _scale()
    target = torch.exp(4 + 2 * features[:, 0]) + shift
    output = ScalarOutput("offset", "path_ep_distance_km", "km", transform=transform, loss=loss)
    decoded = _learn(output, features, target)
    assert (decoded[:, 0] / target - 1).abs().median() < 0.05


def test_missing_values_neither_count_nor_spoil_the_gradient() -> None:
    output = ScalarOutput("offset", "x", "km", loss="gaussian")
    output.build_head(1)
    features, target = _scale(4), torch.tensor([10.0, torch.nan, 30.0, torch.nan])
    output.fit_statistics(target)
    raw = output(features)
    assert output.loss(raw, target) == output.loss(raw[[0, 2]], target[[0, 2]])
    nothing = output.loss(raw, torch.full((4,), torch.nan))
    nothing.backward()
    assert nothing == 0 and all(parameter.grad is not None for parameter in output.parameters())


@pytest.mark.parametrize(("loss", "noise"), [("gaussian", scipy.stats.norm), ("laplace", scipy.stats.laplace)])
def test_predicted_intervals_cover_what_they_say(loss: str, noise: scipy.stats.rv_continuous) -> None:
    """The scale grows with the feature, and the network has to find out."""
    features = _scale(6000)
    scale = torch.exp(-2 + features[:, 0])
    errors = torch.from_numpy(noise.rvs(size=6000, random_state=1)).float() * scale
    target = torch.exp(5 + features[:, 0] + errors)
    output = ScalarOutput("offset", "x", "km", transform="log", loss=loss)
    decoded = _learn(output, features, target)
    for column, level in ((2, 0.68), (4, 0.95)):
        inside = (target >= decoded[:, column]) & (target <= decoded[:, column + 1])
        for half in (slice(0, 3000), slice(3000, 6000)):
            assert abs(inside[half].float().mean() - level) < 0.03
    assert torch.allclose(decoded[:, 1], (decoded[:, 3] - decoded[:, 2]) / 2)


def test_gaussian_loss_is_the_negative_log_likelihood() -> None:
    output = ScalarOutput("m", "x", "km", transform="none", loss="gaussian")
    output.fit_statistics(torch.tensor([0.0, 10.0]))
    raw = torch.tensor([[0.3, -0.5], [1.2, 0.7]])
    target = torch.tensor([4.0, 9.0])
    expected = -scipy.stats.norm.logpdf((target - 5) / 5, raw[:, 0], raw[:, 1].exp()).mean()
    assert output.loss(raw, target) == pytest.approx(expected - math.log(2 * math.pi) / 2, abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "target", "problem"),
    [
        ({"transform": "log"}, [1.0, 0.0], "needs more than 0"),
        ({}, [torch.nan, torch.nan], "no training sample has a value"),
    ],
)
def test_values_that_cannot_be_learnt_are_refused(settings: dict, target: list[float], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        ScalarOutput("depth", "source_depth_km", "km", **settings).fit_statistics(torch.tensor(target))


@pytest.mark.parametrize("period_deg", [360.0, 180.0])
@pytest.mark.parametrize("loss", ["cosine", "von_mises"])
def test_angles_are_learnt_across_the_seam(period_deg: float, loss: str) -> None:
    angle = torch.linspace(0, 359, 360) % period_deg
    phase = angle * 2 * math.pi / period_deg
    features = torch.stack([phase.cos(), phase.sin()], dim=1)
    decoded = _learn(AngleOutput("azimuth", "x", period_deg, loss), features, angle)
    error = (decoded[:, 0] - angle + period_deg / 2) % period_deg - period_deg / 2
    assert error.abs().max() < 3 and (decoded[:, 0] >= 0).all() and (decoded[:, 0] < period_deg).all()


def test_scalar_degrees_fail_at_the_seam() -> None:
    """Why the paper's way is not the default."""
    angle = torch.tensor([359.0, 1.0]).repeat(50)
    decoded = _learn(AngleOutput("azimuth", "x", loss="scalar_mse"), torch.ones(100, 1), angle)
    assert decoded[:, 0].mean() == pytest.approx(180, abs=2)


def test_von_mises_loss_and_deviation_agree_with_scipy() -> None:
    output = AngleOutput("azimuth", "x", loss="von_mises")
    raw, target = torch.tensor([[1.0, 2.0], [-8.0, 0.5]]), torch.tensor([30.0, 200.0])
    kappa, mean = raw.norm(dim=1).numpy(), torch.atan2(raw[:, 1], raw[:, 0]).numpy()
    expected = -scipy.stats.vonmises.logpdf(np.radians(target.numpy()), kappa, mean).mean()
    assert output.loss(raw, target) == pytest.approx(expected, rel=1e-5)
    draws = scipy.stats.vonmises.rvs(kappa[0], size=200_000, random_state=0)
    assert output.decode(raw)[0, 1] == pytest.approx(np.degrees(scipy.stats.circstd(draws)), rel=0.01)


@pytest.mark.parametrize(
    "build",
    [
        lambda: ScalarOutput("o", "x", "km", loss="hubr"),
        lambda: ScalarOutput("o", "x", "km", transform="sqrt"),
        lambda: ScalarOutput("o", "x", "km", tolerance_relative=-1),
        lambda: AngleOutput("o", "x", period_deg=90),
        lambda: AngleOutput("o", "x", loss="sine"),
        lambda: AngleOutput("o", "x", tolerance_deg=0),
        lambda: ClassOutput("o", "x", ["a", "b"], label_smoothing=7),
    ],
)
def test_settings_that_are_not_allowed(build) -> None:
    with pytest.raises(ConfigurationError):
        build()


def test_a_class_without_training_samples_is_refused() -> None:
    with pytest.raises(DataError, match="class blast"):
        ClassOutput("cause", "x", ["quake", "blast"]).fit_statistics(torch.tensor([0, 0, -1]))


def test_an_unlabelled_batch_gives_no_loss() -> None:
    output = ClassOutput("cause", "x", ["quake", "blast"])
    assert output.loss(torch.randn(3, 2), torch.full((3,), -1)) == 0


def test_statistics_travel_with_the_weights() -> None:
    output = ScalarOutput("offset", "x", "km")
    output.build_head(3)
    output.fit_statistics(torch.tensor([10.0, 200.0, 3000.0]))
    twin = ScalarOutput("offset", "x", "km")
    twin.build_head(3)
    twin.load_state_dict(output.state_dict())
    raw = nn.functional.normalize(torch.randn(5, 1), dim=0)
    assert torch.equal(twin.decode(raw)[:, 0], output.decode(raw)[:, 0])
