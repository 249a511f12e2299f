"""Back-propagated sections show one force in all directions, and nothing of paths, padding or the circle's seam."""

import numpy as np
import pytest
import torch
from obspy.signal.rotate import rotate_ne_rt

from seisvision import keys
from seisvision.data.synthesis.generator import EventGenerator, rotate_to_zne
from seisvision.data.synthesis.geometry import EventGeometry
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.data.synthesis.sources import PointForce, Source
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.source_time import opposed_lobes
from seisvision.earth.sphere import destination
from seisvision.errors import ConfigurationError
from seisvision.views.sections.azimuth_section import AzimuthSection, weigh
from seisvision.views.sections.back_propagation import BackPropagation, SourceTraces, rotate_to_zrt

RATE_HZ, SAMPLES, DURATION_S, FORCE_DEG = 2.0, 3600, 50.0, 65.0
AZIMUTHS_DEG = np.arange(0.0, 360.0, 30.0)
BAND_HZ = (1 / 150, 1 / 50)


@pytest.fixture(scope="module")
def generator(tmp_path_factory) -> EventGenerator:
    quiet = {"heterogeneity": 0, "coda": 0, "fault": 0, "noise_db": -300}
    return EventGenerator(SynthesisParameters(classes=("glacial",), **quiet), tmp_path_factory.mktemp("earth"))


def ring(distance_deg: np.ndarray, azimuth_deg: np.ndarray) -> EventGeometry:
    """Stations around a source at 50 north, where back azimuths are not just turned round."""
    latitude, longitude = destination(50.0, 10.0, azimuth_deg, distance_deg)
    _, _, back = zip(*(sphere(50.0, 10.0, *place) for place in zip(latitude, longitude, strict=True)), strict=True)
    codes = np.array([f"S{i:04d}" for i in range(len(azimuth_deg))])
    offset_km = distance_deg * KM_PER_DEG
    return EventGeometry(50.0, 10.0, codes, latitude, longitude, offset_km, azimuth_deg, np.array(back))


def sphere(*places: float) -> tuple[float, float, float]:
    """Distance (degrees), azimuth and back azimuth between two places of a sphere, by vectors."""
    lat1, lon1, lat2, lon2 = np.radians(places)

    def bearing(lat_from: float, lat_to: float, turn: float) -> float:
        north = np.cos(lat_from) * np.sin(lat_to) - np.sin(lat_from) * np.cos(lat_to) * np.cos(turn)
        return float(np.degrees(np.arctan2(np.sin(turn) * np.cos(lat_to), north)) % 360)

    cosine = np.sin(lat1) * np.sin(lat2) + np.cos(lat1) * np.cos(lat2) * np.cos(lon2 - lon1)
    return float(np.degrees(np.arccos(cosine))), bearing(lat1, lat2, lon2 - lon1), bearing(lat2, lat1, lon1 - lon2)


def force_event(generator: EventGenerator, geometry: EventGeometry, start_s: float = 0.0) -> dict:
    """Batch of one event: a horizontal force of two opposite lobes towards ``FORCE_DEG``, free of noise."""
    angle = np.radians(FORCE_DEG)
    vector = 1e10 * np.array([np.cos(angle), np.sin(angle), 0.0])
    lobes = opposed_lobes(generator.grid.time_s, DURATION_S, 0.5)
    source = Source("glacial", depth_km=0.0, forces=(PointForce(vector, generator.grid.to_spectrum(lobes)),))
    motion = rotate_to_zne(generator.ground_motion(source, geometry), geometry)
    record = torch.from_numpy(generator.grid.to_time(motion)).float().transpose(0, 1)[..., :SAMPLES]
    if start_s < 0:
        record = torch.nn.functional.pad(record, (round(-start_s * RATE_HZ), 0))[..., :SAMPLES]
    stations = len(geometry.offset_km)

    def row(values: np.ndarray) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32)[None]

    return {
        keys.WAVEFORM: record[None].contiguous(),
        keys.STATION_MASK: torch.ones(1, stations, dtype=torch.bool),
        keys.COMPONENT_MASK: torch.ones(1, stations, 3, dtype=torch.bool),
        keys.OFFSET_KM: row(geometry.offset_km),
        keys.AZIMUTH_DEG: row(geometry.azimuth_deg),
        keys.BACK_AZIMUTH_DEG: row(geometry.back_azimuth_deg),
        keys.ONSET_S: torch.full((1, stations), torch.nan),
        keys.START_S: torch.full((1, stations), start_s),
        keys.SAMPLING_RATE_HZ: RATE_HZ,
        keys.SOURCE_ID: ["made"],
    }


