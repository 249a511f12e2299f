"""The view that gives waveforms as they are: order, length, normalisation, masks, the box from P to S, and pictures."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from made_sections import RATE_HZ
from made_traces import noisy_traces, renamed, single, traces

from seisvision import keys
from seisvision.errors import ConfigurationError, DataError
from seisvision.models import ConvNetQuakeINGV, ResNet1d
from seisvision.views import WaveformView
from seisvision.views.filters import filter_bands
from seisvision.views.view import View

BATCH = noisy_traces(3, components=3)
SETTINGS: dict[str, dict[str, Any]] = {
    "as recorded": {"normalise": "none", "demean": False},
    "peak, joint": {},
    "peak, each": {"across": "component"},
    "std, joint": {"normalise": "std"},
    "std, each": {"normalise": "std", "across": "component"},
    "band": {"band_hz": [0.1, 0.5]},
    "stream": {"level_of": "stream", "fixed_level": 1e-7},
    "box": {"ps_box": "catalogue"},
    "picked box": {"ps_box": "picker"},
    "longer": {"n_samples": 3700},
}


def waveform_view(**settings: Any) -> WaveformView:
    return WaveformView(**({"n_samples": 3600} | settings))


@pytest.mark.parametrize("name", SETTINGS)
def test_waveforms_have_shape_type_and_names_and_do_not_depend_on_neighbours(name: str) -> None:
    view, batch = waveform_view(**SETTINGS[name]), {**BATCH, keys.ARRIVALS_S: torch.tensor([[[300.0, 700.0]]] * 3)}
    drawn = view(batch)
    assert drawn.shape == (3, *view.image_shape) and drawn.dtype == torch.float32 and drawn.isfinite().all()
    assert drawn.abs().amax() > 0 and torch.equal(drawn, view(batch))
    assert len(view.describe()) == view.out_channels and view.unit == "trace" and not view.uses_origin
    assert isinstance(view, View) and not list(view.parameters())
    for number in range(3):
        assert torch.equal(view(single(batch, number))[0], drawn[number])
    assert torch.equal(view(renamed(batch)), drawn) or name == "picked box"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(view(batch), drawn)


def test_no_view_looks_at_the_origin() -> None:
    elsewhere = {key: BATCH[key] + 400 for key in (keys.START_S, keys.OFFSET_KM)}
    for name in ("peak, joint", "picked box"):
        view = waveform_view(**SETTINGS[name])
        assert torch.equal(view(BATCH | elsewhere), view(BATCH))


@pytest.mark.parametrize("order", ["ZNE", "ENZ", "NEZ"])
def test_channels_follow_the_components(order: str) -> None:
    waveform = torch.zeros(1, 1, 3, 100)
    waveform[:, :, order.index("Z"), 40:60] = torch.sin(torch.arange(20.0))
    view = WaveformView(100, components=order)
    drawn = view(traces(waveform))
    assert list(view.describe()) == list(order)
    assert [bool(moves) for moves in (drawn[0] != 0).any(-1)] == [letter == "Z" for letter in order]


def test_normalisations_are_what_they_are_called() -> None:
    lines = BATCH[keys.WAVEFORM][:, 0]
    centred = lines - lines.mean(-1, keepdim=True)
    for across, dims in (("joint", (1, 2)), ("component", (2,))):
        peak = waveform_view(across=across)(BATCH)
        assert torch.allclose(peak, centred / centred.abs().amax(dims, keepdim=True), atol=1e-5)
        std = waveform_view(across=across, normalise="std")(BATCH)
        assert torch.allclose(std, centred / centred.square().mean(dims, keepdim=True).sqrt(), atol=1e-4)
    assert torch.allclose(waveform_view(normalise="none")(BATCH), centred)
    offset = BATCH | {keys.WAVEFORM: BATCH[keys.WAVEFORM] + 5e-6}
    assert torch.allclose(waveform_view()(offset), waveform_view()(BATCH), atol=1e-4)
    assert waveform_view(demean=False)(offset).mean() > 0.5


def test_weak_motion_is_not_lost_in_squares() -> None:
    weak = BATCH | {keys.WAVEFORM: BATCH[keys.WAVEFORM] * 1e-16}
    for normalise in ("peak", "std"):
        view = waveform_view(normalise=normalise)
        assert torch.allclose(view(weak), view(BATCH), atol=1e-3)


def test_a_band_is_filtered_over_the_whole_window_and_then_cut() -> None:
    (expected,) = filter_bands(BATCH[keys.WAVEFORM][:, 0], RATE_HZ, [(0.1, 0.5)])
    view = WaveformView(1000, normalise="none", band_hz=[0.1, 0.5])
    assert torch.equal(view(BATCH), expected[..., :1000])


def test_windows_of_another_length_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    for n_samples, said in ((3000, "cut"), (4000, "continued by zeros")):
        caplog.clear()
        view = WaveformView(n_samples)
        with caplog.at_level(logging.WARNING):
            drawn = view(BATCH)
            view(BATCH)
        assert drawn.shape[-1] == n_samples and (drawn[..., 3600:] == 0).all()
        (told,) = caplog.messages
        assert said in told and f"view.n_samples={n_samples}" in told and "view.n_samples=3600" in told
    caplog.clear()
    assert WaveformView(3601)(BATCH).shape[-1] == 3601 and not caplog.messages


@pytest.mark.parametrize("normalise", ["none", "peak", "std"])
@pytest.mark.parametrize("band_hz", [None, [0.1, 0.5]])
def test_what_was_not_recorded_or_is_faulty_is_zero(normalise: str, band_hz: list[float] | None) -> None:
    batch = noisy_traces(5, components=3)
    batch[keys.WAVEFORM][0, 0, 1] = 7.0
    batch[keys.WAVEFORM][1, 0, 2, 100] = torch.nan
    batch[keys.WAVEFORM][2, 0, 0, 5] = torch.inf
    batch[keys.COMPONENT_MASK][3, 0, 1] = False
    batch[keys.STATION_MASK][4] = False
    drawn = waveform_view(normalise=normalise, band_hz=band_hz)(batch)
    assert drawn.isfinite().all()
    dead = torch.zeros(5, 3, dtype=torch.bool)
    dead[[0, 1, 2, 3], [1, 2, 0, 1]] = True
    dead[4] = True
    assert torch.equal((drawn == 0).all(-1), dead)


def test_peaks_of_records_remove_the_amplitude_and_levels_of_the_stream_keep_it() -> None:
    loud = BATCH | {keys.WAVEFORM: BATCH[keys.WAVEFORM] * 1000}
    for normalise in ("peak", "std"):
        of_record, of_stream = waveform_view(normalise=normalise), waveform_view(normalise=normalise, level_of="stream")
        of_stream.fit([BATCH])
        assert torch.allclose(of_record(loud), of_record(BATCH), atol=1e-5)
        assert torch.allclose(of_stream(loud), 1000 * of_stream(BATCH), rtol=1e-4, atol=1e-2)
    # What was normalised before, no network can undo.
    torch.manual_seed(0)
    for network in (ConvNetQuakeINGV(3, 3600).eval(), ResNet1d(3, 3600, peak=True).eval()):
        with torch.no_grad():
            kept, lost = waveform_view(normalise="none"), waveform_view()
            assert not torch.allclose(network(kept(loud)), network(kept(BATCH)), atol=1e-2)
            assert torch.allclose(network(lost(loud)), network(lost(BATCH)), atol=1e-3)


def accuracy_of_loudness(normalise: str) -> float:
    """Of a network that is to tell loud from quiet records, on records that it has not seen."""
    torch.manual_seed(3)
    network, view = ConvNetQuakeINGV(1, 64, layers=3, width=8), WaveformView(64, components="Z", normalise=normalise)
    head = torch.nn.Linear(network.num_features, 2)
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], 1e-2)

    def drawn(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        is_loud = torch.rand(count) < 0.5
        scale = torch.where(is_loud, 1e-6, 1e-8)[:, None, None, None]
        return view(traces(scale * torch.randn(count, 1, 1, 64))), is_loud.long()

    for _ in range(60):
        image, is_loud = drawn(32)
        loss = torch.nn.functional.cross_entropy(head(network(image)), is_loud)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        image, is_loud = drawn(400)
        return float((head(network(image)).argmax(1) == is_loud).float().mean())


def test_ablation_loud_and_quiet_are_told_apart_only_where_peaks_are_kept() -> None:
    assert accuracy_of_loudness("none") > 0.97
    assert 0.4 < accuracy_of_loudness("peak") < 0.6


def test_levels_of_the_stream_come_from_training_and_travel_in_checkpoints() -> None:
    view = waveform_view(level_of="stream", across="component")
    assert view.needs_fit and not waveform_view(level_of="stream", normalise="none").needs_fit
    with pytest.raises(ConfigurationError, match="level_of='stream' has no level yet"):
        view(BATCH)
    view.fit([single(BATCH, 0), single(BATCH, 1)])
    lines = BATCH[keys.WAVEFORM][:2, 0]
    peaks = (lines - lines.mean(-1, keepdim=True)).abs().amax(-1)
    assert not view.needs_fit and torch.allclose(view.levels, peaks.amax(0), rtol=1e-2)
    again = waveform_view(level_of="stream", across="component")
    again.load_state_dict(view.state_dict())
    assert torch.equal(again(BATCH), view(BATCH))
    with pytest.raises(DataError, match="every component moves"):
        view.fit([BATCH | {keys.WAVEFORM: BATCH[keys.WAVEFORM] * torch.tensor([1.0, 0, 1])[:, None]}])


def test_the_box_reaches_from_p_to_s_of_the_catalogue() -> None:
    view = WaveformView(8, components="Z", ps_box="catalogue")
    nan = float("nan")
    arrivals_s = torch.tensor([[1.0, 2.5], [nan, 2.0], [1.0, nan], [-3.0, 1.0], [2.0, 99.0], [3.0, 2.0]])
    batch = traces(torch.randn(6, 1, 1, 8))
    drawn = view(batch | {keys.ARRIVALS_S: arrivals_s[:, None]})
    nothing = [0.0] * 8
    # Two samples a second: 1 s is the third.
    assert drawn[:, 1].tolist() == [
        [0, 0, 1, 1, 1, 0, 0, 0], nothing, nothing, [1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1], nothing
    ]  # fmt: skip
    assert (view(batch)[:, 1] == 0).all(), "without arrivals in the batch they are not known"
    assert torch.equal(view(batch)[:, :1], WaveformView(8, components="Z")(batch))


@pytest.mark.parametrize("order", ["ZNE", "ENZ"])
def test_the_box_reaches_from_p_to_s_as_they_are_picked(order: str) -> None:
    rate_hz, p_s, s_s = 50.0, 3.0, 6.0
    time_s = torch.arange(600) / rate_hz
    generator = torch.Generator().manual_seed(1)
    ground = 0.01 * torch.randn(3, 600, generator=generator)
    for begin_s, size in ((p_s, (1.0, 0.5, 0.0)), (s_s, (0.2, 0.0, 4.0))):
        since_s = (time_s - begin_s).clamp_min(0)
        wave = torch.sin(2 * torch.pi * 8 * since_s) * torch.exp(-since_s / 0.7)
        ground += torch.tensor(size)[:, None] * wave
    ground = ground[["ZNE".index(letter) for letter in order]]
    changes = {keys.SAMPLING_RATE_HZ: rate_hz, keys.ONSET_S: torch.tensor([[p_s + 0.1]])}
    box = WaveformView(600, components=order, ps_box="picker")(traces(ground[None, None], **changes))[0, 3]
    inside = box.nonzero()[:, 0] / rate_hz
    assert abs(float(inside.min()) - p_s) < 0.1 and abs(float(inside.max()) - s_s) < 0.15
    unknown = changes | {keys.ONSET_S: torch.tensor([[float("nan")]])}
    not_picked = WaveformView(600, components=order, ps_box="picker")(traces(ground[None, None], **unknown))
    assert (not_picked[0, 3] == 0).all()


def test_people_see_lines_with_axes() -> None:
    waveform = torch.zeros(2, 1, 3, 400)
    waveform[0, 0, 0, 100:140] = torch.sin(torch.arange(40) * 0.5)
    batch = traces(waveform) | {keys.ARRIVALS_S: torch.tensor([[[60.0, 120.0]], [[torch.nan, torch.nan]]])}
    view = WaveformView(400, ps_box="catalogue")
    shown = view.to_uint8(view(batch))
    assert shown.dtype == torch.uint8 and shown.shape == (2, 144, 256, 3)
    dark = (shown < 90).all(-1)
    columns = dark[0, :20].any(0).nonzero()[:, 0]
    assert 62 <= int(columns.min()) <= 66 and 87 <= int(columns.max()) <= 90, "at a quarter of the window"
    assert dark[0, :48].any() and not dark[0, 48:].any() and not dark[1].any(), "components below each other"
    assert (shown[1, 24] < 255).all() and (shown[1, 12] == 255).any(), "an axis through the middle of a row"
    coloured = shown[..., 0] != shown[..., 2]
    assert coloured[0, 60, 80:150].all() and not coloured[0, 60, 160:].any() and not coloured[1].any()
    # Upward motion is drawn upward.
    up = torch.zeros(1, 1, 64)
    up[..., 30:34] = 1.0
    rows = (WaveformView(64, components="Z").to_uint8(up) < 90).all(-1)[0].any(1).nonzero()[:, 0]
    assert int(rows.min()) < 8 and int(rows.max()) <= 26


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n_samples": 0}, "n_samples=0 is not allowed"),
        ({"normalise": "max"}, "normalise='max' is not allowed"),
        ({"across": "all"}, "across='all' is not allowed"),
        ({"level_of": "set"}, "level_of='set' is not allowed"),
        ({"ps_box": "both"}, "ps_box='both' is not allowed"),
        ({"ps_box": "picker", "components": "Z"}, "needs Z, N and E, but components='Z'"),
        ({"band_hz": [2.0, 1.0]}, r"band_hz=\[2\.0, 1\.0\] is not allowed"),
        ({"band_hz": [0.0, 1.0]}, "is empty"),
        ({"fixed_level": 1.0}, "fixed_level=1.0 does not go with level_of='record'"),
        ({"fixed_level": [1.0, 2.0], "level_of": "stream"}, "has 2 values; give one for across='joint'"),
        (
            {"fixed_level": [1.0, 2.0], "level_of": "stream", "across": "component"},
            "each of the components ZNE",
        ),
        ({"fixed_level": -1.0, "level_of": "stream"}, "fixed_level=-1.0 is not allowed"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        WaveformView(**settings)


def test_samples_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="2 stations"):
        waveform_view()(traces(torch.randn(1, 2, 3, 3600)))
    with pytest.raises(ConfigurationError, match="1 components"):
        waveform_view()(noisy_traces(1))
    with pytest.raises(ConfigurationError, match="Nyquist"):
        waveform_view(band_hz=[0.1, 3.0])(BATCH)
