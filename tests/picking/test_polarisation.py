"""Back azimuths from the polarisation of P, against made P waves of known direction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seisvision import keys
from seisvision.angles import wrapped_difference_deg
from seisvision.errors import DataError
from seisvision.keys import ARRIVALS_S
from seisvision.picking.polarisation import Polarisation, polarise

RATE_HZ, LENGTH_S, P_S, S_S = 50.0, 20.0, 6.0, 11.0


def batch(
    back_azimuth_deg: np.ndarray, incidence_deg: float = 35.0, noise: float = 0.01, seed: int = 0, up: float = 1.0
) -> dict[str, Any]:
    """Local events: P along the ray, a stronger S across it, and noise."""
    rng = np.random.default_rng(seed)
    n, time_s = len(back_azimuth_deg), np.arange(round(LENGTH_S * RATE_HZ)) / RATE_HZ

    def pulse(start_s: float) -> np.ndarray:
        since = np.clip(time_s - start_s, 0, None)
        return np.where(since > 0, np.sin(2 * np.pi * 6 * since) * np.exp(-since / 0.6), 0)

    away, incidence = np.radians(back_azimuth_deg + 180.0), np.radians(incidence_deg)
    flat = np.sin(incidence)
    along = np.stack([np.full(n, np.cos(incidence)), flat * np.cos(away), flat * np.sin(away)])
    across = np.stack([np.zeros(n), -np.sin(away), np.cos(away)])
    # Half of the events begin with a dilatation.
    sign = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    waveform = (sign[:, None, None] * along.T[:, :, None]) * pulse(P_S) + 2 * across.T[:, :, None] * pulse(S_S)
    waveform[:, 0] *= up
    waveform += noise * rng.standard_normal(waveform.shape)
    return {
        keys.WAVEFORM: waveform[:, None].astype(np.float32),
        keys.ONSET_S: np.full((n, 1), P_S + 0.1, np.float32),
        keys.COMPONENT_MASK: np.ones((n, 1, 3), bool),
        keys.SAMPLING_RATE_HZ: RATE_HZ,
    }


AZIMUTHS = np.arange(0.0, 360.0, 7.5)


def errors(found: Polarisation, back_azimuth_deg: np.ndarray = AZIMUTHS) -> np.ndarray:
    return np.abs(wrapped_difference_deg(found.back_azimuth_deg, back_azimuth_deg))


@pytest.mark.parametrize("incidence_deg", [10.0, 35.0, 75.0])
def test_the_direction_of_p_is_found_all_round_and_for_both_polarities(incidence_deg: float) -> None:
    found = polarise(batch(AZIMUTHS, incidence_deg, noise=1e-3))
    assert errors(found).max() < 3
    assert found.incidence_deg == pytest.approx(incidence_deg, abs=1) and (found.rectilinearity > 0.98).all()
    assert found.p_s == pytest.approx(P_S, abs=0.1)
    assert ((found.back_azimuth_deg >= 0) & (found.back_azimuth_deg < 360)).all()


def test_noise_widens_the_errors_and_the_rectilinearity_tells() -> None:
    quiet, loud = (polarise(batch(AZIMUTHS, noise=noise)) for noise in (0.03, 0.3))
    assert np.median(errors(quiet)) < 3 < np.median(errors(loud))
    assert np.median(loud.rectilinearity) < np.median(quiet.rectilinearity) - 0.1
    nothing = batch(AZIMUTHS, noise=1.0)
    nothing[keys.WAVEFORM] = np.random.default_rng(1).standard_normal(nothing[keys.WAVEFORM].shape)
    assert 50 < np.nanmedian(errors(polarise(nothing))) < 130


def test_a_reversed_vertical_turns_it_round() -> None:
    found = polarise(batch(AZIMUTHS, noise=1e-3, up=-1.0))
    assert (errors(found) > 177).all()


def test_p_of_the_table_goes_before_the_detector() -> None:
    some = batch(AZIMUTHS, noise=1e-3)
    some[keys.ONSET_S][:] = S_S
    assert np.median(errors(polarise(some))) > 45
    told = np.full((len(AZIMUTHS), 1, 2), [P_S, S_S])
    told[0] = np.nan
    found = polarise({**some, ARRIVALS_S: told})
    assert errors(found)[1:].max() < 3 and found.p_s[1:] == pytest.approx(P_S) and found.p_s[0] > P_S + 1


def test_what_has_no_p_on_three_components_is_not_answered() -> None:
    some = batch(AZIMUTHS[:7], noise=1e-3)
    some[keys.COMPONENT_MASK][0, 0, 1] = False
    some[keys.ONSET_S][1] = np.nan
    some[keys.ONSET_S][2] = LENGTH_S + 1
    some[keys.ONSET_S][3] = -5.0
    some[keys.WAVEFORM][4, 0, 2] = 0.0
    some[keys.WAVEFORM][5] = 0.0
    found = polarise(some)
    for values in (found.back_azimuth_deg, found.rectilinearity, found.incidence_deg, found.p_s):
        assert np.isfinite(values).tolist() == [False] * 6 + [True]
    with pytest.raises(DataError, match="single traces"):
        polarise({**some, keys.WAVEFORM: some[keys.WAVEFORM][:, :, :2]})


def test_traces_of_a_batch_do_not_see_each_other() -> None:
    some = batch(AZIMUTHS)
    alone = polarise({key: value[5:6] if isinstance(value, np.ndarray) else value for key, value in some.items()})
    assert polarise(some).back_azimuth_deg[5] == pytest.approx(alone.back_azimuth_deg[0], abs=1e-6)
