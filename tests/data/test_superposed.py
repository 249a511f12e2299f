"""One training window over another: both arrive, and what either does not tell is not known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from seisvision import keys
from seisvision.data.serving.superposed import SuperposedSamples, Superposition, superposed
from seisvision.errors import ConfigurationError

T = 400


def sample(p_s: float, s_s: float, name: str = "0") -> dict[str, Any]:
    waveform = 0.01 * torch.randn(1, 3, T, generator=torch.Generator().manual_seed(0))
    if math.isfinite(p_s):
        waveform[..., int(100 * p_s)] += 1.0
    return {
        keys.WAVEFORM: waveform,
        keys.ARRIVALS_S: torch.tensor([[p_s, s_s]]),
        keys.COMPONENT_MASK: torch.ones(1, 3, dtype=torch.bool),
        keys.TRACE_ID: name,
    }


def test_both_arrive() -> None:
    both = superposed(sample(1.0, 2.0), sample(1.5, 3.0, "1"), 2.0)
    assert torch.equal(both[keys.ARRIVALS_S], torch.tensor([[1.0, 2.0]]))
    assert torch.equal(both[keys.MORE_ARRIVALS_S], torch.tensor([[[1.5, 3.0]]]))
    assert both[keys.WAVEFORM][0, 0, 150] == pytest.approx(2.0, abs=0.15)
    assert both[keys.WAVEFORM][0, 0, 100] == pytest.approx(1.0, abs=0.15)


def test_of_a_phase_that_the_other_does_not_tell_nothing_is_known() -> None:
    both = superposed(sample(1.0, 2.0), sample(1.5, math.nan, "1"), 1.0)
    assert both[keys.ARRIVALS_S][0].isnan().tolist() == [False, True]
    assert both[keys.MORE_ARRIVALS_S][0, 0].isnan().tolist() == [False, True]
    noise = sample(math.nan, math.nan, "3-noise")
    assert superposed(noise, sample(1.5, math.nan), 1.0) is noise, "noise would be said to hold no S"
    assert superposed(noise, sample(1.5, 2.5), 1.0)[keys.MORE_ARRIVALS_S].isfinite().all()
    assert superposed(sample(1.0, 2.0), noise, 1.0)[keys.ARRIVALS_S].isfinite().all()
    own = sample(1.0, 2.0)
    assert superposed(own, sample(math.nan, math.nan, "1"), 1.0) is own, "an earthquake would be said to hold nothing"


class Listed:
    """Ten samples; number j + 10 r is sample j in epoch r."""

    def __len__(self) -> int:
        return 10

    def __getitems__(self, numbers: list[int]) -> list[dict[str, Any]]:
        return [sample(0.2 + 0.1 * (number % 10), 2.0, str(number % 10)) for number in numbers]


def test_draws_follow_from_seed_and_epoch() -> None:
    def shown(epoch: int, seed: int) -> list[bool]:
        served = SuperposedSamples(Listed(), Superposition(0.5), seed)
        return [keys.MORE_ARRIVALS_S in served[place + 10 * epoch] for place in range(10)]

    assert shown(0, 1) == shown(0, 1)
    assert 0 < sum(sum(shown(epoch, 1)) for epoch in range(10)) / 100 < 0.7
    assert len({tuple(shown(epoch, 1)) for epoch in range(5)}) > 1


@pytest.mark.parametrize("wrong", [{"probability": 0.0}, {"probability": 2.0}, {"level_db": [3.0, 1.0]}])
def test_settings_that_are_not_allowed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"dataset.superpose.{next(iter(wrong))}"):
        Superposition(**wrong)
