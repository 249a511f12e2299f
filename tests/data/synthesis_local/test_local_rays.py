"""Travel times of local rays against ObsPy's TauP and against textbook formulas."""

import numpy as np
import pytest

from seisvision.data.synthesis_local.rays import Crust

TOPS, VP = [0.0, 2.0, 15.0, 35.0], [4.5, 6.0, 6.6, 8.0]


@pytest.fixture(scope="module")
def taup(tmp_path_factory):
    """The same crust over the mantle of iasp91, in TauP."""
    from obspy.taup import TauPyModel
    from obspy.taup.taup_create import build_taup_model

    rows = []
    for top, bottom, velocity in zip(TOPS, [*TOPS[1:], 210], VP, strict=True):
        rows += [f"{depth} {velocity} {velocity / 1.75} 3.3" for depth in (top, bottom)]
    rows += ["210 8.3 4.52 3.4", "410 9.03 4.87 3.5", "660 10.79 5.96 4.4", "2889 13.69 7.30 5.5", "2889 8.0 0 9.9"]
    rows += ["5153.9 10.29 0 12.1", "5153.9 11.04 3.5 12.7", "6371 11.24 3.56 13.0"]
    folder = tmp_path_factory.mktemp("taup")
    file = folder / "crust.tvel"
    file.write_text("crust\ncrust\n" + "\n".join(rows) + "\n")
    build_taup_model(str(file), output_folder=str(folder), verbose=False)
    return TauPyModel(str(folder / "crust.npz"))


@pytest.mark.parametrize("depth_km", [1.0, 8.0, 25.0, 33.0])
def test_first_arrivals_agree_with_taup(taup, depth_km):
    offset_km = np.array([1.0, 10, 40, 100, 180, 300, 500])
    rays = Crust(TOPS, VP).rays(depth_km, offset_km)
    ours = np.nanmin(rays.time_s, axis=0)
    for offset, time_s in zip(offset_km, ours, strict=True):
        arrivals = taup.get_travel_times(depth_km, np.degrees(offset / 6371), ["p", "P", "Pn", "Pg", "Pdiff"])
        assert time_s == pytest.approx(min(arrival.time for arrival in arrivals), abs=0.02 + 0.003 * time_s)


def test_reflection_from_the_moho_agrees_with_taup(taup):
    offset_km = np.array([20.0, 60, 120, 200])
    rays = Crust(TOPS, VP).rays(8.0, offset_km)
    ours = rays.time_s[rays.phases.index("reflected")]
    theirs = [taup.get_travel_times(8.0, np.degrees(x / 6371), ["Pv35P", "PvmP"])[0].time for x in offset_km]
    np.testing.assert_allclose(ours, theirs, rtol=0.003)


def test_rays_in_one_layer_are_straight():
    rays = Crust([0, 20], [6, 8]).rays(5.0, np.array([0.1, 3.0, 12.0]))
    np.testing.assert_allclose(rays.length_km[0], np.hypot(5, [0.1, 3, 12]), rtol=2e-3)
    np.testing.assert_allclose(rays.slowness_s_km[0] * 6, np.array([0.1, 3, 12]) / np.hypot(5, [0.1, 3, 12]), rtol=5e-3)


def test_head_waves_begin_at_the_critical_distance():
    """Two legs through 10 km of 5 km/s above 8 km/s: critical at 2 h tan(asin(5/8))."""
    critical_km = 2 * 10 * np.tan(np.arcsin(5 / 8)) - 0.1 * np.tan(np.arcsin(5 / 8))
    rays = Crust([0, 10], [5, 8]).rays(0.1, critical_km * np.array([0.97, 1.03]))
    head = rays.time_s[rays.phases.index("head1")]
    assert np.isnan(head[0]) and np.isfinite(head[1])
    assert head[1] <= rays.time_s[rays.phases.index("reflected")][1]
