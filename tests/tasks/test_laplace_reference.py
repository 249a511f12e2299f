"""The last-layer Laplace approximation beside laplace-torch, where that is installed."""

import math
import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from seisvision import keys
from seisvision.outputs.classes.output import ClassOutput
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.outputs.output import Output
from seisvision.tasks.passes.laplace import PRIORS, HeadPosterior, fit_posteriors

N, N_INPUTS, N_FEATURES = 150, 4, 6
NOISE = 0.5


class Given(nn.Module):
    """Takes the waveform as it is."""

    def forward(self, batch: dict) -> torch.Tensor:
        return batch[keys.WAVEFORM]


class Task(nn.Module):
    """Features and one output."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self.view, self.model = Given(), nn.Sequential(nn.Linear(N_INPUTS, N_FEATURES), nn.Tanh())
        output.build_head(N_FEATURES)
        self.outputs, self.heads = (output,), nn.ModuleList([output])


def fitted(output: Output, target: torch.Tensor, column: str) -> tuple[Task, torch.Tensor, HeadPosterior]:
    """A network that says anything, its inputs, and the posterior of its head."""
    torch.manual_seed(5)
    task = Task(output).eval()
    given = torch.randn(N, N_INPUTS)
    if isinstance(output, ScalarOutput):
        # The same noise everywhere, as the other library has it.
        with torch.no_grad():
            output.head.weight[1], output.head.bias[1] = 0.0, math.log(NOISE)
    return task, given, fit_posteriors(task, [{keys.WAVEFORM: given, keys.TARGETS: {column: target}}])[output.name]


def reference(model: nn.Module, kind: str, data: tuple[torch.Tensor, torch.Tensor], prior: float, **kwargs: float):
    """The approximation of laplace-torch, of the weights of the last layer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        laplace = pytest.importorskip("laplace", reason="laplace-torch is an extra")
        found = laplace.Laplace(
            model, kind, subset_of_weights="last_layer", hessian_structure="full", prior_precision=prior, **kwargs
        )
        found.fit(DataLoader(TensorDataset(*data), batch_size=64))
    return found


def test_classes_have_the_posterior_and_the_prior_of_laplace_torch() -> None:
    target = torch.randint(0, 3, (N,), generator=torch.Generator().manual_seed(1))
    output = ClassOutput("kind", "kind", ["a", "b", "c"])
    task, given, own = fitted(output, target, "kind")
    model = nn.Sequential(*task.model, output.head)
    other = reference(model, "classification", (given, target), own.prior_precision)
    asked = torch.randn(20, N_INPUTS)
    _, variance = other._glm_predictive_distribution(asked)
    assert torch.allclose(own.covariance(task.model(asked), 3), variance, rtol=1e-3, atol=1e-6)
    evidence = [float(other.log_marginal_likelihood(prior_precision=torch.tensor(prior))) for prior in PRIORS.tolist()]
    assert own.prior_precision == pytest.approx(float(PRIORS[evidence.index(max(evidence))]))


def test_numbers_have_the_posterior_of_laplace_torch() -> None:
    target = torch.randn(N, generator=torch.Generator().manual_seed(2))
    output = ScalarOutput("depth", "depth_km", "km", transform="none", loss="gaussian")
    task, given, own = fitted(output, target, "depth_km")
    last = nn.Linear(N_FEATURES, 1)
    last.weight.data, last.bias.data = output.head.weight.data[:1].clone(), output.head.bias.data[:1].clone()
    data = given, target[:, None]
    other = reference(nn.Sequential(*task.model, last), "regression", data, own.prior_precision, sigma_noise=NOISE)
    asked = torch.randn(20, N_INPUTS)
    _, variance = other._glm_predictive_distribution(asked)
    assert torch.allclose(own.covariance(task.model(asked), 2)[:, :1, :1], variance, rtol=1e-3, atol=1e-6)
