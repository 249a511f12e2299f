"""Augmentation changes what it says, as much as it says, and the same way when a run is resumed."""

import numpy as np
import pytest
import torch
from made_sections import RATE_HZ, wave_trains

from seisvision import keys
from seisvision.angles import wrapped_difference_deg
from seisvision.base.share import Share
from seisvision.earth.geodesics import geodesic
from seisvision.errors import ConfigurationError
from seisvision.views.augment import Augment, move_epicentre

EVERYTHING = Augment(
    time_shift_s=30, amplitude_jitter_db=6, noise_fraction=0.1, station_dropout=0.3, polarity_flip=True
)


def same(first: dict, second: dict) -> bool:
    return all(torch.equal(first[key], second[key]) for key in (keys.WAVEFORM, keys.STATION_MASK, keys.START_S))


def test_nothing_asked_for_changes_nothing() -> None:
    batch = wave_trains()
    assert same(Augment()(batch, epoch=0, step=0), batch)


def test_draws_depend_on_seed_epoch_and_step_alone() -> None:
    batch = wave_trains()
    first = EVERYTHING(batch, epoch=3, step=7)
    torch.manual_seed(99)
    EVERYTHING(batch, epoch=3, step=6)
    assert same(EVERYTHING(batch, epoch=3, step=7), first)
    for epoch, step in ((2, 7), (3, 8)):
        assert not same(EVERYTHING(batch, epoch=epoch, step=step), first)
    other = Augment(time_shift_s=30, amplitude_jitter_db=6, noise_fraction=0.1, station_dropout=0.3, seed=1)
    assert not same(other(batch, epoch=3, step=7), first)


def test_processes_draw_together_what_one_draws() -> None:
    augment = Augment(
        time_shift_s=30, amplitude_jitter_db=6, noise_fraction=0.1, station_dropout=0.3, epicentre_error_km=20,
        origin_error_s=3, velocity_error=0.02, polarity_flip=True,
    )  # fmt: skip
    batch = wave_trains()
    batch[keys.BACK_AZIMUTH_DEG] = (batch[keys.AZIMUTH_DEG] + 180) % 360
    n_samples, n_stations = batch[keys.WAVEFORM].shape[:2]
    whole = augment(batch, epoch=3, step=7)
    for rank in range(3):
        # The last station of the whole batch may be padding that this process does not have.
        part = {
            key: value[rank::3, : n_stations - 1] if torch.is_tensor(value) and value.ndim > 1 else value
            for key, value in batch.items()
        }
        drawn = augment(part, epoch=3, step=7, share=Share(rank, 3, n_samples, n_stations))
        for key in (keys.WAVEFORM, keys.START_S, keys.OFFSET_KM, keys.AZIMUTH_DEG):
            torch.testing.assert_close(drawn[key], whole[key][rank::3, : n_stations - 1], equal_nan=True)


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


def located(events: int = 3, stations: int = 6) -> dict:
    """Events with known geometry and one angle target."""
    batch = wave_trains(events=events, stations=stations, samples=8)
    generator = torch.Generator().manual_seed(4)
    batch[keys.AZIMUTH_DEG] = torch.rand(events, stations, generator=generator) * 360
    batch[keys.BACK_AZIMUTH_DEG] = (batch[keys.AZIMUTH_DEG] + 180) % 360
    batch[keys.TARGETS] = {"force_deg": torch.linspace(0, 350, events)}
    return batch


def on_ellipsoid(north_km: float, east_km: float) -> tuple[np.ndarray, np.ndarray]:
    """Geometry (3, S) from an epicentre at 35 north and from another beside it, on WGS84."""
    rng = np.random.default_rng(5)
    station_latitude, station_longitude = rng.uniform(-10, 70, 60), rng.uniform(-50, 60, 60)
    latitude, longitude = 35.0, 7.0
    # A degree of latitude and of longitude at 35 north, from their textbook radii of curvature.
    moved = latitude + north_km / 110.94, longitude + east_km / 91.29
    places = station_latitude, station_longitude
    return np.stack(geodesic(latitude, longitude, *places)), np.stack(geodesic(*moved, *places))


