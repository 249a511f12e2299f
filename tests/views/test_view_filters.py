"""Band filters pass, stop and keep in place what they should."""

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfiltfilt

from seisvision.errors import ConfigurationError
from seisvision.views.filters import BandFilter, band_gain, filter_bands, remove_mean

RATE_HZ = 2.0
BANDS_HZ = [(1 / 150, 1 / 35), (1 / 30, 1 / 10), (0.4, 0.95)]
SAMPLES = 3600


def sine(period_s: float, samples: int = SAMPLES) -> torch.Tensor:
    return torch.sin(2 * torch.pi * torch.arange(samples, dtype=torch.float64) / RATE_HZ / period_s).float()


def noise(traces: int = 8, samples: int = SAMPLES) -> torch.Tensor:
    return torch.randn(traces, samples, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("band", "period_s"), [(0, 70.0), (1, 17.0), (2, 1.6)])
def test_middle_of_band_passes_and_other_bands_stop(band: int, period_s: float) -> None:
    results = filter_bands(sine(period_s), RATE_HZ, BANDS_HZ)
    middle = slice(1000, 2600)
    torch.testing.assert_close(results[band][middle], sine(period_s)[middle], atol=0.02, rtol=0)
    for other in {0, 1, 2} - {band}:
        assert results[other][middle].abs().max() < 0.01


def test_agrees_with_zero_phase_butterworth_inside_and_far_outside_the_band() -> None:
    low_hz, high_hz = BANDS_HZ[1]
    ours = filter_bands(noise(), RATE_HZ, [BANDS_HZ[1]])[0][:, 600:-600]
    sections = butter(4, (low_hz, high_hz), "bandpass", fs=RATE_HZ, output="sos")
    theirs = sosfiltfilt(sections, noise().double().numpy(), axis=-1)[:, 600:-600]
    ours_spectrum, theirs_spectrum = (np.abs(np.fft.rfft(x * np.hanning(x.shape[-1]))) for x in (ours.numpy(), theirs))
    frequency_hz = np.fft.rfftfreq(ours.shape[-1], 1 / RATE_HZ)
    inside = (frequency_hz > 0.05) & (frequency_hz < 0.075)
    outside = (frequency_hz < low_hz / 2.5) | (frequency_hz > 2.5 * high_hz)
    assert np.corrcoef(ours.numpy().ravel(), theirs.ravel())[0, 1] > 0.99
    assert ours_spectrum[:, inside].sum() / theirs_spectrum[:, inside].sum() == pytest.approx(1, abs=0.02)
    assert ours_spectrum[:, outside].max() < 0.02 * ours_spectrum[:, inside].max()


def test_corners_are_half_and_zero_frequency_is_stopped() -> None:
    gain = band_gain(torch.tensor([0.0, 0.1, 0.2, 0.4, 1.0]), (0.1, 0.4))
    torch.testing.assert_close(gain, torch.tensor([0.0, 0.5, 1.0, 0.5, 0.0]))


@pytest.mark.parametrize("grid", [224, 128, 97])
@pytest.mark.parametrize("samples", [3600, 3584, 1801, 1000])
def test_short_inverse_equals_samples_of_the_full_length_result(grid: int, samples: int) -> None:
    waveform = noise(3, samples)
    full = filter_bands(waveform, RATE_HZ, BANDS_HZ[:2])
    short = filter_bands(waveform, RATE_HZ, BANDS_HZ[:2], grid=grid)
    for fine, coarse in zip(full, short, strict=True):
        kept = coarse.shape[-1]
        assert kept % grid == 0
        at = np.arange(kept) * samples / kept
        for row, coarse_row in zip(fine.numpy(), coarse.numpy(), strict=True):
            expected = np.interp(at, np.arange(samples), row)
            assert np.abs(expected - coarse_row)[at < samples - 1].max() < 0.05 * np.abs(row).max()


def test_short_inverse_is_short_where_the_band_is_low() -> None:
    lengths = [series.shape[-1] for series in filter_bands(noise(1), RATE_HZ, BANDS_HZ, grid=224)]
    assert lengths[0] <= 3 * 224
    assert lengths[0] < lengths[1] < lengths[2] <= 1.2 * SAMPLES


def test_nothing_wraps_from_the_end_to_the_start() -> None:
    waveform = torch.zeros(SAMPLES)
    waveform[-200:] = 100 * sine(60.0, 200)
    for result in filter_bands(waveform, RATE_HZ, BANDS_HZ):
        assert result[:1200].abs().max() < 0.01 * result.abs().max()


def test_drift_longer_than_the_band_stays_out_of_the_ends() -> None:
    drift = torch.cos(2 * torch.pi * torch.arange(SAMPLES) / SAMPLES * 1.3)
    result = filter_bands(drift, RATE_HZ, [BANDS_HZ[0]])[0]
    inside = drift.clone()
    ramp = 0.5 - 0.5 * torch.cos(torch.pi * torch.arange(180) / 180)
    inside[:180] *= ramp
    inside[-180:] *= ramp.flip(0)
    customary = filter_bands(torch.nn.functional.pad(inside, (900, 900)), RATE_HZ, [BANDS_HZ[0]])[0]
    assert result.abs().max() < 0.5 * customary.abs().max()


def test_energy_at_the_very_start_survives() -> None:
    waveform = torch.zeros(SAMPLES)
    waveform[20:60] = sine(1.6, 40)
    assert filter_bands(waveform, RATE_HZ, [BANDS_HZ[2]])[0][20:60].abs().max() > 0.5


def test_mean_is_taken_of_recorded_samples_only() -> None:
    waveform = torch.cat([torch.zeros(1000), 5000 + noise(1, 2600)[0]])
    centred, mean = remove_mean(waveform)
    assert centred[:1000].abs().max() == 0
    assert mean == pytest.approx(5000, abs=1)
    assert centred.abs().max() < 10


def test_traces_do_not_see_each_other() -> None:
    waveform = noise(4)
    spoilt = waveform.clone()
    spoilt[2] = torch.nan
    clean, result = (filter_bands(x, RATE_HZ, BANDS_HZ, grid=224) for x in (waveform, spoilt))
    for a, b in zip(clean, result, strict=True):
        assert torch.equal(a[[0, 1, 3]], b[[0, 1, 3]])
        assert b[2].isnan().all()


@pytest.mark.parametrize(
    ("band_hz", "message"), [((0.5, 0.5), "empty"), ((0.0, 0.1), "empty"), ((0.5, 1.0), "Nyquist frequency 1 Hz")]
)
def test_impossible_bands_are_refused(band_hz: tuple[float, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        filter_bands(noise(1), RATE_HZ, [band_hz])


def test_taper_longer_than_the_window_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"taper_s=2000"):
        BandFilter(SAMPLES, RATE_HZ, BANDS_HZ, taper_s=2000.0)