@pytest.fixture(scope="module")
def rings(generator: EventGenerator) -> dict:
    """Twelve stations at 10 degrees and as many at 40."""
    distance_deg = np.repeat([10.0, 40.0], len(AZIMUTHS_DEG))
    return force_event(generator, ring(distance_deg, np.tile(AZIMUTHS_DEG, 2)))


def band_passed_force(view: AzimuthSection) -> np.ndarray:
    """The force's own time function in the band, (H,): what a perfect picture shows. Differs by a gentle slope."""
    rate_hz, span_s = 4.0, view.before_s + view.after_s
    time_s = -view.before_s + np.arange(round(span_s * rate_hz)) / rate_hz
    spectrum = np.fft.rfft(opposed_lobes(np.maximum(time_s, -1e-9), DURATION_S, 0.5) * (time_s >= 0), 8 * len(time_s))
    frequency_hz = np.fft.rfftfreq(8 * len(time_s), 1 / rate_hz)
    inside = (frequency_hz > BAND_HZ[0]) & (frequency_hz < BAND_HZ[1])
    series = np.fft.irfft(spectrum * inside)[: len(time_s)]
    rows_s = -view.before_s + (np.arange(view.height) + 0.5) * span_s / view.height
    return np.interp(rows_s, time_s, series)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.sum(first * second) / np.sqrt(np.sum(first**2) * np.sum(second**2)))


def test_rotation_follows_obspy() -> None:
    generator = torch.Generator().manual_seed(1)
    waveform = torch.randn(1, 5, 3, 40, generator=generator)
    back_azimuth_deg = torch.tensor([[0.0, 37.0, 123.0, 250.0, 359.0]])
    rotated = rotate_to_zrt(waveform, back_azimuth_deg)
    assert torch.equal(rotated[:, :, 0], waveform[:, :, 0])
    for station, angle_deg in enumerate(back_azimuth_deg[0].tolist()):
        north, east = waveform[0, station, 1:].double().numpy()
        expected = np.stack(rotate_ne_rt(north, east, angle_deg))
        np.testing.assert_allclose(rotated[0, station, 1:].numpy(), expected, atol=1e-5)


def test_all_directions_and_distances_show_one_force_with_its_sign(rings: dict) -> None:
    view = AzimuthSection()
    traces = view.at_source(rings)
    assert traces.known.all()
    force = band_passed_force(view)
    turn = np.radians(np.tile(AZIMUTHS_DEG, 2) - FORCE_DEG)
    factors = np.stack([np.cos(turn), np.cos(turn), -np.sin(turn)], axis=-1)
    values = traces.values[0].double().numpy()
    strongest = np.abs(values).max()
    for station, channel in np.ndindex(factors.shape):
        expected = np.sign(factors[station, channel])
        assert correlation(values[station, channel], force) * expected > 0.8, (station, channel)
    # Amplitudes follow the factors at both distances: spreading, attenuation and the wave type are undone.
    peaks = np.abs(values).max(-1) / strongest
    np.testing.assert_allclose(peaks, np.abs(factors) / np.abs(factors).max(), atol=0.07)


def test_dispersion_is_gone(rings: dict) -> None:
    """Nearly all energy of the back-propagated pulse lies about the 50 s of the source, at 10 and 40 degrees."""
    view = AzimuthSection()
    time_s = -120 + (np.arange(view.height) + 0.5) * 320 / view.height
    energy = view.at_source(rings).values[0].double().numpy() ** 2
    near_source = (time_s > -35) & (time_s < DURATION_S + 35)
    share = energy[..., near_source].sum(-1) / energy.sum(-1)
    assert share.min() > 0.9
    centre_s = (energy * time_s).sum(-1) / energy.sum(-1)
    np.testing.assert_allclose(centre_s, DURATION_S / 2, atol=3)
    # As recorded at 40 degrees the same energy takes more than twice as long.
    recorded = rings[keys.WAVEFORM][0, 12:, 0].double().numpy()
    spread_s = _spread_s(recorded**2, np.arange(SAMPLES) / RATE_HZ)
    assert np.median(spread_s) > 2 * np.median(_spread_s(energy[12:, 0], time_s))


