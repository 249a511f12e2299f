"""All stations at once: one scale, nothing of the future, coordinates that go with their station."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.augment import Augment
from seisvision.views.waveforms.station_matrix import StationMatrix, first_arrival_s
from seisvision.views.waveforms.station_triggers import StationTriggers

RATE_HZ, T = 20.0, 200


def _batch() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    waveform = torch.randn(2, 4, 3, T, generator=generator) + 0.5
    waveform[:, 1] *= 10
    mask = torch.ones(2, 4, dtype=torch.bool)
    mask[0, 3] = False
    waveform[0, 3] = 0
    arrivals = torch.tensor([[[3.0, 5.0], [2.0, 4.0], [torch.nan] * 2, [torch.nan] * 2], [[4.0, 6.0]] * 4])
    return {
        keys.WAVEFORM: waveform,
        keys.STATION_MASK: mask,
        keys.COMPONENT_MASK: mask[..., None].expand(-1, -1, 3).clone(),
        keys.ARRIVALS_S: arrivals,
        keys.ONSET_S: torch.full((2, 4), 1.5),
        keys.START_S: torch.zeros(2, 4),
        keys.OFFSET_KM: torch.full((2, 4), torch.nan),
        keys.STATION_KM: torch.arange(24.0).reshape(2, 4, 3),
        keys.SAMPLING_RATE_HZ: RATE_HZ,
        keys.SOURCE_ID: ["a", "b"],
        keys.TARGETS: {},
    }


def test_one_scale_for_all_stations_of_an_event() -> None:
    view = StationMatrix(T, 4)
    picture = view(_batch())
    assert picture.shape == (2, *view.image_shape) == (2, 3, 4, T)
    assert picture.abs().amax((1, 2, 3)).tolist() == pytest.approx([1.0, 1.0])
    assert picture[:, :, 0].abs().amax() < 0.2
    assert not picture[0, :, 3].any()
    flat = StationMatrix(T, 4, flat=True)(_batch())
    assert (flat == picture.transpose(1, 2).flatten(1, 2)).all()


@pytest.mark.parametrize("settings", [{}, {"band_hz": [1.0, 5.0]}, {"coordinates": True, "tells_scale": True}])
def test_what_comes_after_the_truncation_changes_nothing(settings: dict[str, Any]) -> None:
    view = StationMatrix(T, 4, truncate_s=2.0, **settings)
    batch, other = _batch(), _batch()
    seen = (2.0 + 2.0, 4.0 + 2.0)
    for event, until_s in enumerate(seen):
        other[keys.WAVEFORM][event, ..., int(until_s * RATE_HZ) :] *= -50
    # A station that only moves later is not there yet.
    for one in (batch, other):
        one[keys.WAVEFORM][0, 2, :, : int(seen[0] * RATE_HZ)] = 0
    picture = view(batch)
    assert (picture == view(other)).all()
    assert not picture[0, :3, :, int(seen[0] * RATE_HZ) :].any() and picture[1, :3, :, 119].any()
    assert not picture[0, :, 2].any()


def test_onsets_stand_in_for_arrivals_and_a_batch_goes_before() -> None:
    batch = _batch()
    assert first_arrival_s(batch).tolist() == [2.0, 4.0]
    assert first_arrival_s(batch, "onset").tolist() == [1.5, 1.5]
    batch[keys.ARRIVALS_S][1] = torch.nan
    assert first_arrival_s(batch).tolist() == [2.0, 1.5]
    batch[keys.SEEN_S] = torch.tensor([1.0, torch.inf])
    picture = StationMatrix(T, 4, truncate_s=8.0)(batch)
    assert not picture[0, ..., 20:].any() and picture[1, ..., 190:].any()


def test_coordinates_and_scale_stand_beside_live_stations() -> None:
    view = StationMatrix(T, 4, coordinates=True, tells_scale=True)
    batch = _batch()
    picture = view(batch)
    assert picture.shape[1] == view.out_channels == 7 == len(view.describe())
    assert torch.allclose(picture[1, 3:6, 2, 17] * 100, batch[keys.STATION_KM][1, 2])
    assert not picture[0, :, 3].any()
    louder = view(batch | {keys.WAVEFORM: batch[keys.WAVEFORM] * 1000})
    assert torch.allclose(louder[1, 6] - picture[1, 6], torch.ones(4, T), atol=1e-4)
    del batch[keys.STATION_KM]
    with pytest.raises(ConfigurationError, match=r"dataset\.samples\.network"):
        view(batch)


def test_training_draws_how_much_is_seen_by_epoch_and_step_alone() -> None:
    augment = Augment(truncate_s=[-1.0, 5.0], seed=3)
    first = augment(_batch(), 1, 2)[keys.SEEN_S]
    assert (first == augment(_batch(), 1, 2)[keys.SEEN_S]).all()
    assert (first != augment(_batch(), 2, 2)[keys.SEEN_S]).all()
    assert ((first >= torch.tensor([1.0, 3.0])) & (first <= torch.tensor([7.0, 9.0]))).all()
    assert keys.SEEN_S not in Augment(station_dropout=0.1)(_batch(), 1, 2)


def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="flat"):
        StationMatrix(T, 4, flat=True, coordinates=True)
    with pytest.raises(ConfigurationError, match="n_stations=3"):
        StationMatrix(T, 3, flat=True)(_batch())
    with pytest.raises(ConfigurationError, match="first"):
        StationMatrix(T, 4, first="s")


def test_triggers_are_told_as_far_as_they_have_come() -> None:
    batch = _batch()
    batch[keys.ONSET_S] = torch.full((2, 4), torch.nan)
    view = StationTriggers(4, longest_s=10.0, truncate_s=0.5)
    early, late = (StationTriggers(4, 10.0, one)(batch)[:, 0] for one in (0.5, 1.5))
    assert early.shape == (2, view.image_shape[-1]) == (2, 9)
    # The second station comes first, at 2 s; the first a second later; the third never; the fourth is absent.
    assert early[0].tolist() == pytest.approx([0, 1, 0, 0, 0.05, 0, 0.05, 0, 0.05])
    assert late[0].tolist() == pytest.approx([1, 1, 0, 0, 0.1, 0, 0.15, 0, 0.15])
    assert StationTriggers(4, 10.0)(batch)[0, 0, -1] == 1.0
    batch[keys.SEEN_S] = torch.tensor([2.5, 4.0])
    assert view(batch)[0, 0].tolist() == early[0].tolist()
    with pytest.raises(ConfigurationError, match="n_stations=5"):
        StationTriggers(5)(batch)


def test_before_the_first_trigger_nobody_knows_where_it_will_be() -> None:
    batch = _batch()
    assert not StationTriggers(4, truncate_s=-0.5)(batch).any()
    batch[keys.SEEN_S] = torch.tensor([1.99, 4.0])
    picture = StationTriggers(4)(batch)
    assert not picture[0].any() and picture[1, 0, :4].tolist() == [1, 1, 1, 1]
    batch[keys.ARRIVALS_S] = torch.full((2, 4, 2), torch.nan)
    assert not StationTriggers(4)(batch).any()


def test_detected_triggers_do_not_depend_on_what_comes_later() -> None:
    generator = torch.Generator().manual_seed(2)
    quiet, loud = (_batch() for _ in range(2))
    for batch, after in ((quiet, 1e-6), (loud, 1e3)):
        generator.manual_seed(2)
        batch[keys.WAVEFORM] = torch.randn(2, 4, 3, 600, generator=generator)
        batch[keys.WAVEFORM][:, 2, :, 300:] *= 30
        # A recording that begins late is no trigger.
        batch[keys.WAVEFORM][:, 1, :, :150] = 0
        batch[keys.WAVEFORM][..., 340:] *= after
        batch[keys.ONSET_S] = torch.full((2, 4), 1.0 if after > 1 else 9.0)
        batch[keys.SEEN_S] = torch.full((2,), 17.0)
    view = StationTriggers(4, first="onset", components="ZNE")
    picture = view(quiet)
    assert (picture == view(loud)).all()
    assert picture[:, 0, :4].tolist() == [[0, 0, 1, 0]] * 2
    assert picture[0, 0, -1].item() == pytest.approx(0.2, abs=0.03)


def test_an_end_without_recordings_tells_no_earthquake() -> None:
    batch = _batch()
    for key in (keys.ARRIVALS_S, keys.ONSET_S):
        batch[key][0] = torch.nan
    fixed = StationMatrix(T, 4, truncate_s=1.0)
    assert (fixed(batch) == fixed(batch)).all() and not fixed(batch)[0, ..., 120:].any()
    augment = Augment(truncate_s=[0.0, 2.0], seed=3)
    seen = torch.stack([augment(batch, 0, step)[keys.SEEN_S] for step in range(40)])
    assert (seen[:, 0] >= 0).all() and (seen[:, 0] <= 7).all() and seen[:, 0].std() > 1
    plain = torch.stack([augment(_batch(), 0, step)[keys.SEEN_S] for step in range(40)])
    assert (seen[:, 1] == plain[:, 1]).all()
