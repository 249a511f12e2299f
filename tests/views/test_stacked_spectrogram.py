"""The stack of an event's spectrograms shows the source, whatever the network looked like."""

from typing import Any

import pytest
import torch
from made_sections import RATE_HZ, batch_of, wave_trains

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.sections.stacked_spectrogram import StackedSpectrogram

VELOCITY_KM_S = 4.0


def events(stations: int = 8, seed: int = 0) -> dict[str, Any]:
    """Wave trains of 20 s period that move out at 4 km/s, on three components; the envelope peaks 60 s late."""
    batch = wave_trains(events=2, stations=stations, seed=seed, components=3)
    return batch | {keys.BACK_AZIMUTH_DEG: torch.full_like(batch[keys.OFFSET_KM], 30.0)}


def view(align: Any = VELOCITY_KM_S, component: str = "Z", **changes: Any) -> StackedSpectrogram:
    channel = {"component": component, "align": align, "start_s": -120.0}
    return StackedSpectrogram(**({"width": 30, "channels": [channel]} | changes))


def test_a_wave_train_lies_at_its_own_time_and_period_whatever_the_distances() -> None:
    drawn = view(range_db=(0.0, 60.0))(events())
    row, column = divmod(int(drawn[0, 0].flatten().argmax()), 30)
    assert abs((column + 0.5) * 12.0 - (120 + 60)) <= 18
    frequency_hz = view()._spectrogram(30).row_frequency_hz[row]
    assert 1 / 24 < frequency_hz < 1 / 17
    other = view(range_db=(0.0, 60.0))(events(seed=5))
    assert (drawn - other).abs().mean() < 0.03 < 0.5 < drawn.amax()


def test_without_the_right_velocity_the_train_is_smeared() -> None:
    assert view(align=None)(events()).mean() < 0.7 * view()(events()).mean()


def test_one_station_gone_wrong_does_not_show() -> None:
    batch = events(stations=9)
    broken = batch | {keys.WAVEFORM: batch[keys.WAVEFORM].clone()}
    broken[keys.WAVEFORM][:, 4, :, 500:520] += 1e-3
    assert (view()(broken) - view()(batch)).abs().mean() < 0.03
    single = {key: value[:, 4:5] if torch.is_tensor(value) else value for key, value in broken.items()}
    clean = {key: value[:, 4:5] if torch.is_tensor(value) else value for key, value in batch.items()}
    assert (view()(single) - view()(clean)).abs().mean() > 0.2


def test_padding_order_and_neighbours_do_not_matter() -> None:
    batch = events()
    drawn = view()(batch)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    swapped = {
        key: value[:1, order] if torch.is_tensor(value) else value for key, value in batch.items() if key != "padding"
    }
    torch.testing.assert_close(view()(swapped)[0], drawn[0])
    padded = {
        key: torch.cat([value, torch.zeros_like(value)], 1) if torch.is_tensor(value) else value
        for key, value in batch.items()
    }
    torch.testing.assert_close(view()(padded), drawn)


def test_love_waves_are_on_the_transverse_component_alone() -> None:
    batch = wave_trains(events=1, stations=6, components=1)
    shape = (*batch[keys.WAVEFORM].shape[:2], 3, batch[keys.WAVEFORM].shape[-1])
    noise = 5e-9 * torch.randn(shape, generator=torch.Generator().manual_seed(2))
    back_azimuth_deg = torch.rand(1, 6, generator=torch.Generator().manual_seed(3)) * 360
    angle = torch.deg2rad(back_azimuth_deg)[..., None]
    love = batch[keys.WAVEFORM][:, :, 0]
    # Transverse is clockwise seen from above: at a station north of the source (back azimuth 180) it points east.
    north, east = angle.sin() * love, -angle.cos() * love
    batch = batch | {keys.WAVEFORM: torch.stack([torch.zeros_like(love), north, east], 2) + noise}
    batch |= {
        keys.BACK_AZIMUTH_DEG: back_azimuth_deg,
        keys.COMPONENT_MASK: torch.ones(1, 6, 3, dtype=torch.bool),
    }
    transverse, radial = (float((view(component=name)(batch) > 0.6).float().mean()) for name in "TR")
    assert transverse > 0.05 and radial < 0.005


def test_unknown_distances_leave_a_station_out_and_none_leave_the_picture_dark() -> None:
    batch = events()
    unknown = batch[keys.OFFSET_KM].clone()
    unknown[:, 3] = torch.nan
    without = {key: torch.cat([v[:, :3], v[:, 4:]], 1) if torch.is_tensor(v) else v for key, v in batch.items()}
    torch.testing.assert_close(view()(batch | {keys.OFFSET_KM: unknown}), view()(without))
    assert not view()(batch | {keys.OFFSET_KM: torch.full_like(unknown, torch.nan)}).any()


def test_onsets_align_where_no_origin_is_known() -> None:
    batch = events()
    onset_s = batch[keys.OFFSET_KM] / VELOCITY_KM_S
    blind = batch | {keys.ONSET_S: onset_s, keys.START_S: torch.full_like(onset_s, torch.nan)}
    torch.testing.assert_close(view(align="onset")(blind), view()(batch))
    assert not view(align="onset").uses_origin and view().uses_origin and not view(align=None).uses_origin


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": []}, "at least one"),
        ({"channels": [{"component": "N"}]}, "component"),
        ({"channels": [{"component": "Z", "algin": "P"}]}, "algin"),
        ({"channels": [{"component": "Z", "align": -3}]}, "align"),
        ({"components": "Z"}, "components"),
        ({"step_s": 0}, "step_s"),
    ],
)
def test_settings_that_are_not_allowed_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        StackedSpectrogram(**changes)


def test_a_window_shorter_than_the_picture_leaves_the_rest_dark() -> None:
    batch = batch_of(torch.randn(1, 3, 3, 400), torch.full((1, 3), 200.0))
    drawn = StackedSpectrogram(width=40, channels=[{"component": "Z", "align": None}])(batch)
    seen = int(400 / RATE_HZ / 12.0)
    assert drawn[..., :seen].any() and not drawn[..., seen:].any()
