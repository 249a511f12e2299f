"""Spectrograms of single traces show which frequency was there when, and nothing else."""

from typing import Any

import numpy as np
import pytest
import torch
from made_sections import RATE_HZ
from made_traces import noisy_traces, renamed, sine, single, traces

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views import pixel_powers
from seisvision.views.amplitude import low_quantile
from seisvision.views.filter_bank import bank_length, filter_bank
from seisvision.views.traces import spectrogram as spectrogram_module
from seisvision.views.traces.spectrogram import SpectrogramView

LOOKS: dict[str, dict[str, Any]] = {
    "log": {},
    "linear": {"axis": "linear", "frequency_range_hz": (0.0, 0.95)},
    "absolute": {"scale": "absolute", "range_db": (-220.0, -120.0)},
}


def view(look: str = "log", **changes: Any) -> SpectrogramView:
    return SpectrogramView(**({"height": 40, "width": 120, "components": "Z"} | LOOKS[look] | changes))


@pytest.mark.parametrize("look", LOOKS)
def test_pictures_have_shape_type_and_range(look: str) -> None:
    drawn = view(look, components="ZNE")(noisy_traces(components=3))
    assert drawn.shape == (3, 3, 40, 120) and drawn.dtype == torch.float32
    assert drawn.amin() >= 0 and 0.5 < drawn.amax() <= 1 and drawn.std() > 0.05
    assert torch.equal(drawn, view(look, components="ZNE")(noisy_traces(components=3)))
    assert view(look, components="ZNE").to_uint8(drawn).shape == (3, 40, 120, 3)
    assert list(view(look, components="ZNE").describe())[2].startswith("E ")


@pytest.mark.parametrize("look", LOOKS)
def test_a_trace_is_drawn_alike_alone_and_beside_others_whatever_it_is_called(look: str) -> None:
    batch = noisy_traces()
    together = view(look)(batch)
    for number in range(3):
        torch.testing.assert_close(view(look)(single(batch, number))[0], together[number], atol=1e-4, rtol=0)
    assert torch.equal(view(look)(renamed(batch)), together)


def test_amplitude_does_not_matter_on_a_relative_scale() -> None:
    batch = noisy_traces()
    drawn = view()(batch)
    assert torch.equal(view()(batch | {keys.WAVEFORM: batch[keys.WAVEFORM] * 2.0**20}), drawn)
    for factor in (1e6, 1e-12):
        scaled = view()(batch | {keys.WAVEFORM: batch[keys.WAVEFORM] * factor})
        torch.testing.assert_close(scaled, drawn, atol=2e-3, rtol=0)


@pytest.mark.parametrize("look", ["log", "linear"])
@pytest.mark.parametrize("frequency_hz", [0.05, 0.2, 0.8])
def test_a_burst_lights_up_its_frequency_and_time(look: str, frequency_hz: float) -> None:
    noise = 1e-3 * torch.randn(3600, generator=torch.Generator().manual_seed(1))
    waveform = sine(frequency_hz, start_s=800, end_s=1000) + noise
    spectrogram = view(look, range_db=(0.0, 80.0))
    drawn = spectrogram(traces(waveform))[0, 0]
    row = int(drawn[:, 60].argmax())
    expected = int((spectrogram.row_frequency_hz.log() - np.log(frequency_hz)).abs().argmin())
    assert abs(row - expected) <= 1
    lit = (drawn[row] > drawn[row].amax() / 2).nonzero()[:, 0].tolist()
    assert lit == list(range(min(lit), max(lit) + 1))
    assert abs(min(lit) - 800 / 15) <= 4 and abs(max(lit) - 1000 / 15) <= 4


def test_low_frequencies_lie_at_the_bottom() -> None:
    frequency_hz = view().row_frequency_hz
    assert frequency_hz[0] > frequency_hz[-1]
    assert frequency_hz[0] < 0.95 and frequency_hz[-1] > 1 / 150


@pytest.mark.parametrize("at_s", [10.0, 700.0, 1790.0])
def test_a_spike_lands_at_its_time(at_s: float) -> None:
    waveform = 1e-4 * torch.randn(1, 1, 1, 3600, generator=torch.Generator().manual_seed(2))
    waveform[..., round(at_s * RATE_HZ)] = 1.0
    drawn = view("absolute", range_db=(-60.0, 0.0), sigma_octaves=0.5)(traces(waveform))[0, 0]
    assert abs(int(drawn[0].argmax()) - int(at_s / 15)) <= 1


