"""Several processes compute what one computes with the same global batch: batch norm, losses, gathering."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from seisvision import keys
from seisvision.base.share import Share
from seisvision.outputs.angles.output import AngleOutput
from seisvision.outputs.bins.output import BinnedOutput
from seisvision.outputs.circular_bins.output import BinnedAngleOutput
from seisvision.outputs.classes.output import ClassOutput
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.outputs.output import Output
from seisvision.tasks.exact import counting, gather_rows, loss_factors, share_batch_norm, share_of

N_RANKS, N_SAMPLES, N_PIXELS = 3, 5, 4
CLASS = ClassOutput("kind", "kind", ["a", "b", "c"], class_weights=[1.0, 3.0, 0.5], label_smoothing=0.1)


class Place(Output):
    """Two numbers at once; of some samples only one is known."""

    def build_head(self, num_features: int) -> None:
        self.head = nn.Linear(num_features, 2)

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        errors = torch.where(target.isfinite(), raw - target, 0.0)
        return errors.square().sum() / 200 / self.known_weight(target).clamp_min(1)


OUTPUTS: list[Output] = [
    CLASS,
    ScalarOutput("offset", "offset", "km"),
    AngleOutput("azimuth", "azimuth"),
    BinnedOutput("binned", "offset", "km", edges=[0, 4, 50, 300], class_weights=[2.0, 0.5, 1.0], label_smoothing=0.1),
    BinnedAngleOutput("sector", "azimuth", n_bins=8, soften_bins=1.0, legacy=True),
    Place("place", "place", columns=["x", "y"]),
]


def network() -> nn.Module:
    torch.manual_seed(1)
    for output in OUTPUTS:
        output.build_head(6)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(24, 6), nn.BatchNorm1d(6)
    )


def global_batch(n_samples: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(n_samples)
    return {
        keys.WAVEFORM: torch.randn(n_samples, 2, N_PIXELS, N_PIXELS, generator=generator) * 3 + 5,
        keys.COUNTS: torch.ones(n_samples, dtype=torch.bool),
        "kind": torch.tensor([0, -1, 1, 2, 1, 0, 2])[:n_samples],
        "offset": torch.tensor([10.0, 200.0, torch.nan, torch.nan, 3.0, 5.0, 1.0])[:n_samples],
        "azimuth": torch.tensor([torch.nan, 20.0, 30.0, 50.0, 300.0, 1.0, 2.0])[:n_samples],
        "place": torch.tensor([[torch.nan] * 2, [1.0, torch.nan], [2.0, 3.0]]).repeat(3, 1)[:n_samples],
    }


def losses(features: torch.Tensor, batch: dict[str, Any], share: Share | None) -> torch.Tensor:
    weights = [output.known_weight(batch[output.target]) for output in OUTPUTS]
    factors = loss_factors(weights, share)
    raw = [output(features) for output in OUTPUTS]
    return torch.stack(
        [
            output.loss(values, batch[output.target]) * factor
            for output, values, factor in zip(OUTPUTS, raw, factors, strict=True)
        ]
    )


def of_rank(batch: dict[str, Any], rank: int) -> dict[str, Any]:
    part = {key: value[rank::N_RANKS] for key, value in batch.items()}
    if len(part["kind"]):
        return part
    return {**{key: value[:1] for key, value in batch.items()}, keys.COUNTS: torch.tensor([False])}


def work(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    meeting = f"file://{folder / 'meeting'}"
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=N_RANKS)
    whole, shared = network(), network()
    share_batch_norm(shared)
    heads = nn.ModuleList(OUTPUTS)
    # Five samples: two, two and one. One sample: two processes have none that counts.
    for n_samples in (N_SAMPLES, 7, 1, 4):
        batch = global_batch(n_samples)
        mine = of_rank(batch, rank)
        share = share_of(mine)
        assert share is not None and (share.n_samples, share.counts) == (n_samples, rank < n_samples)
        with counting(share):
            features = shared(mine[keys.WAVEFORM])
        told = losses(features, mine, share)
        together = told.detach().clone()
        torch.distributed.all_reduce(together)
        if n_samples == 1:
            continue  # torch itself refuses to normalise a single value
        told.sum().backward()
        gradients = [parameter.grad.clone() for parameter in (*shared.parameters(), *heads.parameters())]
        for gradient in gradients:
            torch.distributed.all_reduce(gradient)
        heads.zero_grad(), shared.zero_grad()

        expected = losses(whole(batch[keys.WAVEFORM]), batch, None)
        expected.sum().backward()
        torch.testing.assert_close(together / N_RANKS, expected.detach(), rtol=1e-5, atol=1e-6)
        for gradient, parameter in zip(gradients, (*whole.parameters(), *heads.parameters()), strict=True):
            torch.testing.assert_close(gradient / N_RANKS, parameter.grad, rtol=1e-4, atol=1e-5)
        heads.zero_grad(), whole.zero_grad()
        if n_samples == 7:
            # The batch of one sample changes the running values of the shared network only.
            for name, value in whole.state_dict().items():
                torch.testing.assert_close(shared.state_dict()[name], value, rtol=1e-5, atol=1e-5)
    rows = gather_rows(torch.full((rank, 2), float(rank)))
    assert rows.tolist() == [[1.0, 1.0], [2.0, 2.0], [2.0, 2.0]]
    (folder / f"done-{rank}").touch()
    torch.distributed.destroy_process_group()


def test_processes_agree_with_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(work, (tmp_path,), nprocs=N_RANKS)
    assert len(list(tmp_path.glob("done-*"))) == N_RANKS


def test_a_single_process_is_left_alone() -> None:
    module = network()
    shared = copy.deepcopy(module)
    share_batch_norm(shared)
    images = torch.randn(4, 2, N_PIXELS, N_PIXELS)
    assert torch.equal(module(images), shared(images))
    assert share_of(global_batch(4)) is None and loss_factors([torch.ones(())], None) == [1.0]
    assert list(module.state_dict()) == list(shared.state_dict())


def test_other_batch_norms_are_named(caplog: pytest.LogCaptureFixture) -> None:
    class OwnNorm(nn.BatchNorm2d):
        pass

    share_batch_norm(nn.Sequential(OwnNorm(3)))
    assert "OwnNorm normalises over the samples of one process only" in caplog.text
