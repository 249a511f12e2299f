"""More noise put into a picture is more noise put into the waveforms."""

import torch
from made_sections import wave_trains

from seisvision import keys
from seisvision.views.noise import in_more_noise
from seisvision.views.sections.stacked_spectrogram import StackedSpectrogram

RANGE_DB = (0.0, 60.0)


def test_a_picture_in_more_noise_is_the_picture_of_noisier_waveforms() -> None:
    view = StackedSpectrogram(width=30, range_db=RANGE_DB, channels=[{"component": "Z", "align": 4.0, "start_s": -120}])
    batch = wave_trains(events=2, stations=12, components=3)
    more = torch.randn(batch[keys.WAVEFORM].shape, generator=torch.Generator().manual_seed(7))
    # The noise of these waveforms is white, with a standard deviation of 5e-9; three times its power is 6 dB more.
    noisier = batch | {keys.WAVEFORM: batch[keys.WAVEFORM] + 5e-9 * 3**0.5 * more}
    expected, drawn = view(noisier), view(batch)
    made = in_more_noise(drawn, RANGE_DB, torch.full((2,), 10 * torch.log10(torch.tensor(4.0)).item()))
    signal = drawn > 0.35
    assert signal.sum() > 50
    before, after = (drawn - expected)[signal].mean(), (made - expected)[signal].mean()
    assert before * 60 > 4 and abs(after) * 60 < 1


def test_no_more_noise_changes_nothing_and_dark_stays_dark() -> None:
    image = torch.rand(3, 2, 4, 5, generator=torch.Generator().manual_seed(0)) * 0.98 + 0.01
    image[:, :, 1] = 0
    torch.testing.assert_close(in_more_noise(image, RANGE_DB, torch.zeros(3)), image, atol=1e-5, rtol=0)
    much = in_more_noise(image, RANGE_DB, torch.tensor([0.0, 5.0, 200.0]))
    assert not much[:, :, 1].any() and (much[1] <= image[1] + 1e-6).all() and much[2].amax() < 1e-4