def test_absolute_decibels_are_those_of_the_mean_square() -> None:
    amplitude = 3e-6
    steady = view("absolute", range_db=(-200.0, 0.0))(traces(amplitude * sine(0.2)))[0, 0]
    strongest_db = float(steady[:, 60].amax()) * 200 - 200
    # Half a decibel: no row lies exactly at 0.2 Hz.
    assert abs(strongest_db - 10 * np.log10(amplitude**2 / 2)) < 0.5


@pytest.mark.slow
def test_the_linear_axis_is_a_gaussian_short_time_fourier_transform() -> None:
    """A chirp, against scipy's ShortTimeFFT with the window that belongs to the bands."""
    from scipy.signal import ShortTimeFFT, chirp
    from scipy.signal.windows import gaussian

    sigma_hz, samples = 0.02, 3600
    time_s = np.arange(samples) / RATE_HZ
    series = chirp(time_s, 0.05, 1800, 0.7)
    window = gaussian(201, std=RATE_HZ / (2 * np.pi * sigma_hz))
    transform = ShortTimeFFT(window / window.sum(), hop=1, fs=RATE_HZ, mfft=40000)
    magnitude = np.abs(transform.stft(series, p0=0, p1=samples))
    spectrogram = view("linear", sigma_hz=sigma_hz, scale="absolute", range_db=(-60.0, 0.0), width=120)
    rows = np.rint(spectrogram.row_frequency_hz.numpy() / transform.delta_f).astype(int)
    power = 2 * magnitude[rows] ** 2
    theirs_db = 10 * np.log10(power.reshape(40, 120, 30).mean(-1) + 1e-12)
    waveform = torch.from_numpy(series).float().view(1, 1, 1, -1)
    ours_db = spectrogram(traces(waveform))[0, 0].numpy() * 60 - 60
    inside = (theirs_db > -30) & (np.arange(120) > 2) & (np.arange(120) < 117)
    assert inside.sum() > 400
    assert np.abs(ours_db - theirs_db)[inside].max() < 0.3


@pytest.mark.parametrize("look", LOOKS)
def test_faulty_traces_draw_nothing(look: str) -> None:
    batch = noisy_traces(5)
    batch[keys.WAVEFORM][0] = 0.0
    batch[keys.WAVEFORM][1] = 7.0
    batch[keys.WAVEFORM][2, ..., 100] = torch.nan
    batch[keys.STATION_MASK][3] = False
    drawn = view(look)(batch)
    assert (drawn[:4] == 0).all() and drawn[4].amax() > 0.5


@pytest.mark.parametrize("look", LOOKS)
def test_what_was_not_recorded_stays_white(look: str) -> None:
    batch = noisy_traces(1)
    whole = view(look)(batch)
    batch[keys.WAVEFORM][..., 3000:] = 0.0
    drawn = view(look)(batch)
    assert (drawn[..., 101:] == 0).all()
    torch.testing.assert_close(drawn[..., 20, :80], whole[..., 20, :80], atol=0.05, rtol=0)