@pytest.mark.parametrize(("north_km", "east_km"), [(20.0, 0.0), (0.0, 20.0), (-30.0, 15.0), (5.0, -40.0)])
def test_a_moved_epicentre_has_the_geometry_of_the_ellipsoid(north_km: float, east_km: float) -> None:
    before, after = on_ellipsoid(north_km, east_km)
    true = torch.tensor(before, dtype=torch.float32)[:, None]
    moved = move_epicentre(*true, torch.tensor([[north_km]]), torch.tensor([[east_km]]))
    offset_km, azimuth_deg, back_azimuth_deg = (values[0].double().numpy() for values in moved)
    size_km = np.hypot(north_km, east_km)
    # The sphere against the ellipsoid: a per cent of the move; near stations: of the angle it subtends.
    np.testing.assert_allclose(offset_km - before[0], after[0] - before[0], atol=0.01 * size_km)
    subtended_deg = np.degrees(size_km / before[0])
    convergence_deg = np.degrees(east_km / 6371) * np.tan(np.radians(35))
    turned = wrapped_difference_deg(azimuth_deg + convergence_deg, after[1])
    assert (np.abs(turned) < 0.03 + 0.02 * subtended_deg).all()
    assert (np.abs(wrapped_difference_deg(back_azimuth_deg, after[2])) < 0.01 + 0.02 * subtended_deg).all()
    # Neither is a test of standing still.
    assert np.abs(after[0] - before[0]).max() > 0.9 * size_km
    assert (np.abs(wrapped_difference_deg(back_azimuth_deg, before[2])) > 0.1).mean() > 0.3


def test_a_move_forth_and_back_changes_nothing_and_unknown_stays_unknown() -> None:
    batch = located(events=5)
    batch[keys.OFFSET_KM][0, 0] = torch.nan
    batch[keys.BACK_AZIMUTH_DEG][1, 2] = torch.nan
    geometry = [batch[key] for key in (keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.BACK_AZIMUTH_DEG)]
    north_km, east_km = torch.full((5, 1), 12.0), torch.full((5, 1), -30.0)
    back = move_epicentre(*move_epicentre(*geometry, north_km, east_km), -north_km, -east_km)
    for restored, true in zip(back, geometry, strict=True):
        error = restored - true if true is geometry[0] else wrapped_difference_deg(restored, true)
        assert error[true.isfinite() & geometry[0].isfinite()].abs().max() < 0.05
    assert back[0][0, 0].isnan() and back[2][1, 2].isnan() and back[0][1, 2].isfinite()


def test_location_errors_have_the_promised_spread_and_come_anew_each_epoch() -> None:
    batch = located(events=400)
    wrong = Augment(epicentre_error_km=20, origin_error_s=5)
    first, second = wrong(batch, epoch=0, step=0), wrong(batch, epoch=1, step=0)
    late_s = batch[keys.START_S] - first[keys.START_S]
    assert (late_s == late_s[:, :1]).all() and late_s.std() == pytest.approx(5, rel=0.1) and abs(late_s.mean()) < 0.8
    # Along the line to a station the error of the epicentre is the error of the distance.
    shift_km = (first[keys.OFFSET_KM] - batch[keys.OFFSET_KM])[batch[keys.OFFSET_KM] > 300]
    assert shift_km.std() == pytest.approx(20, rel=0.1) and abs(shift_km.mean()) < 2
    assert not torch.equal(first[keys.OFFSET_KM], second[keys.OFFSET_KM])
    assert torch.equal(first[keys.WAVEFORM], batch[keys.WAVEFORM])
    assert torch.equal(first[keys.TARGETS]["force_deg"], batch[keys.TARGETS]["force_deg"])
    assert torch.equal(wrong(batch, epoch=1, step=0)[keys.OFFSET_KM], second[keys.OFFSET_KM])


