"""Augmentation changes what it says, as much as it says, and the same way when a run is resumed."""

import pytest
import torch
from made_sections import RATE_HZ, wave_trains

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.augment import Augment

EVERYTHING = Augment(
    time_shift_s=30, amplitude_jitter_db=6, noise_fraction=0.1, station_dropout=0.3, polarity_flip=True
)


def same(first: dict, second: dict) -> bool:
    return all(torch.equal(first[key], second[key]) for key in (keys.WAVEFORM, keys.STATION_MASK, keys.START_S))


def test_nothing_asked_for_changes_nothing() -> None:
    batch = wave_trains()
    assert same(Augment()(batch, epoch=0, step=0), batch)


def test_draws_depend_on_seed_epoch_step_and_rank_alone() -> None:
    batch = wave_trains()
    first = EVERYTHING(batch, epoch=3, step=7, rank=1)
    torch.manual_seed(99)
    EVERYTHING(batch, epoch=3, step=6, rank=1)
    assert same(EVERYTHING(batch, epoch=3, step=7, rank=1), first)
    for epoch, step, rank in ((2, 7, 1), (3, 8, 1), (3, 7, 0)):
        assert not same(EVERYTHING(batch, epoch=epoch, step=step, rank=rank), first)
    other = Augment(time_shift_s=30, amplitude_jitter_db=6, noise_fraction=0.1, station_dropout=0.3, seed=1)
    assert not same(other(batch, epoch=3, step=7, rank=1), first)


def test_the_batch_itself_is_left_alone() -> None:
    batch = wave_trains()
    before = {key: value.clone() if torch.is_tensor(value) else value for key, value in batch.items()}
    EVERYTHING(batch, epoch=0, step=0)
    for key, value in before.items():
        assert torch.equal(batch[key], value) if torch.is_tensor(value) and key != keys.ONSET_S else True
    assert batch[keys.ONSET_S].isnan().all()


def test_shifts_move_waveforms_onsets_and_starts_together_without_wrapping() -> None:
    batch = wave_trains(events=40)
    batch[keys.ONSET_S] = torch.full((40, 6), 100.0)
    shifted = Augment(time_shift_s=30)(batch, epoch=0, step=0)
    seconds = shifted[keys.ONSET_S][:, 0] - 100
    assert seconds.abs().max() <= 30 and seconds.min() < -20 and seconds.max() > 20 and abs(seconds.mean()) < 9
    torch.testing.assert_close(shifted[keys.START_S], -seconds[:, None].expand(-1, 6))
    assert torch.equal(shifted[keys.OFFSET_KM], batch[keys.OFFSET_KM])
    for event, samples in enumerate((seconds * RATE_HZ).round().long().tolist()):
        expected = torch.roll(batch[keys.WAVEFORM][event], samples, -1)
        if samples >= 0:
            expected[..., :samples] = 0
        else:
            expected[..., samples:] = 0
        assert torch.equal(shifted[keys.WAVEFORM][event], expected)


def test_jitter_scales_traces_evenly_in_decibels() -> None:
    batch = wave_trains(events=60)
    louder = Augment(amplitude_jitter_db=6)(batch, epoch=0, step=0)
    factor_db = 20 * torch.log10(louder[keys.WAVEFORM][..., 0, 500] / batch[keys.WAVEFORM][..., 0, 500])
    assert factor_db.abs().max() <= 6.001 and abs(factor_db.mean()) < 0.6
    assert factor_db.std() == pytest.approx(12 / 12**0.5, rel=0.1)


def test_noise_has_the_promised_strength_and_spares_silence() -> None:
    batch = wave_trains()
    batch[keys.WAVEFORM][:, 5] = 0
    noisy = Augment(noise_fraction=0.2)(batch, epoch=0, step=0)
    added = noisy[keys.WAVEFORM] - batch[keys.WAVEFORM]
    ratio = added.square().mean(-1).sqrt() / batch[keys.WAVEFORM].square().mean(-1).sqrt()
    torch.testing.assert_close(ratio[:, :5], torch.full_like(ratio[:, :5], 0.2), rtol=0.1, atol=0)
    assert (added[:, 5] == 0).all()


def test_dropout_leaves_out_its_share_and_at_least_three() -> None:
    batch = wave_trains(events=200, stations=12, samples=8)
    fewer = Augment(station_dropout=0.3)(batch, epoch=0, step=0)
    assert fewer[keys.STATION_MASK].float().mean() == pytest.approx(0.7, abs=0.03)
    assert (fewer[keys.WAVEFORM][~fewer[keys.STATION_MASK]] == 0).all()
    assert not fewer[keys.COMPONENT_MASK][~fewer[keys.STATION_MASK]].any()
    rare = Augment(station_dropout=0.99)(batch, epoch=0, step=0)
    assert rare[keys.STATION_MASK].sum(-1).min() == 3


def test_dropout_never_brings_padding_back() -> None:
    batch = wave_trains()
    batch[keys.STATION_MASK][:, 2:] = False
    dropped = Augment(station_dropout=0.9)(batch, epoch=0, step=0)
    assert torch.equal(dropped[keys.STATION_MASK], batch[keys.STATION_MASK])


def test_polarity_turns_whole_events() -> None:
    batch = wave_trains(events=100, samples=8)
    turned = Augment(polarity_flip=True)(batch, epoch=0, step=0)
    sign = (turned[keys.WAVEFORM] / batch[keys.WAVEFORM]).flatten(1)
    assert (sign == sign[:, :1]).all() and set(sign[:, 0].tolist()) == {1.0, -1.0}
    assert 0.3 < (sign[:, 0] > 0).float().mean() < 0.7


@pytest.mark.parametrize(
    ("setting", "value"), [("time_shift_s", -1), ("station_dropout", 1.0), ("noise_fraction", -0.1)]
)
def test_impossible_amounts_are_refused(setting: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=f"{setting}={value}"):
        Augment(**{setting: value})
