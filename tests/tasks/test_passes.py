"""Several passes over a network: what is dropped, what stays as it was trained, and what the answers say together."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.outputs.angles.output import AngleOutput
from seisvision.outputs.classes.output import ClassOutput
from seisvision.outputs.numbers.output import ScalarOutput, evidential_loss, evidential_variances
from seisvision.tasks.passes.draws import normal, sample_keys, uniform
from seisvision.tasks.passes.dropout import DropoutPasses, check_has_dropout
from seisvision.tasks.passes.laplace import LaplacePasses, check_heads, fit_posteriors
from seisvision.tasks.passes.pooling import check_poolable, pooled

N_FEATURES = 6


class Picture(nn.Module):
    """Takes the waveform as it is."""

    unit = "trace"

    def forward(self, batch: dict) -> torch.Tensor:
        return batch[keys.WAVEFORM]


class Task(nn.Module):
    """Backbone and outputs, as a supervised task has them."""

    def __init__(self, *outputs: nn.Module, dropout: float = 0.4, norm: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.view = Picture()
        norms = [nn.BatchNorm1d(N_FEATURES)] if norm else []
        self.model = nn.Sequential(nn.Linear(4, N_FEATURES), *norms, nn.ReLU(), nn.Dropout(dropout))
        for output in outputs:
            output.build_head(N_FEATURES)
        self.heads = nn.ModuleList(outputs)
        self.outputs = outputs

    def look(self, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.model(picture)
        return {output.name: output(features) for output in self.outputs}


def batch_of(n: int, first: int = 0) -> dict:
    generator = torch.Generator().manual_seed(1)
    waveform = torch.randn(20, 4, generator=generator)[first : first + n]
    return {keys.WAVEFORM: waveform, keys.TRACE_ID: [str(number) for number in range(first, first + n)]}


def number_output() -> ScalarOutput:
    return ScalarOutput("depth", "depth_km", "km", transform="none", loss="gaussian")


def test_answers_do_not_depend_on_the_batch() -> None:
    task = Task(number_output()).eval()
    passes = DropoutPasses(8, seed=1)
    _, whole, told = pooled(task, batch_of(12), passes)
    for first in (0, 7):
        _, few, told_few = pooled(task, batch_of(3, first), passes)
        assert torch.allclose(few["depth"], whole["depth"][first : first + 3], atol=1e-6)
        assert torch.allclose(
            told_few["depth"]["sigma_epistemic"], told["depth"]["sigma_epistemic"][first : first + 3], atol=1e-6
        )


def test_dropout_is_on_and_batch_norm_is_off() -> None:
    task = Task(number_output()).eval()
    norm = task.model[1]
    norm.running_mean.fill_(-0.5)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    said = [raw["depth"] for raw in DropoutPasses(6, 1).raws(task, batch_of(5)[keys.WAVEFORM], sample_keys("abcde", 1))]
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    assert not torch.allclose(said[0], said[1])
    # With dropout off again the network is as it was.
    assert torch.equal(task.look(batch_of(5)[keys.WAVEFORM])["depth"], task.look(batch_of(5)[keys.WAVEFORM])["depth"])


def test_a_share_is_dropped_and_the_rest_keeps_the_mean() -> None:
    task = SimpleNamespace(layer=nn.Dropout(0.3).eval())
    task.modules = lambda: [task.layer]
    task.look = lambda picture: {"x": task.layer(picture)}
    dropped = torch.stack(
        [
            raw["x"]
            for raw in DropoutPasses(50, 3).raws(task, torch.ones(40, 30), sample_keys([*map(chr, range(40))], 3))
        ]
    )
    assert abs(float((dropped == 0).float().mean()) - 0.3) < 0.01
    assert abs(float(dropped.mean()) - 1) < 0.02
    # Layers for maps drop whole channels.
    task.layer = nn.Dropout1d(0.5).eval()
    (raw,) = DropoutPasses(1, 3).raws(task, torch.ones(4, 8, 9), sample_keys("abcd", 3))
    assert ((raw["x"] == 0).all(2) | (raw["x"] == 2).all(2)).all() and (raw["x"] == 0).any()


def test_passes_recover_what_torch_itself_drops() -> None:
    """Mean and variance over many passes are those of dropout as it is trained with."""
    task = Task(number_output(), norm=False).eval()
    picture = batch_of(4)[keys.WAVEFORM]
    own = torch.stack([raw["depth"] for raw in DropoutPasses(1000, 5).raws(task, picture, sample_keys("abcd", 5))])
    task.model[-1].train()
    torch.manual_seed(0)
    usual = torch.stack([task.look(picture)["depth"] for _ in range(1000)])
    assert torch.allclose(own.mean(0), usual.mean(0), atol=0.05)
    assert torch.allclose(own.std(0), usual.std(0), rtol=0.15, atol=0.01)


def test_draws_are_uniform_normal_and_apart() -> None:
    given = sample_keys([str(number) for number in range(300)], 7)
    drawn = uniform(given, 0, 0, (50,))
    assert ((drawn > 0) & (drawn < 1)).all() and abs(float(drawn.mean()) - 0.5) < 0.01
    assert abs(float(drawn.var()) - 1 / 12) < 0.002
    others = [uniform(given, 1, 0, (50,)), uniform(given, 0, 1, (50,)), uniform(given ^ 1, 0, 0, (50,))]
    for other in others:
        together = torch.corrcoef(torch.stack([drawn.flatten(), other.flatten()]))
        assert abs(float(together[0, 1])) < 0.03
    noise = normal(given, 0, 0, (50,))
    assert abs(float(noise.mean())) < 0.02 and abs(float(noise.std()) - 1) < 0.02


def test_a_network_that_drops_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="all passes would agree"):
        check_has_dropout(Task(number_output(), dropout=0.0))


def test_kinds_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'picks' is of kind pick"):
        check_poolable((SimpleNamespace(kind="pick", name="picks"),), "laplace")


def test_laplace_of_a_linear_head_is_bayesian_linear_regression() -> None:
    generator = torch.Generator().manual_seed(2)
    output = number_output()
    task = Task(output, dropout=0.0, norm=False).eval()
    batch = {keys.WAVEFORM: torch.randn(200, 4, generator=generator), keys.TARGETS: {"depth_km": torch.zeros(200)}}
    batch[keys.TRACE_ID] = [str(number) for number in range(200)]
    with torch.no_grad():
        output.head.weight[1] = 0.0
        output.head.bias[1] = math.log(0.5)  # noise of 0.5 everywhere
        found = fit_posteriors(task, [batch])["depth"]
        features = task.model(batch[keys.WAVEFORM])
        known = torch.cat([features, torch.ones(200, 1)], 1).double()
        precision = known.T @ known / 0.25 + found.prior_precision * torch.eye(N_FEATURES + 1)
        expected = torch.einsum("bf,fg,bg->b", known, torch.linalg.inv(precision), known)
        covariance = found.covariance(features, 2)
        assert torch.allclose(covariance[:, 0, 0].double(), expected, rtol=1e-3)
        drawn_by = sample_keys(batch[keys.TRACE_ID], 1)
        passes = LaplacePasses(400, 1, {"depth": found})
        drawn = torch.stack([raw["depth"] for raw in passes.raws(task, batch[keys.WAVEFORM], drawn_by)])
    ratio = drawn[:, :, 0].var(0).double() / expected
    assert abs(float(ratio.mean()) - 1) < 0.03
    # Half of the samples know half as much.
    halves = {**batch, keys.TARGETS: {"depth_km": torch.where(torch.arange(200) < 100, 0.0, torch.nan)}}
    fewer = fit_posteriors(task, [halves])["depth"].covariance(features, 2)
    assert (fewer[:, 0, 0] > covariance[:, 0, 0]).all()


@pytest.mark.parametrize("kind", ["number", "classes", "angle"])
def test_information_is_that_of_the_loss(kind: str) -> None:
    """It is the expected curvature of the loss, over values drawn from what the network itself says."""
    generator = torch.Generator().manual_seed(4)
    raw = torch.tensor([[0.7, -0.2]])
    n = 20_000
    output: nn.Module
    if kind == "number":
        output = number_output()
        targets = raw[0, 0] + raw[0, 1].exp() * torch.randn(n, generator=generator)
    elif kind == "classes":
        output = ClassOutput("kind", "kind", ["a", "b"])
        targets = torch.multinomial(raw[0].softmax(0), n, replacement=True, generator=generator)
    else:
        output = AngleOutput("azimuth", "azimuth", loss="von_mises")
        torch.manual_seed(0)
        drawn = torch.distributions.VonMises(torch.atan2(raw[0, 1], raw[0, 0]).double(), raw[0].norm().double())
        targets = (drawn.sample((n,)) * 180 / math.pi).float() % 360
    curvature = torch.autograd.functional.hessian(lambda one: output.loss(one.expand(n, 2), targets), raw)[0, :, 0]
    assert torch.allclose(output.information(raw, targets[:1])[0], curvature, atol=0.06)


def test_losses_that_are_no_likelihood_have_no_information() -> None:
    output = ScalarOutput("depth", "depth_km", "km", loss="huber")
    with pytest.raises(ConfigurationError, match="likelihood"):
        output.information(torch.zeros(1, 1), torch.zeros(1))
    output.build_head(4)
    with pytest.raises(ConfigurationError, match="likelihood"):
        check_heads([output])
    for kind in (number_output(), ClassOutput("kind", "kind", ["a", "b"])):
        kind.build_head(4)
        check_heads([kind])


def test_evidential_numbers_learn_how_large_errors_are() -> None:
    """Of the two variances only the sum is learnt: which part is noise the likelihood does not say."""
    torch.manual_seed(0)
    noise = 0.3
    wanted = noise * torch.randn(400)
    raw = torch.zeros(1, 4, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        evidential_loss(raw.expand(400, 4), wanted).mean().backward()
        optimizer.step()
    aleatoric, epistemic = (float(one.detach()) for one in evidential_variances(raw))
    assert math.sqrt(aleatoric + epistemic) == pytest.approx(noise, rel=0.15)


def test_an_evidential_output_states_interval_and_parts() -> None:
    output = ScalarOutput("depth", "depth_km", "km", transform="none", loss="evidential")
    output.build_head(3)
    raw = output(torch.randn(5, 3))
    decoded, apart = output.decode(raw), output.apart(raw)
    assert raw.shape == (5, 4) and decoded.shape == (5, 6)
    total = (apart["sigma_aleatoric"] ** 2 + apart["sigma_epistemic"] ** 2).sqrt()
    assert torch.allclose(decoded[:, 1], total, rtol=1e-4)
