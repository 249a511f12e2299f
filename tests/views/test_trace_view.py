"""Amplitude pictures of single traces show what was recorded and when, and nothing else."""

from typing import Any

import pytest
import torch
from made_traces import noisy_traces, renamed, single, traces

from seisvision import keys
from seisvision.errors import ConfigurationError, DataError
from seisvision.views.channels import Channel
from seisvision.views.traces.trace import SCALES, TraceView, fixed_levels

BANDS = [Channel("Z", (0.3, 0.7)), Channel("Z", (1 / 40, 1 / 10))]
LOOKS: dict[str, dict[str, Any]] = {
    "line": {},
    "filled": {"style": "filled"},
    "envelope": {"style": "envelope"},
    "decibel": {"style": "envelope", "envelope_db": (3.0, 36.0)},
    "bands": {"channels": BANDS},
    "stack": {"channels": BANDS, "stack": "all"},
    "mixed": {"channels": [BANDS[0], Channel("Z", None, "envelope")], "stack": "all", "scale": "trace-shared"},
}


def view(look: str = "line", **changes: Any) -> TraceView:
    return TraceView(**({"height": 64, "width": 120, "components": "Z"} | LOOKS[look] | changes))


def spike(at_s: float, height: float = 1.0) -> dict[str, Any]:
    waveform = torch.zeros(1, 1, 1, 2400)
    waveform[..., round(2 * at_s)] = height
    return traces(waveform)


@pytest.mark.parametrize("look", LOOKS)
def test_pictures_have_shape_type_and_range(look: str) -> None:
    drawn = view(look)(noisy_traces())
    assert drawn.shape == (3, view(look).out_channels, 64, 120) and drawn.dtype == torch.float32
    assert drawn.amin() == 0 and 0.5 < drawn.amax() <= 1
    assert torch.equal(drawn, view(look)(noisy_traces()))
    assert len(view(look).describe()) == view(look).out_channels
    shown = view(look).to_uint8(drawn)
    assert shown.shape == (3, 64, 120, 3) and shown.amax() == 255 and shown.amin() < 128


@pytest.mark.parametrize("look", LOOKS)
def test_a_trace_is_drawn_alike_alone_and_beside_others_whatever_it_is_called(look: str) -> None:
    batch = noisy_traces()
    together = view(look)(batch)
    for number in range(3):
        assert torch.equal(view(look)(single(batch, number))[0], together[number])
    assert torch.equal(view(look)(renamed(batch)), together)


@pytest.mark.parametrize("scale", ["trace", "trace-shared"])
@pytest.mark.parametrize("look", ["line", "envelope", "decibel", "stack"])
def test_amplitude_does_not_matter(look: str, scale: str) -> None:
    batch = noisy_traces()
    drawn = view(look, scale=scale)(batch)
    assert torch.equal(view(look, scale=scale)(batch | {keys.WAVEFORM: batch[keys.WAVEFORM] * 2.0**20}), drawn)
    louder = view(look, scale=scale)(batch | {keys.WAVEFORM: batch[keys.WAVEFORM] * 1e6})
    torch.testing.assert_close(louder, drawn, atol=0.02, rtol=0)


@pytest.mark.parametrize("at_s", [5.0, 431.0, 1195.0])
@pytest.mark.parametrize("look", ["line", "filled", "envelope", "decibel"])
def test_a_spike_lands_where_it_happened(look: str, at_s: float) -> None:
    drawn = view(look, line_px=0.1)(spike(at_s))[0, 0]
    columns = drawn[:28].sum(0).nonzero()[:, 0].tolist()
    assert columns and all(abs(column - int(at_s / 1200 * 120)) <= 1 for column in columns)


def test_positive_motion_goes_up_and_reaches_the_deflection() -> None:
    upward = view(line_px=0.1, deflection=0.5, clip_quantile=1.0)(spike(600.0))[0, 0]
    inked = (upward[:, 58:62].sum(1) > 0.5).nonzero()[:, 0].tolist()
    assert inked == list(range(16, 32))
    downward = view(line_px=0.1, deflection=0.5, clip_quantile=1.0)(spike(600.0, -1.0))[0, 0]
    assert torch.equal(downward, upward.flip(0))


def test_stacked_lines_lie_in_the_order_given_and_equal_their_own_pictures() -> None:
    batch = noisy_traces()
    stacked = view("stack")(batch)
    apart = view("bands", height=32)(batch)
    assert stacked.shape[1] == 1
    # Less than half a grey level: on some processors a batch of other shape is filtered with another rounding.
    torch.testing.assert_close(stacked[:, 0, :32], apart[:, 0], atol=1.9e-3, rtol=0)
    torch.testing.assert_close(stacked[:, 0, 32:], apart[:, 1], atol=1.9e-3, rtol=0)


