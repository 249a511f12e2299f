"""Radiation patterns, spectra and sizes of the sources."""

from dataclasses import replace

import numpy as np
import pytest
from station_rings import stations_at

from seisvision.data.synthesis.parameters import SOURCE_TYPES, SynthesisParameters
from seisvision.data.synthesis.sources import PointForce, PointMoment, Source, double_couple, draw_source
from seisvision.data.synthesis.spectral import SpectralGrid
from seisvision.earth.source_time import brune_rate, corner_frequency, opposed_lobes, twice_integrated
from seisvision.earth.travel_times import phase_times

RING_DEG = np.arange(0.0, 360.0, 15.0)
GRID = SpectralGrid(2.0, 3600)
PERIOD_S = 40.0


def draw(kind, seed=0, **settings):
    return draw_source(np.random.default_rng(seed), kind, SynthesisParameters(**settings), GRID)


def pattern(clean, source, component):
    """Signed amplitude of the surface waves at 40 s around a ring, relative to the strongest; the phase is common."""
    motion = clean.ground_motion(source, stations_at(20.0, RING_DEG))[component]
    values = motion[:, np.searchsorted(clean.grid.frequency_hz, 1 / PERIOD_S)]
    strongest = values[np.abs(values).argmax()]
    if abs(strongest) == 0:
        return np.zeros(len(values))
    ratio = values / strongest
    np.testing.assert_allclose(ratio.imag, 0, atol=1e-3)
    return ratio.real


def of_moment(clean, tensor, depth_km=10.0):
    rate = np.ones(len(clean.grid.frequency_hz), complex)
    return Source("test", depth_km, moments=(PointMoment(1e17 * tensor, rate),))


def of_force(clean, vector):
    spectrum = np.ones(len(clean.grid.frequency_hz), complex)
    return Source("test", 0.0, forces=(PointForce(1e10 * np.array(vector, float), spectrum),))


def same_shape(measured, expected):
    expected = expected / np.abs(expected).max()
    return min(np.abs(measured - expected).max(), np.abs(measured + expected).max()) < 2e-3


def test_strike_slip_fault_radiates_in_four_lobes(clean):
    source, angle = of_moment(clean, double_couple(0.0, np.pi / 2, 0.0)), np.radians(RING_DEG)
    assert same_shape(pattern(clean, source, 0), np.sin(2 * angle))
    assert same_shape(pattern(clean, source, 1), np.sin(2 * angle))
    assert same_shape(pattern(clean, source, 2), np.cos(2 * angle))


def test_turning_the_fault_turns_the_pattern(clean):
    turned = of_moment(clean, double_couple(np.radians(30), np.pi / 2, 0.0))
    assert same_shape(pattern(clean, turned, 2), np.cos(2 * np.radians(RING_DEG - 30)))


def test_horizontal_force_radiates_in_two_lobes(clean):
    source, angle = of_force(clean, [np.cos(0.7), np.sin(0.7), 0]), np.radians(RING_DEG)
    assert same_shape(pattern(clean, source, 0), np.cos(angle - 0.7))
    assert same_shape(pattern(clean, source, 2), np.sin(angle - 0.7))


def test_explosions_make_no_love_waves_and_prefer_no_azimuth(clean):
    source = of_moment(clean, np.eye(3), depth_km=1.0)
    motion = clean.ground_motion(source, stations_at(20.0, RING_DEG))
    assert np.abs(motion[2]).max() < 1e-9 * np.abs(motion[0]).max()
    np.testing.assert_allclose(pattern(clean, source, 0), 1, atol=1e-4)


@pytest.mark.parametrize(("sign", "first_motion"), [(1, "up"), (-1, "down")])
def test_first_motion_is_up_for_explosions_and_down_for_collapses(clean, sign, first_motion):
    rate = brune_rate(clean.grid.frequency_hz, 0.3)
    source = Source("test", 1.0, moments=(PointMoment(sign * 1e17 * np.eye(3), rate),))
    stations = stations_at(35.0, RING_DEG)
    vertical = clean.grid.to_time(clean.ground_motion(source, stations))[0]
    first = phase_times(clean.tables.rays, "P", 1.0, 35.0)
    displacement = np.cumsum(vertical[:, int(2 * (first - 5)) : int(2 * (first + 3))], axis=-1)
    strongest = np.take_along_axis(displacement, np.abs(displacement).argmax(-1)[:, None], axis=-1)
    assert (np.sign(strongest) == sign).all(), first_motion


def test_shear_fault_has_no_volume_change_and_the_moment_asked_for():
    source = draw("tectonic", seed=3)
    tensor = source.moments[0].tensor_nm
    moment = 10 ** (1.5 * source.magnitude + 9.1)
    np.testing.assert_allclose(np.linalg.eigvalsh(tensor) / moment, [-1, 0, 1], atol=1e-9)


