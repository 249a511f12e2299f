"""Noise levels, data faults and digitisation."""

import numpy as np
import pytest
from scipy.signal import welch

from seisvision.data.synthesis.faults import FAULT_PROBABILITY, draw_faults, record_with_faults
from seisvision.data.synthesis.generator import QUANTA_PER_DEVIATION, digitise
from seisvision.data.synthesis.noise import NoiseModel

PERIODS_S = np.array([1.5, 3, 6, 10, 20, 40, 80, 120])


def acceleration_db(velocity, rate_hz):
    """Welch density of ground acceleration at PERIODS_S, dB re 1 (m/s2)2/Hz."""
    frequency, density = welch(velocity, rate_hz, nperseg=1024, axis=-1)
    level = 10 * np.log10(density[..., 1:] * (2 * np.pi * frequency[1:]) ** 2)
    picked = np.abs(frequency[1:, None] - 1 / PERIODS_S).argmin(0)
    return level[..., picked]


@pytest.fixture(scope="module")
def noise_db(clean):
    model = NoiseModel(clean.grid, clean.tables.noise, 0.0)
    signal = clean.grid.to_time(model.spectra(np.random.default_rng(0), 150))
    return acceleration_db(signal, clean.grid.sampling_rate_hz)


def peterson(clean):
    from obspy.signal.spectral_estimation import get_nhnm, get_nlnm

    return [np.interp(np.log(PERIODS_S), np.log(p[::-1]), db[::-1]) for p, db in (get_nlnm(), get_nhnm())]


def test_vertical_noise_lies_between_petersons_models(clean, noise_db):
    low, high = peterson(clean)
    assert ((noise_db[0] > low - 3) & (noise_db[0] < high + 3)).mean() > 0.97
    middle = (np.median(noise_db[0], axis=0) - low) / (high - low)
    assert ((middle > 0.15) & (middle < 0.6)).all()


def test_stations_differ_and_horizontals_tilt_at_long_periods(noise_db):
    assert noise_db[0, :, 4].std() > 3
    excess = np.median(noise_db[1] - noise_db[0], axis=0)
    assert excess[-1] > 5
    assert abs(excess[:4]).max() < 1


def test_noise_db_shifts_the_level(clean):
    quiet, loud = (
        NoiseModel(clean.grid, clean.tables.noise, level).spectra(np.random.default_rng(1), 4) for level in (0.0, 10.0)
    )
    np.testing.assert_allclose(np.abs(loud[..., 50:-1]) / np.abs(quiet[..., 50:-1]), 10**0.5, rtol=1e-4)


def test_no_drift_slower_than_the_sensor(clean):
    spectrum = NoiseModel(clean.grid, clean.tables.noise, 0.0).spectra(np.random.default_rng(2), 3)
    assert np.abs(spectrum[..., clean.grid.frequency_hz < 1 / 400]).max() == 0


def test_faults_come_with_their_probability():
    drawn = draw_faults(np.random.default_rng(0), 20_000, 1.0)
    for name, probability in FAULT_PROBABILITY.items():
        assert sum(name in present for present in drawn) / 20_000 == pytest.approx(probability, rel=0.15)
    assert all(present == ("dead",) for present in drawn if "dead" in present)
    assert not any(draw_faults(np.random.default_rng(0), 1000, 0.0))


@pytest.fixture
def faulty():
    motion = np.random.default_rng(3).standard_normal((6, 3, 5000)).astype(np.float32)
    names = [(name,) for name in ("dead", "polarity", "gain", "clock", "gap", "glitch")]
    return motion, record_with_faults(np.random.default_rng(11), motion, names, 3600, 2.0)[0]


def test_each_fault_does_what_its_name_says(faulty):
    motion, record = faulty
    plain = motion[..., :3600]
    assert (record[0] == 0).all()
    np.testing.assert_array_equal(record[1], -plain[1])
    factor = record[2] / plain[2]
    assert factor.std() < 1e-3 * factor.mean()
    assert 0.1 <= factor.mean() <= 10
    shift = next(k for k in range(-60, 60) if k and (np.roll(motion[3], k, -1)[:, :3600] == record[3]).all())
    assert abs(shift) <= 60
    assert 19 <= (record[4] == 0).all(0).sum() <= 400 or (record[4, :, -1] == 0).all()
    assert [(record[5, c] != plain[5, c]).any() for c in range(3)].count(True) == 1


def test_digital_steps_are_powers_of_two_below_the_background():
    rng = np.random.default_rng(4)
    record = (1e-7 * rng.standard_normal((2, 3, 3600))).astype(np.float32)
    record[0, 0, 1000:1100] *= 1e4
    rounded = digitise(record)
    largest_step = 1e-7 / QUANTA_PER_DEVIATION * 1.1
    assert np.abs(rounded - record).max() <= 0.5 * largest_step
    smallest = np.abs(rounded[rounded != 0]).min()
    assert np.log2(smallest) == round(np.log2(smallest))


def test_digitising_keeps_silence_and_half_silence():
    record = np.zeros((2, 1, 100), np.float32)
    record[1, 0, :30] = np.linspace(-1, 1, 30)
    rounded = digitise(record)
    assert (rounded[0] == 0).all()
    np.testing.assert_allclose(rounded[1], record[1], atol=0.02)


def test_digitising_adds_no_noise_at_long_periods(real):
    """Between 35 and 150 s the rounding error is below a hundredth of the seismic noise power."""
    noise = NoiseModel(real.grid, real.tables.noise, 0.0).spectra(np.random.default_rng(5), 20)
    record = real.grid.to_time(noise)
    error = digitise(record) - record
    inside = (real.grid.frequency_hz > 1 / 150) & (real.grid.frequency_hz < 1 / 35)
    power = [np.sum(np.abs(real.grid.to_spectrum(x)[..., inside]) ** 2, axis=-1) for x in (error, record)]
    assert np.median(power[0] / power[1]) < 0.01
