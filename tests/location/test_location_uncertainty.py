"""Ellipses hold what they say; misfit larger than the sigmas widens them; scale and gap are what they are called."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from made_events import random_events
from scipy import optimize, stats
from scipy.integrate import quad

from seisvision.earth.geodesics import geodesic
from seisvision.location import student
from seisvision.location.locate import Locations, locate
from seisvision.location.uncertainty import Ellipse, Uncertainty, azimuthal_gap_deg

N_EVENTS = 1000


def _noisy(events: dict[str, np.ndarray], sigma_km: float, seed: int = 21) -> np.ndarray:
    return events["offset_km"] + np.random.default_rng(seed).normal(0, sigma_km, events["offset_km"].shape)


def _locate(events: dict[str, np.ndarray], offset_km: np.ndarray, **settings: object) -> Locations:
    return locate(events["station_latitude_deg"], events["station_longitude_deg"], offset_km, **settings)


def _inside(found: Locations, ellipse: Ellipse, events: dict[str, np.ndarray]) -> np.ndarray:
    """Whether the true epicentre lies in the ellipse, from its axes and direction as a reader would use them."""
    here = found.latitude_deg.numpy(), found.longitude_deg.numpy()
    distance_km, azimuth_deg, _ = geodesic(*here, events["latitude_deg"], events["longitude_deg"])
    turned = np.radians(azimuth_deg - ellipse.azimuth_deg.numpy())
    along, across = distance_km * np.cos(turned), distance_km * np.sin(turned)
    return (along / ellipse.major_km.numpy()) ** 2 + (across / ellipse.minor_km.numpy()) ** 2 <= 1


@pytest.mark.parametrize("known", [True, False], ids=["given sigmas", "estimated scale"])
def test_95_percent_of_the_ellipses_hold_the_epicentre(known: bool) -> None:
    """Errors of equal size; relative ones are in test_ellipse_coverage."""
    held, held68 = [], []
    for n_stations in (5, 6, 8, 10, 12):
        events = random_events(N_EVENTS // 4, n_stations, distance_km=(40, 300), seed=n_stations)
        noisy = _noisy(events, 8.0)
        sigmas = {"offset_sigma_km": np.full_like(noisy, 8.0)} if known else {"errors": "equal"}
        found = _locate(events, noisy, **sigmas)
        judged = found.gap_deg.numpy() < 270
        held.append(_inside(found, found.ellipse95, events)[judged])
        held68.append(_inside(found, found.ellipse68, events)[judged])
    share, share68 = np.concatenate(held).mean(), np.concatenate(held68).mean()
    assert len(np.concatenate(held)) > N_EVENTS
    assert 0.93 <= share <= 0.97
    assert 0.64 <= share68 <= 0.72


def test_ellipses_hold_the_epicentre_with_back_azimuths_too() -> None:
    events = random_events(600, 4, distance_km=(40, 300))
    rng = np.random.default_rng(4)
    turned = events["back_azimuth_deg"] + rng.normal(0, 4, events["back_azimuth_deg"].shape)
    sigmas = {"offset_sigma_km": np.full((600, 4), 8.0), "azimuth_sigma_deg": np.full((600, 4), 4.0)}
    found = _locate(events, _noisy(events, 8.0), back_azimuth_deg=turned, **sigmas)
    assert 0.92 <= _inside(found, found.ellipse95, events).mean() <= 0.98
    alone = _locate(events, _noisy(events, 8.0), offset_sigma_km=sigmas["offset_sigma_km"])
    assert found.ellipse95.major_km.median() < 0.8 * alone.ellipse95.major_km.nanmedian()


def test_the_covariance_is_the_scatter_of_repeated_locations() -> None:
    one = random_events(1, 8, seed=5)
    events = {name: np.repeat(values, 800, 0) for name, values in one.items()}
    found = _locate(events, _noisy(events, 4.0), offset_sigma_km=np.full((800, 8), 4.0))
    here = found.latitude_deg.numpy(), found.longitude_deg.numpy()
    distance_km, azimuth_deg, _ = geodesic(events["latitude_deg"], events["longitude_deg"], *here)
    scatter = np.cov(distance_km * np.cos(np.radians(azimuth_deg)), distance_km * np.sin(np.radians(azimuth_deg)))
    stated = found.covariance_km2.mean(0).numpy()
    assert np.abs(stated - scatter).max() < 0.15 * np.trace(scatter)
    major = np.linalg.eigh(scatter)[1][:, 1]
    direction_deg = math.degrees(math.atan2(major[1], major[0])) % 180
    turned = (found.ellipse95.azimuth_deg.median().item() - direction_deg + 90) % 180 - 90
    assert abs(turned) < 8


def test_sigmas_that_are_too_small_are_seen_and_multiplied() -> None:
    events = random_events(300, 10, distance_km=(40, 300))
    found = _locate(events, _noisy(events, 12.0), offset_sigma_km=np.full((300, 10), 3.0))
    assert (found.scale > 1).float().mean() > 0.95
    assert found.scale.median().item() == pytest.approx(4, rel=0.25)
    assert 0.88 < _inside(found, found.ellipse95, events).mean() < 0.985
    honest = _locate(events, _noisy(events, 3.0), offset_sigma_km=np.full((300, 10), 3.0))
    assert (honest.scale == 1).float().mean() > 0.97


def test_without_sigmas_the_scale_is_that_of_the_errors() -> None:
    events = random_events(300, 12, distance_km=(40, 300))
    found = _locate(events, _noisy(events, 6.0))
    assert found.scale.median().item() == pytest.approx(6, rel=0.1)
    wrong = _noisy(events, 6.0)
    wrong[:, 0] += 250
    assert _locate(events, wrong).scale.median().item() < 12


def test_the_constants_of_the_loss_are_those_of_normal_errors() -> None:
    nu = student.DEGREES_OF_FREEDOM

    def mean(function: object) -> float:
        return quad(lambda u: function(u) * stats.norm.pdf(u), -12, 12)[0]

    def variance(scale: float) -> float:
        psi2 = mean(lambda u: ((nu + 1) * (u / scale) / (nu + (u / scale) ** 2)) ** 2)
        slope = mean(lambda u: (nu + 1) * (nu - (u / scale) ** 2) / (nu + (u / scale) ** 2) ** 2)
        return scale**2 * psi2 / slope**2

    scale = optimize.brentq(lambda s: mean(lambda u: (nu + 1) * (u / s) ** 2 / (nu + (u / s) ** 2)) - 1, 0.2, 2)
    assert pytest.approx(scale, abs=1e-3) == student.NORMAL_SCALE
    assert pytest.approx(mean(lambda u: (nu + 1) / (nu + u * u)), abs=1e-3) == student.NORMAL_WEIGHT
    assert pytest.approx(variance(1.0), abs=1e-3) == student.VARIANCE_KNOWN
    assert pytest.approx(variance(scale), abs=1e-3) == student.VARIANCE_FITTED


def test_the_fitted_scale_minimises_the_cost() -> None:
    rng = np.random.default_rng(0)
    residual = rng.normal(0, 7, (20, 9)) * np.where(rng.random((20, 9)) < 0.1, 30, 1)
    dof = torch.full((20,), 7.0, dtype=torch.float64)
    scale = student.fitted_scale(torch.as_tensor(residual), dof)
    for row, ours in zip(residual, scale.tolist(), strict=True):
        found = optimize.minimize_scalar(
            lambda log_s, row=row: 7 * log_s + 2.5 * np.log1p(row**2 / 4 / math.exp(2 * log_s)).sum(), bounds=(-4, 8)
        )
        assert ours == pytest.approx(math.exp(found.x), rel=0.01)


def test_ellipse_factors_are_those_of_chi_square_and_f() -> None:
    eye, dof = np.tile(np.eye(2), (3, 1, 1)), np.array([3.0, 8.0, 1.0])
    radius, _, _ = Uncertainty(eye, np.ones(3), np.array([False, True, True]), dof).ellipse(0.95)
    assert radius[0] ** 2 == pytest.approx(stats.chi2.ppf(0.95, 2), rel=1e-6)
    assert radius[1] ** 2 == pytest.approx(2 * stats.f.ppf(0.95, 2, 8), rel=1e-6)
    assert radius[2] ** 2 == pytest.approx(2 * stats.f.ppf(0.95, 2, 1), rel=1e-6)


def test_the_gap_counts_across_north_and_skips_unused_stations() -> None:
    azimuth = np.array([[350.0, 10.0, 100.0, 200.0], [350.0, 10.0, 100.0, 200.0], [42.0, 0.0, 0.0, 0.0]])
    used = np.array([[True] * 4, [True, True, False, True], [True, False, False, False]])
    assert azimuthal_gap_deg(azimuth, used).tolist() == [150.0, 190.0, 360.0]
