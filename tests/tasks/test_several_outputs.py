"""Several outputs of one network: each learns from the samples that it knows, and from no others."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.outputs.bins.output import BinnedOutput
from seisvision.outputs.circular_bins.output import BinnedAngleOutput
from seisvision.outputs.classes.output import ClassOutput
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.outputs.output import Output
from seisvision.tasks.decay import decay_groups
from seisvision.tasks.supervised import SupervisedTask

NAN = torch.nan
COLUMNS = ("path_ep_distance_km", "source_depth_km", "path_back_azimuth_deg")


class Backbone(nn.Module):
    num_features = 8

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh())

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.layers(picture)


class View(nn.Module):
    unit = "trace"

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        return batch[keys.WAVEFORM][:, 0, 0]


def outputs() -> list[Output]:
    return [
        ClassOutput("detection", "kind", ["noise", "event"]),
        ScalarOutput("offset", COLUMNS[0], "km", weight=0.5),
        BinnedOutput("depth", COLUMNS[1], "km", edges=[0, 10, 20, 50], weight=2.0),
        BinnedAngleOutput("azimuth", COLUMNS[2], n_bins=8),
    ]


def task(**settings: Any) -> SupervisedTask:
    torch.manual_seed(0)
    made = SupervisedTask(Backbone(), View(), outputs(), partial(torch.optim.Adam, lr=0.01), **settings)  # type: ignore[arg-type]
    made.log = lambda *_, **__: None  # type: ignore[method-assign,assignment]
    return made


def batch(is_noise: list[bool]) -> dict[str, Any]:
    n = len(is_noise)
    generator = torch.Generator().manual_seed(1)
    noise = torch.tensor(is_noise)
    values = {column: torch.where(noise, NAN, torch.linspace(5, 45, n)) for column in COLUMNS}
    return {
        keys.WAVEFORM: torch.randn(n, 1, 1, 4, generator=generator),
        keys.SOURCE_ID: [f"event-{i}" for i in range(n)],
        keys.TARGETS: {"kind": (~noise).long(), **values},
    }


def take(some: dict[str, Any], rows: list[int]) -> dict[str, Any]:
    targets = {column: values[rows] for column, values in some[keys.TARGETS].items()}
    names = [some[keys.SOURCE_ID][row] for row in rows]
    return {keys.WAVEFORM: some[keys.WAVEFORM][rows], keys.SOURCE_ID: names, keys.TARGETS: targets}


def test_noise_counts_in_the_detection_only() -> None:
    whole = task()
    some = batch([True, False, True, False])
    raw = whole(some)
    events = [1, 3]
    for output in whole.outputs:
        truth = output.truth(some)
        loss = output.loss(raw[output.name], truth)
        of_events = output.loss(raw[output.name][events], truth[events])
        assert torch.equal(loss, of_events) == (output.name != "detection")
    total = whole.training_step(some, 0)
    parts = {output.name: output.loss(raw[output.name], output.truth(some)) for output in whole.outputs}
    expected = parts["detection"] + 0.5 * parts["offset"] + 2 * parts["depth"] + parts["azimuth"]
    torch.testing.assert_close(total, expected)
    # What is known of noise alone moves the backbone through its detection alone.
    nothing = whole.training_step(take(some, [0, 2]), 1)
    torch.testing.assert_close(nothing, whole.outputs[0].loss(raw["detection"][[0, 2]], torch.tensor([0, 0])))
    whole.zero_grad()
    nothing.backward()
    for output in whole.outputs:
        gradient = output.head.weight.grad
        assert gradient is not None and bool(gradient.any()) == (output.name == "detection")
    assert all(parameter.grad.isfinite().all() for parameter in whole.parameters())


def test_measures_of_an_epoch_count_known_samples() -> None:
    whole = task()
    said: dict[str, Any] = {}
    whole.log = lambda name, value, **_: said.update({name: value})  # type: ignore[method-assign,assignment]
    whole.validation_step(batch([True, True]), 0)
    whole.on_validation_epoch_end()
    assert "val/detection_accuracy" in said and not any("depth" in name or "azimuth" in name for name in said)
    whole.validation_step(batch([True, False]), 0)
    whole.on_validation_epoch_end()
    assert said["val/depth_mae_km"].isfinite() and said["val/azimuth_median_ae_deg"].isfinite()


def test_a_batch_of_which_nothing_is_known_teaches_nothing() -> None:
    whole = task()
    some = batch([True, True])
    some[keys.TARGETS]["kind"][:] = -1
    loss = whole.training_step(some, 0)
    loss.backward()
    assert loss == 0 and not any(parameter.grad.any() for parameter in whole.parameters() if parameter.grad is not None)
    truths = whole.predict_step(some, 0)["truth"]
    assert all(not truths[name].isfinite().any() for name in ("offset", "depth", "azimuth"))


def test_decay_is_set_layer_by_layer() -> None:
    whole = task(decay={"*": 0.0, "*.weight": 1e-3, "heads.*.weight": 1e-2})
    groups = {group["weight_decay"]: group["params"] for group in whole.configure_optimizers().param_groups}
    assert groups.keys() == {0.0, 1e-3, 1e-2} and len(groups[1e-3]) == 1
    assert {id(one) for one in groups[1e-2]} == {id(output.head.weight) for output in whole.outputs}
    own = decay_groups(whole, {"*.bias": 0.0})
    assert "weight_decay" not in own[0] and own[1]["weight_decay"] == 0.0
    assert sum(len(group["params"]) for group in own) == len(list(whole.parameters()))
    # The penalty of Perol et al. (2018): half the sum of squares of the weights, not of the biases.
    some, plain, held = batch([False] * 4), task(), task(decay={"*.bias": 0.0, "*.weight": 0.1})
    (plain.training_step(some, 0) + 0.05 * sum(p.square().sum() for p in plain.parameters() if p.ndim > 1)).backward()
    held.training_step(some, 0).backward()
    for one in (plain, held):
        one.configure_optimizers().step()
    for a, b in zip(plain.parameters(), held.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("decay", "problem"), [({"conv*": 1.0}, "fits no parameter"), ({"*": -1.0}, "0 or more")])
def test_decay_that_means_nothing_is_refused(decay: dict[str, float], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        task(decay=decay).configure_optimizers()
