"""Modes, rays and whole waves against independent programs."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, hilbert, sosfiltfilt
from station_rings import stations_at

from seisvision.data.synthesis.body import BodyWaves
from seisvision.data.synthesis.paths import draw_paths
from seisvision.data.synthesis.sources import PointForce, PointMoment, Source, double_couple
from seisvision.data.synthesis.spectral import SpectralGrid
from seisvision.data.synthesis.tables import earth_tables
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.profile import earth_profile
from seisvision.earth.travel_times import TABLE_DISTANCES_DEG, phase_times, times_on_curve, travel_time_curve
from seisvision.errors import ConfigurationError

# Velocities in km/s of ak135f_no_mud, flattened, cut into homogeneous layers of 2.5 km (crust) to 20 km;
# computed with disba 0.7.0, fundamental mode.
PERIOD_S = np.array([6, 10, 20, 30, 50, 75, 100, 150])
DISBA = {
    ("rayleigh", "phase_velocity"): [3.1759, 3.235, 3.5731, 3.8348, 4.0009, 4.0818, 4.154, 4.3493],
    ("rayleigh", "group_velocity"): [3.135, 3.0246, 2.9694, 3.3989, 3.7951, 3.8835, 3.8635, 3.7365],
    ("love", "phase_velocity"): [3.5354, 3.6198, 3.8722, 4.1004, 4.3564, 4.5025, 4.6007, 4.7701],
    ("love", "group_velocity"): [3.4256, 3.4039, 3.4199, 3.5948, 3.983, 4.1915, 4.2677, 4.3197],
}
# Complete ground velocity, flattened ak135f_no_mud, computed with pygrt-kit 0.18.0 for a source at 10 km depth and
# stations at azimuth 40 degrees; band 18-150 s, every 6 s, Z, R, T in m/s.
COMPLETE = np.load(Path(__file__).with_name("complete_seismograms.npz"))
TENSOR_NM = 1e18 * np.array([[0.3, 0.4, -0.5], [0.4, -1.0, 0.6], [-0.5, 0.6, 0.7]])
FORCE_N = 1e10 * np.array([1.0, 0.5, -0.4])


def flat(generator):
    return np.ones(len(generator.grid.frequency_hz), complex)


def bandpass(signal, low_hz, high_hz, rate_hz=2.0):
    return sosfiltfilt(butter(3, [low_hz, high_hz], "band", fs=rate_hz, output="sos"), signal, axis=-1)


def no_perturbation(azimuth):
    return draw_paths(np.random.default_rng(0), azimuth, 0.0)


@pytest.mark.parametrize(("wave", "column"), DISBA)
def test_mode_velocities_agree_with_disba(clean, wave, column):
    ours = getattr(clean.tables, wave).at_periods(column, PERIOD_S) / 1e3
    np.testing.assert_allclose(ours, DISBA[wave, column], rtol=1e-3)


def test_group_velocity_is_the_derivative_of_the_dispersion(clean):
    for table in (clean.tables.love, clean.tables.rayleigh):
        slope = np.gradient(table.omega, table.omega / table.phase_velocity)
        np.testing.assert_allclose(table.group_velocity[2:-2], slope[2:-2], rtol=4e-3)


def test_profile_is_the_published_model():
    p_velocity, s_velocity, density = earth_profile("ak135f_no_mud").at(np.array([0.0, 10.0, 27.0, 100.0]))
    np.testing.assert_allclose(p_velocity[:3], [5800, 5800, 6500])
    np.testing.assert_allclose(s_velocity[:3], [3460, 3460, 3850])
    assert 3300 < density[3] < 3600


@pytest.mark.parametrize("phase", ["P", "pP", "PP", "S", "sS", "ScS"])
def test_travel_times_agree_with_taup(clean, phase):
    from obspy.taup import TauPyModel

    names = {"P": ["P", "p", "Pn", "Pdiff"], "pP": ["pP", "pPn"], "S": ["S", "s", "Sn", "Sdiff"], "sS": ["sS", "sSn"]}
    rng, model, errors = np.random.default_rng(0), TauPyModel("ak135f_no_mud"), []
    for _ in range(12):
        depth_km, distance_deg = rng.uniform(1, 600), rng.uniform(2, 90)
        expected = model.get_travel_times(depth_km, distance_deg, names.get(phase, [phase]))
        ours = phase_times(clean.tables.rays, phase, depth_km, distance_deg)
        if expected:
            errors.append(abs(float(ours) - expected[0].time))
    assert len(errors) >= 6
    assert np.nanmedian(errors) < 0.05
    assert np.nanmax(errors) < 1.0


def test_travel_times_broadcast_and_say_where_nothing_arrives(clean):
    times = phase_times(clean.tables.rays, "P", np.array([[0.0], [100.0]]), np.array([10.0, 30.0, 80.0]))
    assert times.shape == (2, 3)
    assert (np.diff(times, axis=1) > 0).all()
    assert np.isnan(phase_times(clean.tables.rays, "pP", 0.0, 40.0))
    with pytest.raises(ConfigurationError, match="'PcS' is not tabulated"):
        phase_times(clean.tables.rays, "PcS", 10.0, 40.0)


def test_a_curve_of_one_depth_says_what_tables_of_all_depths_say(clean):
    distance_deg = np.array([0.0, 0.3, 17.77, 60.0, 99.99, 120.0])
    curve = travel_time_curve("ak135f_no_mud", "S", 10.0).astype(np.float32)
    expected = phase_times(clean.tables.rays, "S", 10.0, distance_deg)
    assert np.array_equal(times_on_curve(curve, distance_deg), expected)
    # At the last distance that a phase reaches it is there, beyond it not.
    ending = np.where(TABLE_DISTANCES_DEG[50] >= TABLE_DISTANCES_DEG, curve, np.nan)
    assert times_on_curve(ending, TABLE_DISTANCES_DEG[50]) == curve[50]
    assert np.isnan(times_on_curve(ending, np.array([TABLE_DISTANCES_DEG[50] + 0.01, np.nan]))).all()


def test_near_rays_of_deep_sources_leave_upwards(clean):
    upgoing = clean.tables.rays.upgoing[0]
    deep, near, far = -4, np.searchsorted(TABLE_DISTANCES_DEG, 3), np.searchsorted(TABLE_DISTANCES_DEG, 40)
    assert upgoing[deep, near] == 1
    assert upgoing[deep, far] == 0


@pytest.mark.parametrize(("phase", "component"), [("P", 0), ("S", 2)])
def test_body_waves_arrive_when_taup_says(clean, phase, component):
    from obspy.taup import TauPyModel

    tensor = double_couple(0.0, np.pi / 2, 0.0) if phase == "S" else np.eye(3)
    source = Source("test", depth_km=200.0, moments=(PointMoment(1e17 * tensor, flat(clean)),))
    stations = stations_at(np.array([20.0, 30.0, 40.0, 44.0]), 180.0)
    motion = clean.grid.to_time(clean.ground_motion(source, stations))[component, :, :3600]
    envelope = np.abs(hilbert(bandpass(motion, 0.1, 0.4)))
    model = TauPyModel("ak135f_no_mud")
    for trace, distance_deg in zip(envelope, stations.distance_deg, strict=True):
        expected = model.get_travel_times(200.0, distance_deg, [phase])[0].time
        window = slice(int((expected - 20) * 2), int((expected + 20) * 2))
        assert abs(trace[window].argmax() / 2 - 20) < 1.5


@pytest.mark.parametrize("period_s", [25, 35, 50, 80])
@pytest.mark.parametrize(("wave", "component"), [("rayleigh", 0), ("love", 2)])
def test_surface_waves_travel_at_their_group_velocity(clean, wave, component, period_s):
    force = PointForce(np.array([1e10, 1e10, 1e10]), flat(clean))
    stations = stations_at(np.linspace(10, 40, 7), 0.0)
    motion = clean.grid.to_time(clean.ground_motion(Source("test", 0.0, forces=(force,)), stations))[component]
    envelope = np.abs(hilbert(bandpass(motion, 0.85 / period_s, 1.15 / period_s)))
    measured = 1 / np.polyfit(stations.offset_km, envelope.argmax(-1) / 2, 1)[0]
    expected = getattr(clean.tables, wave).at_periods("group_velocity", np.array([period_s]))[0] / 1e3
    assert measured == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize("offset_km", [1000, 2000])
@pytest.mark.parametrize("kind", ["moment", "force"])
def test_surface_waves_agree_with_complete_seismograms(clean, kind, offset_km):
    moment, force = PointMoment(TENSOR_NM, flat(clean)), PointForce(FORCE_N, flat(clean))
    source = Source("test", 10.0, **({"moments": (moment,)} if kind == "moment" else {"forces": (force,)}))
    distance, azimuth = np.array([offset_km / 6371.0]), np.radians([40.0])
    paths = no_perturbation(azimuth)
    spectra = clean.surface.spectra(source, distance, azimuth, paths)
    taper = np.interp(clean.grid.frequency_hz, [1 / 150, 1 / 100, 1 / 25, 1 / 18], [0, 1, 1, 0])
    ours = clean.grid.to_time(spectra * taper)[:, 0, :2400:12]
    # The reference is a flat Earth, where waves spread along a line and not over a sphere.
    expected = COMPLETE[f"{kind}_{offset_km}_km"] * np.sqrt(distance / np.sin(distance))
    time_s = np.arange(200) * 6.0
    window = (time_s > offset_km / 4.6) & (time_s < offset_km / 2.6 + 100)
    for a, b in zip(ours[:, window], expected[:, window], strict=True):
        norms = np.linalg.norm(a), np.linalg.norm(b)
        assert a @ b / (norms[0] * norms[1]) > 0.97
        assert norms[0] / norms[1] == pytest.approx(1, abs=0.2)


def test_amplitudes_fall_with_distance(clean):
    source = Source("test", 0.0, forces=(PointForce(np.array([0, 0, 1e10]), flat(clean)),))
    motion = clean.ground_motion(source, stations_at(np.array([5.0, 10.0, 20.0, 40.0]), 0.0))
    strongest = np.abs(clean.grid.to_time(motion)[0]).max(-1)
    assert (np.diff(strongest) < 0).all()


def test_late_phases_do_not_wrap_round(clean):
    stations = stations_at(np.array([3.0]), 0.0)
    short = SpectralGrid(2.0, 600)
    rate = np.ones(len(short.frequency_hz))
    source = Source("test", 100.0, moments=(PointMoment(1e17 * double_couple(0.3, 0.5, 0.2), rate),))
    body = BodyWaves(clean.tables, short)
    paths = no_perturbation(np.radians(stations.azimuth_deg))
    motion = short.to_time(body.spectra(source, np.radians(stations.distance_deg), np.zeros(1), paths))[..., :600]
    first = phase_times(clean.tables.rays, "P", 100.0, 3.0)
    before = np.abs(motion[..., : int(2 * (first - 5))]).max()
    assert before < 0.01 * np.abs(motion).max()


def test_tables_are_cached_and_survive_damage(clean, earth_cache):
    (path,) = earth_cache.glob("*.npz")
    assert path.stat().st_size < 2e6
    content = path.read_bytes()
    path.write_bytes(content[:1000])
    mended = earth_tables("ak135f_no_mud", earth_cache)
    np.testing.assert_array_equal(mended.rays.time_s, clean.tables.rays.time_s)
    np.testing.assert_array_equal(mended.rayleigh.eigenfunctions["r2"], clean.tables.rayleigh.eigenfunctions["r2"])
    assert path.stat().st_size > 1e6
    assert list(earth_cache.iterdir()) == [path]


@pytest.mark.parametrize("model", ["prem", "iasp91"])
def test_other_earth_models_work(model):
    tables = earth_tables(model)
    # Below 40 s the crusts of the models differ.
    velocity = tables.rayleigh.at_periods("phase_velocity", np.array([50.0, 100.0]))
    assert (np.abs(velocity / [4000, 4150] - 1) < 0.02).all()
    assert phase_times(tables.rays, "P", 10.0, 40.0) == pytest.approx(457, abs=4)


def test_surface_spreading_is_that_of_a_sphere(clean):
    """Beyond attenuation, the amplitude at 40 degrees is smaller than at 10 by the root of the sines' ratio."""
    force = Source("test", 0.0, forces=(PointForce(np.array([0, 0, 1e10]), flat(clean)),))
    near, far = np.abs(clean.ground_motion(force, stations_at(np.array([10.0, 40.0]), 0.0)))[0]
    at = np.searchsorted(clean.grid.frequency_hz, 1 / 100)
    period = np.array([1 / clean.grid.frequency_hz[at]])
    quality, group = (clean.tables.rayleigh.at_periods(name, period)[0] for name in ("quality", "group_velocity"))
    loss = np.exp(-np.pi / period[0] * 30 * KM_PER_DEG * 1e3 / (quality * group))
    expected = np.sqrt(np.sin(np.radians(10)) / np.sin(np.radians(40))) * loss
    assert far[at] / near[at] == pytest.approx(expected, rel=0.02)
