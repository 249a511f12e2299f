"""ObsPy's own pictures of single traces: leak-free by default, and what our own are measured against."""

import numpy as np
import pytest
import torch
from made_traces import noisy_traces, renamed, traces

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.channels import Channel
from seisvision.views.reference.trace_obspy import SpectrogramObspy, TraceObspy, draw_spectrogram, draw_trace
from seisvision.views.traces.spectrogram import SpectrogramView
from seisvision.views.traces.trace import TraceView


def obspy_trace(network: str = "DK", station: str = "ILULI", start: str = "2009-05-01"):  # type: ignore[no-untyped-def]
    from obspy import Trace, UTCDateTime

    header = {"network": network, "station": station, "sampling_rate": 2.0, "starttime": UTCDateTime(start)}
    return Trace(noisy_traces(1)[keys.WAVEFORM][0, 0, 0].numpy(), header)


@pytest.mark.parametrize("kind", [TraceObspy, SpectrogramObspy])
def test_pictures_have_shape_type_and_range(kind: type[TraceObspy]) -> None:
    view = kind(48, 64, components="Z")
    drawn = view(noisy_traces())
    assert drawn.shape == (3, 3, 48, 64) and drawn.dtype == torch.float32
    assert drawn.amin() >= 0 and 0.3 < drawn.amax() <= 1 and drawn.std() > 0.05
    assert torch.equal(view(renamed(noisy_traces())), drawn)
    assert view.to_uint8(drawn).shape == (3, 48, 64, 3) and view.unit == "trace"


@pytest.mark.parametrize("draw", [draw_trace, draw_spectrogram])
def test_names_and_times_leave_no_trace_without_decorations(draw) -> None:  # type: ignore[no-untyped-def]
    plain, other = obspy_trace(), obspy_trace("XX", "OTHER", "1999-12-31")
    assert np.array_equal(draw(plain), draw(other))
    if draw is draw_trace:
        assert not np.array_equal(draw(plain, True), draw(other, True))


def test_a_fixed_level_keeps_absolute_amplitudes() -> None:
    batch = noisy_traces()
    quiet = batch | {keys.WAVEFORM: batch[keys.WAVEFORM] / 4}
    assert torch.equal(TraceObspy(components="Z")(batch), TraceObspy(components="Z")(quiet))
    fixed = TraceObspy(components="Z", fixed_level=2e-7)
    assert fixed(batch).mean() > 1.1 * fixed(quiet).mean()


@pytest.mark.parametrize("kind", [TraceObspy, SpectrogramObspy])
def test_faulty_traces_draw_nothing(kind: type[TraceObspy]) -> None:
    batch = noisy_traces(5)
    batch[keys.WAVEFORM][0] = 0.0
    batch[keys.WAVEFORM][1] = 7.0
    batch[keys.WAVEFORM][2, ..., 100] = torch.nan
    batch[keys.STATION_MASK][3] = False
    drawn = kind(48, 64, components="Z")(batch)
    assert (drawn[:4] == 0).all() and drawn[4].amax() > 0.3


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def test_our_lines_look_like_those_of_obspy() -> None:
    band_hz = (1 / 60, 1 / 15)
    batch = noisy_traces()
    theirs = TraceObspy(125, 400, band_hz=band_hz, components="Z")(batch)[:, 0]
    ours = TraceView(125, 400, [Channel("Z", band_hz)], clip_quantile=1.0, deflection=0.91, components="Z")(batch)[:, 0]
    for trace in range(3):
        assert correlation(ours[trace], theirs[trace]) > 0.7
        assert correlation(ours[trace].mean(0), theirs[trace].mean(0)) > 0.9


def test_our_spectrograms_look_like_those_of_obspy() -> None:
    batch = noisy_traces()
    # A window of 128 samples at 2 Hz, Hann as ObsPy takes it, has about the resolution of this Gaussian.
    ours = SpectrogramView(
        64, 128, (0.0, 1.0), axis="linear", sigma_hz=0.012, scale="absolute", range_db=(-190.0, -130.0), components="Z"
    )(batch)[:, 0]
    theirs = SpectrogramObspy(64, 128, components="Z")(batch)
    # The colour map turns from blue to yellow: green rises all along.
    for trace in range(3):
        inside = (slice(None), slice(5, -5))
        power = 10 ** (ours[trace][inside] * 60 / 20)
        assert correlation(power, theirs[trace, 1][inside]) > 0.85


def test_wrong_settings_and_samples_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="component='R'"):
        TraceObspy(component="R")
    with pytest.raises(ConfigurationError, match="2 stations"):
        TraceObspy(components="Z")(traces(torch.randn(1, 2, 1, 1200)))
    with pytest.raises(ConfigurationError, match="256 samples"):
        SpectrogramObspy(components="Z")(traces(torch.randn(1, 1, 1, 200)))