def _spread_s(energy: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    total = energy.sum(-1, keepdims=True)
    mean_s = (energy * time_s).sum(-1, keepdims=True) / total
    return np.sqrt((energy * (time_s - mean_s) ** 2).sum(-1) / total[..., 0])


def test_another_earth_model_disagrees_with_distance(rings: dict) -> None:
    """Phase velocities of two global models differ by a per cent or so: seconds at 10 degrees, many more at 40."""
    same, other = (
        AzimuthSection(earth_model=name).at_source(rings).values[0].numpy() for name in ("ak135f_no_mud", "prem")
    )
    assert 0.8 < correlation(same[:12], other[:12]) < 0.999
    assert correlation(same[12:], other[12:]) < 0.8


def test_earlier_windows_give_the_same_traces(generator: EventGenerator) -> None:
    geometry = ring(np.array([10.0, 25.0]), np.array([20.0, 200.0]))
    view = AzimuthSection()
    late = view.at_source(force_event(generator, geometry)).values
    early = view.at_source(force_event(generator, geometry, start_s=-60.0)).values
    torch.testing.assert_close(early, late, rtol=0, atol=0.01 * float(late.abs().max()))


def test_nothing_wraps_round() -> None:
    """Bursts at either end of the record, far from the wave train, stay out of the picture of any distance."""
    view = AzimuthSection()
    offset_km = torch.linspace(300, 6300, 25)[None]
    stations = offset_km.shape[1]
    time_s = torch.arange(SAMPLES) / RATE_HZ
    for burst_s in (20.0, 1780.0):
        burst = torch.exp(-(((time_s - burst_s) / 20) ** 2)) * torch.cos(2 * torch.pi * (time_s - burst_s) / 75)
        batch = {
            keys.WAVEFORM: burst.expand(1, stations, 3, SAMPLES).clone(),
            keys.STATION_MASK: torch.ones(1, stations, dtype=torch.bool),
            keys.COMPONENT_MASK: torch.ones(1, stations, 3, dtype=torch.bool),
            keys.OFFSET_KM: offset_km,
            keys.AZIMUTH_DEG: torch.zeros(1, stations),
            keys.BACK_AZIMUTH_DEG: torch.zeros(1, stations),
            keys.START_S: torch.zeros(1, stations),
            keys.SAMPLING_RATE_HZ: RATE_HZ,
        }
        traces = view.at_source(batch)
        # The picture's time axis, carried out to the station, with the longest period to spare on either side.
        reached = (burst_s > offset_km[0] / 4.4 - 120 - 180) & (burst_s < offset_km[0] / 3.4 + 200 + 180)
        assert traces.known[0, ~reached].any()
        inside = traces.values[0, reached & traces.known[0]].abs().max()
        assert inside > 0.15 and traces.values[0, ~reached].abs().max() < 0.12 * inside


def test_traces_whose_window_lacks_the_train_are_not_drawn(rings: dict) -> None:
    view = AzimuthSection()
    late = rings | {keys.START_S: torch.full_like(rings[keys.START_S], 500.0)}
    assert view.at_source(late).known[0].tolist() == [False] * 12 + [True] * 12
    short = rings | {keys.WAVEFORM: rings[keys.WAVEFORM][..., :1200]}
    assert view.at_source(short).known[0].tolist() == [True] * 12 + [False] * 12


def test_the_circle_has_no_seam(rings: dict) -> None:
    view = AzimuthSection(width=72)
    uneven = rings | {
        keys.AZIMUTH_DEG: rings[keys.AZIMUTH_DEG] + torch.rand(24, generator=torch.Generator().manual_seed(3))
    }
    picture = view(uneven)
    turned = view(uneven | {keys.AZIMUTH_DEG: (uneven[keys.AZIMUTH_DEG] + 90) % 360})
    torch.testing.assert_close(turned, picture.roll(18, dims=-1), rtol=0, atol=1e-5)
    assert (turned - picture).abs().max() > 0.5


def only(batch: dict, stations: list[int]) -> dict:
    """The batch with some of its stations."""
    return {
        key: value[:, stations] if torch.is_tensor(value) and value.ndim > 1 else value for key, value in batch.items()
    }


def test_traces_are_seen_about_their_azimuth_on_both_sides_of_north(rings: dict) -> None:
    one = only(rings, [0]) | {keys.AZIMUTH_DEG: torch.tensor([[358.0]])}
    strength = AzimuthSection(width=36, blend_deg=10)(one)[0].abs().amax((0, 1))
    assert strength.argmax() == 35 and strength[0] > 0.9 and strength[2] > strength[4] > strength[6]
    assert strength[17] < 0.05


def test_a_noisy_trace_yields_to_a_quiet_neighbour_and_fades_where_it_is_alone(rings: dict) -> None:
    view = AzimuthSection(width=36, blend_deg=15)
    azimuths_deg = torch.tensor([[100.0, 190.0, 180.0, 110.0, 280.0]])
    some = only(rings, [0, 1, 2, 3, 4]) | {keys.AZIMUTH_DEG: azimuths_deg}
    quiet = view(only(some, [0, 1, 2]))[0, :, :, 10]
    noise = torch.randn(1, 2, 3, SAMPLES, generator=torch.Generator().manual_seed(2))
    some[keys.WAVEFORM][:, 3:] = noise * 50 * some[keys.WAVEFORM].abs().max()
    picture = view(some)[0]
    shared, alone = picture[:, :, 10], picture[:, :, 28]
    assert correlation(shared.numpy(), quiet.numpy()) > 0.9
    assert alone.abs().max() < 0.2 * shared.abs().max()


def test_weights_fall_with_noise_and_unknown_azimuths_have_none() -> None:
    values = torch.ones(1, 4, 3, 8) * 1e-12
    noise = torch.tensor([0.0, 1e-12, 3e-12, 0.0])[None, :, None].expand(1, 4, 3)
    traces = SourceTraces(values, noise, torch.ones(1, 4, dtype=torch.bool))
    weighted = weigh(traces, torch.tensor([[0.0, 90.0, 180.0, torch.nan]]))
    first, second, third, unknown = weighted.weight[0, :, 0].tolist()
    assert first == pytest.approx(100) and second == pytest.approx(1 / 1.01) and third == pytest.approx(1 / 9.01)
    assert unknown == 0 and torch.equal(weighted.values[0, :3], torch.ones(3, 3, 8))


def test_padding_and_other_events_do_not_matter(rings: dict) -> None:
    view = AzimuthSection()
    alone = view(rings)
    padded = {}
    for key, value in rings.items():
        if torch.is_tensor(value):
            fill = torch.nan if value.dtype == torch.float32 and value.ndim == 2 else 0
            padding = torch.full((1, 3, *value.shape[2:]), fill, dtype=value.dtype)
            wide = torch.cat([value, padding], dim=1)
            other = 2 * wide if key == keys.WAVEFORM else wide
            padded[key] = torch.cat([other.roll(5, 1), wide])
        else:
            padded[key] = value
    both = view(padded)
    torch.testing.assert_close(both[1:], alone, rtol=0, atol=1e-5)


def test_what_is_unknown_or_dead_is_not_drawn(rings: dict) -> None:
    view = AzimuthSection()
    for key in (keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.START_S):
        missing = rings | {key: torch.full_like(rings[key], torch.nan)}
        assert (view(missing) == 0).all()
    dead = rings | {keys.WAVEFORM: torch.zeros_like(rings[keys.WAVEFORM])}
    assert (view(dead) == 0).all()
    absent = rings | {keys.STATION_MASK: torch.zeros_like(rings[keys.STATION_MASK])}
    assert (view(absent) == 0).all()
    unturned = view(rings | {keys.BACK_AZIMUTH_DEG: torch.full_like(rings[keys.AZIMUTH_DEG], torch.nan)})
    assert (unturned[:, 1:] == 0).all() and unturned[:, 0].any()
    holes = rings[keys.WAVEFORM].clone()
    holes[:, 3, :, 10] = torch.nan
    assert view(rings | {keys.WAVEFORM: holes}).isfinite().all()


def test_the_unit_of_amplitude_does_not_matter(rings: dict) -> None:
    view = AzimuthSection()
    picture = view(rings)
    assert picture.abs().max() == pytest.approx(1)
    torch.testing.assert_close(view(rings | {keys.WAVEFORM: rings[keys.WAVEFORM] * 1e6}), picture, rtol=0, atol=1e-4)


def test_a_wrong_gain_does_not_fill_the_picture(rings: dict) -> None:
    view = AzimuthSection()
    loud = rings[keys.WAVEFORM].clone()
    loud[:, 4] *= 1e4
    picture, spoilt = view(rings), view(rings | {keys.WAVEFORM: loud})
    opposite = slice(60, 70)
    assert spoilt[..., opposite].abs().max() > 0.1 * picture[..., opposite].abs().max()


def test_component_order_is_a_setting(rings: dict) -> None:
    turned = rings | {
        keys.WAVEFORM: rings[keys.WAVEFORM].flip(2),
        keys.COMPONENT_MASK: rings[keys.COMPONENT_MASK].flip(2),
    }
    assert torch.equal(AzimuthSection(components="ENZ")(turned), AzimuthSection()(rings))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("earth_model", "prim"), ("components", "Z"), ("height", 0), ("before_s", -1.0), ("band_hz", (0.03, 0.01))],
)
def test_impossible_settings_are_refused(setting: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        AzimuthSection(**{setting: value})


def test_a_picture_for_people_has_a_grey_background(rings: dict) -> None:
    view = AzimuthSection()
    shown = view.to_uint8(view(rings))
    assert shown.shape == (1, 64, 72, 3) and shown.dtype == torch.uint8
    assert (shown[:, -1] - 128.0).abs().max() < 20
    assert list(view.describe()) == ["Z", "R", "T"] and view.uses_origin


def test_group_velocities_bound_the_train() -> None:
    carry = BackPropagation(3600, 2.0, band_hz=BAND_HZ, earth_model="prem", span_s=(-120, 200), rows=128)
    assert 4.2 < carry.fastest_km_s < 4.6 and 3.3 < carry.slowest_km_s < 3.8