def test_bands_stack_by_component() -> None:
    channels = [Channel(component, band.band_hz) for component in "ZNE" for band in BANDS]
    section = view(channels=channels, stack="bands", components="ZNE")
    batch = noisy_traces(components=3)
    drawn = section(batch)
    assert drawn.shape == (3, 3, 64, 120)
    for number in range(3):
        alone = traces(batch[keys.WAVEFORM][:, :, number : number + 1])
        torch.testing.assert_close(drawn[:, number], view("stack")(alone)[:, 0], atol=1e-4, rtol=0)


def half_height(picture: torch.Tensor) -> float:
    """How far the ink reaches from the middle of a picture (H, W), in half heights."""
    rows = (picture > 0.5).any(-1).nonzero()[:, 0].float() + 0.5
    return float((rows - len(picture) / 2).abs().amax()) / (len(picture) / 2)


def test_scales_keep_the_ratios_they_promise() -> None:
    batch = noisy_traces(2, components=2)
    batch[keys.WAVEFORM][1] *= 0.25
    batch[keys.EVENT_PEAK] = batch[keys.WAVEFORM].abs().amax().expand(2)
    settings = {"channels": [Channel("Z"), Channel("N")], "components": "ZN", "clip_quantile": 1.0, "height": 200}
    level = float(batch[keys.WAVEFORM].abs().amax())
    reached = {}
    for scale in SCALES:
        drawn = view(scale=scale, fixed_level=level if scale == "fixed" else None, **settings)(batch)
        reached[scale] = [[half_height(channel) for channel in sample] for sample in drawn]
    expected = {
        "trace": [[0.8, 0.8], [0.8, 0.8]],
        "trace-shared": [[0.4, 0.8], [0.4, 0.8]],
        "event": [[0.4, 0.8], [0.1, 0.2]],
        "fixed": [[0.4, 0.8], [0.1, 0.2]],
    }
    for scale, heights in expected.items():
        torch.testing.assert_close(torch.tensor(reached[scale]), torch.tensor(heights), atol=0.02, rtol=0)


def test_fixed_levels_are_a_quantile_of_the_peaks_of_live_traces() -> None:
    peaks = torch.arange(1.0, 101.0)
    waveform = torch.sin(torch.arange(1200) * 0.7).expand(100, 1, 1, -1) * peaks[:, None, None, None]
    waveform[50:] = torch.nan
    section = view(demean=False)
    levels = fixed_levels(section, [traces(waveform[:30]), traces(waveform[30:])], quantile=0.5)
    torch.testing.assert_close(levels, [25.5], atol=0.01, rtol=0)
    with pytest.raises(DataError, match="'Z'"):
        fixed_levels(section, [traces(waveform[50:])])


def test_a_fixed_scale_learns_its_level_once_and_keeps_it_in_checkpoints() -> None:
    batch = noisy_traces(8)
    learning = view(scale="fixed")
    with pytest.raises(ConfigurationError, match="has no level yet"):
        learning(batch)
    learning.fit([batch])
    restored = view(scale="fixed")
    restored.load_state_dict(learning.state_dict())
    given = view(scale="fixed", fixed_level=fixed_levels(view(), [batch]))
    assert torch.equal(restored(batch), learning(batch)) and torch.equal(given(batch), learning(batch))


@pytest.mark.parametrize("look", LOOKS)
def test_faulty_traces_draw_nothing(look: str) -> None:
    batch = noisy_traces(5)
    batch[keys.WAVEFORM][0] = 0.0
    batch[keys.WAVEFORM][1] = 7.0
    batch[keys.WAVEFORM][2, ..., 100] = torch.nan
    batch[keys.STATION_MASK][3] = False
    drawn = view(look)(batch)
    assert (drawn[:4] == 0).all() and drawn[4].amax() > 0.5


def test_wrong_settings_and_samples_are_refused() -> None:
    for wrong in ({"style": "lines"}, {"scale": "section"}, {"stack": True}, {"deflection": 1.5}, {"height": 0}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            view(**wrong)
    for wrong in ({"fixed_level": 1.0}, {"scale": "fixed", "fixed_level": [1.0, 2.0]}):
        with pytest.raises(ConfigurationError, match="fixed_level"):
            view(**wrong)
    for unknown in (Channel("Z", align="P"), Channel("Z", time_range_s=(0.0, 10.0))):
        with pytest.raises(ConfigurationError, match="need the origin"):
            view(channels=[unknown])
    with pytest.raises(ConfigurationError, match="event_peak"):
        view(scale="event")(noisy_traces())
    with pytest.raises(ConfigurationError, match="2 stations"):
        view()(traces(torch.randn(1, 2, 1, 1200)))
    with pytest.raises(ConfigurationError, match="components='Z'"):
        view()(noisy_traces(components=3))