@pytest.mark.parametrize("samples", [60, 1187, 2401])
@pytest.mark.parametrize("look", LOOKS)
def test_windows_of_any_length_are_drawn(look: str, samples: int) -> None:
    waveform = torch.randn(2, 1, 1, samples, generator=torch.Generator().manual_seed(3))
    waveform += 30 * sine(0.5, samples, samples / 4 - 5, samples / 4 + 5)
    drawn = view(look, range_db=(-30.0, 30.0))(traces(waveform))
    row = int((view(look).row_frequency_hz - 0.5).abs().argmin())
    assert drawn.shape == (2, 1, 40, 120) and drawn.isfinite().all()
    assert abs(int(drawn[0, 0, row].argmax()) - 60) <= max(3, 600 // samples * 3)


def test_wrong_settings_and_samples_are_refused() -> None:
    for wrong in (
        {"axis": "mel"},
        {"scale": "trace"},
        {"range_db": (30.0, 3.0)},
        {"frequency_range_hz": (0.0, 0.9)},
        {"sigma_octaves": 0.0},
    ):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            view(**wrong)
    with pytest.raises(ConfigurationError, match="Nyquist frequency 1 Hz"):
        view(frequency_range_hz=(0.01, 1.2))(noisy_traces())
    with pytest.raises(ConfigurationError, match="2 stations"):
        view()(traces(torch.randn(1, 2, 1, 1200)))


@pytest.mark.parametrize("axis", ["log", "linear"])
def test_rows_at_once_and_in_blocks_are_rows_one_by_one(axis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_powers, "CPU_BLOCK_BYTES", 30_000)
    centre_hz = SpectrogramView(16, 24, frequency_range_hz=(0.02, 0.999), axis=axis).row_frequency_hz
    sigma = 0.25 if axis == "log" else 0.02
    bank = filter_bank(axis, tuple(centre_hz.tolist()), sigma, 1200, 1440, 24, 2.0, torch.device("cpu"))
    spectrum = torch.randn(5, 721, generator=torch.Generator().manual_seed(0), dtype=torch.complex64)
    assert sum(len(part.gain) for part in bank) == 16
    power, elsewhere = torch.full((2, 5, 16, 24), torch.nan)
    pixel_powers.write_powers(bank, spectrum, power)
    for part in bank:
        pixel_powers._write_on_accelerator(
            part, spectrum, elsewhere[:, part.first_row : part.first_row + len(part.gain)]
        )
        for row, (bins, gain) in enumerate(zip(part.bins, part.gain, strict=True), part.first_row):
            band = torch.fft.ifft(spectrum[:, bins].to(torch.complex128) * gain, n=part.samples, norm="forward")
            pixels = band[:, : 24 * part.per_pixel].abs().square().view(5, 24, part.per_pixel).sum(-1)
            assert (power[:, row] - pixels).abs().max() < 1e-6 * pixels.max()
            assert (elsewhere[:, row] - pixels).abs().max() < 1e-6 * pixels.max()


@pytest.mark.parametrize(("samples", "pixels", "padding"), [(3600, 192, 64), (3600, 192, 1102), (1187, 120, 40)])
def test_lengths_of_transforms_keep_pixels_whole_and_are_even(samples: int, pixels: int, padding: int) -> None:
    length = bank_length(samples, pixels, padding)
    assert samples + padding <= length and length % 2 == 0 and length * pixels % samples == 0


@pytest.mark.parametrize("look", LOOKS)
def test_many_pictures_are_those_of_one_after_the_other(look: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = noisy_traces(5)
    together = view(look)(batch)
    monkeypatch.setattr(pixel_powers, "CPU_BLOCK_BYTES", 1)
    monkeypatch.setattr(spectrogram_module, "CPU_BLOCK_BYTES", 1)
    torch.testing.assert_close(view(look)(batch), together, atol=2e-6, rtol=0)


def test_noise_is_measured_on_means_of_whole_groups_of_pixels() -> None:
    power = torch.arange(2 * 11, dtype=torch.float32).view(2, 11)
    torch.testing.assert_close(spectrogram_module._steady(power), torch.nn.functional.avg_pool1d(power, 4))


@pytest.mark.parametrize("look", LOOKS)
def test_pictures_hardly_depend_on_the_length_of_the_transform(look: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = noisy_traces()
    drawn = view(look)(batch)
    monkeypatch.setattr(spectrogram_module, "bank_length", lambda *given: 4 * bank_length(*given))
    apart = (view(look)(batch) - drawn).abs()
    # The bands of the lowest rows of a linear axis end at zero frequency, and so ring through the whole window.
    assert apart.mean() < 1e-3 and apart[:, :, :-8].amax() < 0.02


@pytest.mark.parametrize("zeros", [7, 15, 18, 40])
def test_traces_that_are_recorded_throughout_at_a_glance_are(zeros: int) -> None:
    ground = torch.ones(1, 1, 3600)
    ground[..., 1000 : 1000 + zeros] = 0
    recorded = spectrogram_module._recorded(ground, 192).bool().all()
    assert bool(recorded) == (zeros < 38)
    assert spectrogram_module._recorded_throughout(ground, 192) == (zeros < 8)
    assert not spectrogram_module._recorded_throughout(torch.ones(1, 1, 3601), 192)


def test_noise_without_zeros_is_found_as_with_them() -> None:
    values = torch.rand(6, 48, generator=torch.Generator().manual_seed(0)) + 0.1
    beside = torch.cat([values, torch.zeros(1, 48)])
    for quantile in (0.01, 0.2, 0.25, 0.5, 1.0):
        assert torch.equal(low_quantile(values, quantile), low_quantile(beside, quantile)[:6])
    # A rank that is a half but for rounding.
    values = torch.arange(1.0, 101.0)[None]
    assert low_quantile(values, 0.545) == low_quantile(torch.cat([values, torch.zeros(1, 100)]), 0.545)[0]
