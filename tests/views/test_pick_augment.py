"""Changes of recordings for pickers: arrivals move along, polarity stays, and processes agree."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from seisvision import keys
from seisvision.base.share import Share
from seisvision.errors import ConfigurationError
from seisvision.views.waveforms.pick_augment import PickAugment

RATE_HZ, T = 100.0, 2000
OFF: dict[str, Any] = {
    "second_event": 0, "noise": 0, "gap": 0, "drop_component": 0, "vertical_only": 0, "amplitude_db": 0
}  # fmt: skip


def batch(n: int = 8) -> dict[str, Any]:
    lines = torch.randn(n, 1, 3, T, generator=torch.Generator().manual_seed(0)) * 0.01
    lines[..., 500:] += torch.exp(-torch.arange(T - 500) / 100)
    return {
        keys.WAVEFORM: lines,
        keys.ARRIVALS_S: torch.tensor([[[5.0, 9.0]]]).repeat(n, 1, 1),
        keys.COMPONENT_MASK: torch.ones(n, 1, 3, dtype=torch.bool),
        keys.SAMPLING_RATE_HZ: RATE_HZ,
    }


def test_with_everything_off_nothing_changes() -> None:
    given = batch()
    changed = PickAugment(**OFF)(given, 0, 0)
    assert torch.equal(changed[keys.WAVEFORM], given[keys.WAVEFORM])
    assert torch.equal(changed[keys.ARRIVALS_S], given[keys.ARRIVALS_S])


def test_a_second_event_stands_where_its_arrivals_say() -> None:
    given = batch()
    changed = PickAugment(**OFF | {"second_event": 1, "second_db": [-0.1, 0.1]})(given, 0, 0)
    added = (changed[keys.WAVEFORM] - given[keys.WAVEFORM]).abs()[:, 0, 0]
    more_s = changed[keys.MORE_ARRIVALS_S][:, 0, 0]
    assert torch.allclose(more_s[:, 1] - more_s[:, 0], torch.full((8,), 4.0))
    for line, p_s in zip(added, more_s[:, 0], strict=True):
        assert (line > 0.5).float().argmax() == pytest.approx(float(p_s) * RATE_HZ, abs=1)


def test_the_ground_goes_on_after_an_arrival_and_never_moves_before_it() -> None:
    given = batch()
    # Quiet is not zero, which would be a gap; the first component was not recorded.
    given[keys.WAVEFORM] = torch.full((8, 1, 3, T), 1e-12)
    given[keys.WAVEFORM][..., 500] = 1.0
    given[keys.WAVEFORM][:, :, 0] = 0.0
    loud = {"reverberation": 1, "reverberation_s": [0.199, 0.2], "reverberation_db": [5.9, 6.0]}
    line = PickAugment(**OFF | loud)(given, 0, 0)[keys.WAVEFORM][:, 0]
    assert (line[:, 0] == 0).all()
    assert line[:, 1:, :500].abs().max() < 1e-6
    assert torch.allclose(line[:, 1:, 500], torch.ones(8, 2))
    tail = line[:, 1:, 501:].square()
    assert tail.sum(-1).mean() == pytest.approx(4 * 1.25, rel=0.2)
    assert tail[..., 60:].sum() < 0.01 * tail.sum()


def test_a_zero_between_two_samples_is_no_gap() -> None:
    given = batch()
    given[keys.WAVEFORM][..., 300] = 0.0
    given[keys.WAVEFORM][..., 700:800] = 0.0
    for change in ("noise", "reverberation"):
        line = PickAugment(**OFF | {change: 1.0})(given, 0, 0)[keys.WAVEFORM]
        assert (line[..., 300] != 0).all(), change
        assert (line[..., 700:800] == 0).all(), change


def test_windows_without_an_arrival_or_cut_into_an_event_get_no_second_one() -> None:
    given = batch(2)
    given[keys.ARRIVALS_S] = torch.tensor([[[math.nan, math.nan]], [[-3.0, 4.0]]])
    changed = PickAugment(**OFF | {"second_event": 1})(given, 0, 0)
    assert torch.equal(changed[keys.WAVEFORM], given[keys.WAVEFORM])
    assert changed[keys.MORE_ARRIVALS_S].isnan().all()


def test_of_an_arrival_in_a_gap_nothing_is_known() -> None:
    changed = PickAugment(**OFF | {"gap": 1, "gap_s": [14.0, 15.0]})(batch(), 0, 0)
    arrivals_s = changed[keys.ARRIVALS_S][:, 0]
    assert arrivals_s.isnan().any()
    for line, row_s in zip(changed[keys.WAVEFORM][:, 0], arrivals_s, strict=True):
        for given_s, known_s in zip((5.0, 9.0), row_s, strict=True):
            is_lost = bool((line[:, round(given_s * RATE_HZ)] == 0).all())
            assert is_lost == bool(known_s.isnan())


def test_polarity_stays_and_one_component_always_does() -> None:
    changed = PickAugment(**OFF | {"drop_component": 1.0, "amplitude_db": 20})(batch(), 0, 0)
    live = (changed[keys.WAVEFORM] != 0).any(-1)[:, 0]
    assert (live.sum(-1) == 1).all()
    assert torch.equal(changed[keys.COMPONENT_MASK][:, 0], live)
    assert (changed[keys.WAVEFORM][..., 500].sum(-1) > 0).all()
    vertical = PickAugment(**OFF | {"vertical_only": 1.0, "components": "ENZ"})(batch(), 0, 0)
    assert torch.equal((vertical[keys.WAVEFORM] != 0).any(-1)[:, 0].sum(0), torch.tensor([0, 0, 8]))


def test_several_processes_change_what_one_would() -> None:
    given, augment = batch(8), PickAugment(reverberation=0.5, second_event=0.5, noise=0.5, gap=0.5)
    whole = augment(given, 3, 2)
    for rank in range(2):
        part = {key: value[rank::2] if isinstance(value, torch.Tensor) else value for key, value in given.items()}
        changed = augment(part, 3, 2, Share(rank, 2, 8, 1))
        assert torch.allclose(changed[keys.WAVEFORM], whole[keys.WAVEFORM][rank::2], atol=1e-6)
        assert torch.allclose(changed[keys.ARRIVALS_S], whole[keys.ARRIVALS_S][rank::2], equal_nan=True)
    assert not torch.equal(augment(given, 4, 2)[keys.WAVEFORM], whole[keys.WAVEFORM])


def test_settings_that_are_not_allowed_are_refused() -> None:
    for wrong in (
        {"gap": 2},
        {"gap_s": [3, 1]},
        {"second_delay_s": [-1, 2]},
        {"amplitude_db": -1},
        {"reverberation_s": [0, 1]},
    ):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            PickAugment(**wrong)  # type: ignore[arg-type]