def test_velocity_errors_stretch_all_distances_of_an_event_alike() -> None:
    batch = located(events=400)
    factor = Augment(velocity_error=0.02)(batch, epoch=0, step=0)[keys.OFFSET_KM] / batch[keys.OFFSET_KM]
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor))
    assert factor[:, 0].std() == pytest.approx(0.02, rel=0.1)


def test_rotation_turns_stations_and_target_together() -> None:
    batch = located(events=200)
    turned = Augment(rotation_target="force_deg")(batch, epoch=0, step=0)
    turn = wrapped_difference_deg(turned[keys.TARGETS]["force_deg"], batch[keys.TARGETS]["force_deg"])
    of_stations = wrapped_difference_deg(turned[keys.AZIMUTH_DEG], batch[keys.AZIMUTH_DEG])
    assert wrapped_difference_deg(of_stations, turn[:, None]).abs().max() < 1e-3
    assert turn.std() == pytest.approx(360 / 12**0.5, rel=0.1) and turn.abs().max() > 150
    assert ((turned[keys.AZIMUTH_DEG] >= 0) & (turned[keys.AZIMUTH_DEG] < 360)).all()
    assert torch.equal(turned[keys.BACK_AZIMUTH_DEG], batch[keys.BACK_AZIMUTH_DEG])
    assert torch.equal(batch[keys.TARGETS]["force_deg"], torch.linspace(0, 350, 200))
    with pytest.raises(ConfigurationError, match=r"rotation_target='fource_deg'.*force_deg"):
        Augment(rotation_target="fource_deg")(batch, epoch=0, step=0)


def test_motion_turns_with_the_back_azimuth_where_all_of_it_was_recorded() -> None:
    batch = located(events=40)
    batch[keys.TARGETS]["baz_deg"] = batch[keys.BACK_AZIMUTH_DEG][:, 0].clone()
    # Motion along the direction of the source, at every station.
    toward = torch.deg2rad(batch[keys.BACK_AZIMUTH_DEG])[..., None]
    pulse = torch.linspace(-1, 1, batch[keys.WAVEFORM].shape[-1])
    vertical = 2 * pulse.expand(*toward.shape[:2], -1)
    batch[keys.WAVEFORM] = torch.stack([vertical, toward.cos() * pulse, toward.sin() * pulse], 2)
    batch[keys.COMPONENT_MASK] = batch[keys.STATION_MASK][..., None].expand(-1, -1, 3).clone()
    batch[keys.COMPONENT_MASK][3, 0, 2] = False
    turned = Augment(back_azimuth_target="baz_deg")(batch, epoch=0, step=0)
    change = wrapped_difference_deg(turned[keys.TARGETS]["baz_deg"], batch[keys.TARGETS]["baz_deg"])
    assert change[3] == 0 and torch.equal(turned[keys.WAVEFORM][3], batch[keys.WAVEFORM][3])
    assert change.std() == pytest.approx(360 / 12**0.5, rel=0.2)
    toward = torch.deg2rad(turned[keys.BACK_AZIMUTH_DEG])[..., None]
    wanted = torch.stack([vertical, toward.cos() * pulse, toward.sin() * pulse], 2)
    torch.testing.assert_close(turned[keys.WAVEFORM], wanted, atol=1e-4, rtol=0)
    with pytest.raises(ConfigurationError, match=r"back_azimuth_target='baz'.*baz_deg"):
        Augment(back_azimuth_target="baz")(batch, epoch=0, step=0)


def test_location_errors_leave_the_other_draws_as_they_were() -> None:
    batch = located()
    settings = {"time_shift_s": 2, "amplitude_jitter_db": 6, "noise_fraction": 0.1, "station_dropout": 0.3}
    plain = Augment(**settings)(batch, epoch=2, step=1)
    wrong = Augment(**settings, epicentre_error_km=20, rotation_target="force_deg")(batch, epoch=2, step=1)
    assert same(plain, wrong)