def test_brune_spectrum_has_its_corner_and_decay():
    frequency = np.array([1e-6, 0.5, 50.0, 500.0])
    level = np.abs(brune_rate(frequency, 0.5))
    np.testing.assert_allclose(level[:2], [1, 0.5], rtol=1e-6)
    assert np.log10(level[2] / level[3]) == pytest.approx(2, abs=1e-3)


def test_corner_frequency_follows_size_and_stress_drop():
    magnitude_5 = 10 ** (1.5 * 5 + 9.1)
    # 0.32 * 3500 m/s / radius, with radius = (7/16 M0 / stress drop)^(1/3) = 1799 m.
    assert corner_frequency(magnitude_5, 3e6) == pytest.approx(0.623, abs=0.002)
    assert corner_frequency(1000 * magnitude_5, 3e6) == pytest.approx(0.0623, abs=0.0002)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["glacial", "landslide"])
def test_mass_movements_leave_no_momentum_and_have_their_size(kind, seed):
    source = draw(kind, seed)
    force = GRID.to_time(source.forces[0].spectrum)
    assert abs(force.sum()) < 1e-9 * np.abs(force).sum()
    size_kg_m = twice_integrated(force, GRID.sampling_rate_hz) * np.linalg.norm(source.forces[0].vector_n)
    assert np.log10(size_kg_m) == pytest.approx(source.magnitude + 9, abs=1e-6)
    assert np.abs(force[GRID.time_s > source.duration_s]).max() < 1e-9


def test_force_azimuth_is_that_of_the_first_lobe():
    source = draw("glacial", seed=7)
    force = GRID.to_time(source.forces[0].spectrum)
    early = GRID.time_s < 0.35 * source.duration_s
    north, east, _ = source.forces[0].vector_n * force[early].sum()
    assert np.degrees(np.arctan2(east, north)) % 360 == pytest.approx(source.force_azimuth_deg)


def test_opposed_lobes_balance_whatever_their_shares():
    for share in (0.3, 0.5, 0.62):
        lobes = opposed_lobes(GRID.time_s, 50.0, share)
        assert lobes[GRID.time_s < share * 50].min() >= 0
        assert lobes[GRID.time_s >= share * 50].max() <= 0


@pytest.mark.parametrize("kind", SOURCE_TYPES)
def test_every_type_is_drawn_reproducibly_and_ends_in_time(kind):
    source, again, other = draw(kind, 1), draw(kind, 1), draw(kind, 2)
    assert source.kind == kind
    parts = [(m.tensor_nm, m.rate_spectrum) for m in source.moments]
    parts += [(f.vector_n, f.spectrum) for f in (*source.forces, *source.tremors)]
    assert bool(parts) == (kind != "noise")
    for size, spectrum in parts:
        assert np.isfinite(size).all()
        assert np.isfinite(spectrum).all()
        signal = np.abs(GRID.to_time(spectrum * GRID.anti_alias))
        assert signal[600 * 2 : -30 * 2].max() < 2e-3 * signal.max()
    if kind != "noise":
        assert source.magnitude == again.magnitude != other.magnitude
        assert 0 <= source.depth_km <= 700


def test_two_classes_share_their_range_of_magnitudes():
    for kind in ("tectonic", "glacial"):
        magnitudes = [draw(kind, seed, magnitude=(4.0, 4.5)).magnitude for seed in range(40)]
        assert 4.0 <= min(magnitudes) < 4.1
        assert 4.4 < max(magnitudes) <= 4.5


def test_earthquakes_have_the_surface_wave_magnitude_of_the_catalogues(clean):
    """Ms - Mw is about -0.7 at Mw 4.9 (Ekstrom & Dziewonski 1988)."""
    stations = stations_at(np.full(24, 30.0), RING_DEG)
    band = np.interp(clean.grid.frequency_hz, [1 / 25, 1 / 22, 1 / 18, 1 / 16], [0, 1, 1, 0])
    differences = []
    for seed in range(30):
        source = replace(draw("tectonic", seed), depth_km=15.0)
        source = replace(source, moments=tuple(rescale(m, clean) for m in source.moments))
        vertical = clean.grid.to_time(clean.ground_motion(source, stations)[0] * band)
        micrometres_per_second = np.abs(vertical).max(-1) * 1e6 / (2 * np.pi)
        ms = np.log10(micrometres_per_second) + 1.66 * np.log10(30.0) + 3.3
        differences.append(np.median(ms) - source.magnitude)
    assert -1.0 < np.median(differences) < -0.4


def rescale(moment, clean):
    """The same moment with a step as time function, on the generator's grid."""
    return PointMoment(moment.tensor_nm, np.ones(len(clean.grid.frequency_hz)))
