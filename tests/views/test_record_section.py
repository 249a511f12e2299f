"""Record sections show what was recorded, where and when it was, and nothing else."""

import hashlib
import subprocess
import sys
from typing import Any

import pytest
import torch
from made_sections import RATE_HZ, batch_of, spike, wave_trains

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.sections.record_section import NORMS, Channel, RecordSection

BANDS = [Channel("Z", (1 / 60, 1 / 25)), Channel("Z", (1 / 25, 1 / 10)), Channel("Z", (0.4, 0.95), "envelope")]
LOOKS: dict[str, dict[str, Any]] = {
    "density": {"style": "density"},
    "wiggle": {"style": "wiggle"},
    "envelope": {"style": "envelope"},
    "decibel": {"style": "envelope", "envelope_db": (3.0, 30.0)},
    "bands": {"channels": BANDS, "envelope_db": (3.0, 30.0)},
    "bands-shared": {"channels": BANDS, "norm": "channel-shared"},
    "wiggle-bands": {"channels": BANDS[:2], "style": "wiggle"},
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "fixed": {"offset_range_km": (0.0, 2100.0)},
    "section": {},
    "gap": {"offset_range_km": (0.0, 2100.0), "max_gap_km": 50.0},
    "rank": {"spacing": "rank"},
    "right": {"orientation": "time_right"},
    "reduced": {"reduction_velocity_km_s": 8.0},
}


def view(look: str = "density", layout: str = "section", **changes: Any) -> RecordSection:
    settings = {"height": 96, "width": 64, "components": "Z"} | LOOKS[look] | LAYOUTS[layout] | changes
    return RecordSection(**settings)


def inked(picture: torch.Tensor) -> list[tuple[int, int]]:
    """Rows and columns of the pixels of a (H, W) picture that hold more than a thin base line."""
    return [(int(row), int(column)) for row, column in (picture.abs() > 0.3).nonzero()]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("look", LOOKS)
def test_pictures_have_shape_type_and_range(look: str, layout: str) -> None:
    drawn = view(look, layout)(wave_trains())
    assert drawn.shape == (3, view(look, layout).out_channels, 96, 64)
    assert drawn.dtype == torch.float32 and drawn.is_contiguous() and not drawn.requires_grad
    assert drawn.isfinite().all() and drawn.abs().amax() <= 1 and drawn.std() > 0.01
    for index, channel in enumerate(view(look, layout).channels):
        assert (drawn[:, index].amin() < 0) == (channel.style == "density")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("look", LOOKS)
def test_an_event_is_drawn_alike_alone_padded_and_beside_others(look: str, layout: str) -> None:
    batch = wave_trains()
    together = view(look, layout)(batch)
    for event in range(3):
        one = {key: value[event : event + 1] if torch.is_tensor(value) else value for key, value in batch.items()}
        alone = view(look, layout)(one)
        assert torch.equal(alone[0], together[event])
        padded = dict(one)
        padded[keys.WAVEFORM] = torch.cat([one[keys.WAVEFORM], torch.zeros(1, 4, 1, 1800)], 1)
        padded[keys.STATION_MASK] = torch.arange(10)[None] < 6
        padded[keys.OFFSET_KM] = torch.cat([one[keys.OFFSET_KM], torch.full((1, 4), torch.nan)], 1)
        padded[keys.ONSET_S] = torch.full((1, 10), torch.nan)
        assert torch.equal(view(look, layout)(padded)[0], together[event])


def test_masked_stations_are_not_drawn_even_if_they_hold_something() -> None:
    batch = wave_trains()
    batch[keys.STATION_MASK][:, 4:] = False
    without = {key: value[:, :4] if torch.is_tensor(value) else value for key, value in batch.items()}
    assert torch.equal(view()(batch), view()(without))


@pytest.mark.parametrize("look", LOOKS)
def test_metadata_and_file_order_leave_no_trace(look: str) -> None:
    batch = wave_trains()
    drawn = view(look)(batch)
    renamed = batch | {keys.SOURCE_ID: ["a", "b", "c"], keys.START_S: torch.full((3, 6), 1e6)}
    renamed[keys.AZIMUTH_DEG] = torch.rand(3, 6) * 360
    assert torch.equal(view(look)(renamed), drawn)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = {key: value[:, order] if torch.is_tensor(value) else value for key, value in batch.items()}
    assert torch.equal(view(look)(shuffled), drawn)


@pytest.mark.parametrize("look", LOOKS)
def test_amplitude_does_not_matter_with_norm_trace(look: str) -> None:
    batch = wave_trains()
    louder = batch | {keys.WAVEFORM: batch[keys.WAVEFORM] * 2.0**20}
    assert torch.equal(view(look)(louder), view(look)(batch))
    louder[keys.WAVEFORM] = batch[keys.WAVEFORM] * 1e6
    torch.testing.assert_close(view(look)(louder), view(look)(batch), atol=2e-3, rtol=0)


@pytest.mark.parametrize("at_s", [30.0, 301.0, 580.0])
@pytest.mark.parametrize("offset_km", [150.0, 1000.0, 1990.0])
@pytest.mark.parametrize("orientation", ["time_down", "time_right"])
@pytest.mark.parametrize("look", ["density", "wiggle", "envelope", "decibel"])
def test_a_spike_lands_where_it_happened(look: str, orientation: str, offset_km: float, at_s: float) -> None:
    section = view(look, "fixed", orientation=orientation, max_gap_km=0.0, fill=False, line_px=0.1)
    drawn = section(spike(at_s, offset_km))[0, 0]
    time_px, distance_px = (96, 64) if orientation == "time_down" else (64, 96)
    pixels = inked(drawn if orientation == "time_down" else drawn.T)
    reach = distance_px / 24 + 1 if look == "wiggle" else 1
    assert pixels
    for row, column in pixels:
        assert abs(row - int(at_s / 600 * time_px)) <= 1
        assert -1 <= column - int(offset_km / 2100 * distance_px) <= reach


@pytest.mark.parametrize("look", ["density", "wiggle"])
def test_a_spike_lands_in_its_rank(look: str) -> None:
    batch = spike(300.0, 500.0)
    silent = 1e-4 * torch.randn(1, 3, 1, 1200, generator=torch.Generator().manual_seed(0))
    batch = batch_of(torch.cat([silent, batch[keys.WAVEFORM]], 1), torch.tensor([[100.0, 900.0, 2000.0, 500.0]]))
    drawn = view(look, "rank", norm="section", gain=0.5, clip_quantile=1.0)(batch)[0, 0]
    changed = inked(drawn - drawn[10])
    assert {row for row, _ in changed} & {47, 48, 49}
    assert {column for _, column in changed} <= set(range(16, 41))


def test_a_longer_offset_moves_the_wiggle_to_the_right() -> None:
    columns = [
        min(column for _, column in inked(view("wiggle", "fixed")(spike(300.0, offset_km))[0, 0]))
        for offset_km in (200.0, 600.0, 1200.0, 1800.0)
    ]
    assert columns == sorted(set(columns))


def test_positive_motion_goes_to_the_right() -> None:
    drawn = view("wiggle", "fixed")(spike(300.0, 1000.0))[0, 0]
    row = drawn[int(0.5 * 96)]
    assert row[31:].sum() > 5 * row[:30].sum()


def test_reduction_lines_the_traces_up_without_wrapping() -> None:
    offset_km = torch.tensor([[100.0, 500.0, 900.0, 1300.0]])
    waveform = torch.zeros(1, 4, 1, 1200)
    for station, distance in enumerate(offset_km[0].tolist()):
        waveform[0, station, 0, round((60 + distance / 4) * RATE_HZ)] = 1.0
    waveform[0, :, 0, 20] = 1.0
    drawn = view("density", "fixed", reduction_velocity_km_s=4.0, max_gap_km=0.0)(batch_of(waveform, offset_km))[0, 0]
    rows = {row for row, _ in inked(drawn)}
    assert rows <= {2, 3, 8, 9, 10}
    assert len({column for row, column in inked(drawn) if row >= 8}) == 4


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("fault", ["zero", "offset", "nan", "inf"])
def test_faulty_traces_draw_nothing(fault: str, look: str, layout: str) -> None:
    batch = wave_trains()
    waveform = batch[keys.WAVEFORM].clone()
    if fault == "zero":
        waveform[:, 2] = 0.0
    elif fault == "offset":
        waveform[:, 2] = 12345.678
    else:
        waveform[:, 2, :, 700] = float(fault)
    kept = [0, 1, 3, 4, 5]
    without = {key: value[:, kept] if torch.is_tensor(value) else value for key, value in batch.items()}
    assert torch.equal(view(look, layout)(batch | {keys.WAVEFORM: waveform}), view(look, layout)(without))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("look", LOOKS)
def test_an_event_without_any_live_trace_is_background(look: str, layout: str) -> None:
    batch = wave_trains()
    batch[keys.WAVEFORM][1] = 0.0
    drawn = view(look, layout)(batch)
    assert (drawn[1] == 0).all() and (drawn[0] != 0).any()


def test_traces_of_unknown_offset_come_last_in_rank_and_not_at_all_at_distances() -> None:
    batch = wave_trains(1)
    batch[keys.OFFSET_KM][0] = torch.tensor([500.0, torch.nan, 100.0, torch.nan, 300.0, torch.nan])
    batch[keys.ONSET_S][0] = torch.tensor([9.0, torch.nan, 9.0, 7.0, 9.0, 3.0])
    order = [2, 4, 0, 5, 3, 1]
    sorted_batch = {key: value[:, order] if torch.is_tensor(value) else value for key, value in batch.items()}
    assert torch.equal(view(layout="rank")(batch), view(layout="rank", order="given")(sorted_batch))
    known = {key: value[:, [0, 2, 4]] if torch.is_tensor(value) else value for key, value in batch.items()}
    assert torch.equal(view(layout="fixed")(batch), view(layout="fixed")(known))


def test_rank_can_follow_onsets() -> None:
    batch = wave_trains(1)
    batch[keys.ONSET_S][0] = torch.tensor([5.0, 3.0, 6.0, 1.0, 2.0, 4.0])
    order = [3, 4, 1, 5, 0, 2]
    sorted_batch = {key: value[:, order] if torch.is_tensor(value) else value for key, value in batch.items()}
    assert torch.equal(view(layout="rank", order="onset")(batch), view(layout="rank", order="given")(sorted_batch))


def test_traces_outside_a_fixed_axis_are_not_drawn() -> None:
    drawn = view("wiggle", offset_range_km=(0.0, 1000.0))(spike(300.0, 1500.0))
    assert (drawn == 0).all()


@pytest.mark.parametrize("norm", NORMS)
def test_norms_keep_the_ratios_they_promise(norm: str) -> None:
    batch = wave_trains(1, stations=2)
    batch[keys.WAVEFORM][:, 1] = batch[keys.WAVEFORM][:, 0] * 0.25
    batch[keys.OFFSET_KM][0] = torch.tensor([500.0, 1500.0])
    gain = 1e6 if norm == "none" else 0.2
    settings = {"channels": BANDS[:2], "norm": norm, "gain": gain, "spacing": "rank", "clip_quantile": 1.0}
    drawn = view(**settings)(batch)[0].abs()
    strong, weak = drawn[:, :, :32].amax((1, 2)), drawn[:, :, 32:].amax((1, 2))
    traces_differ = norm in ("section", "none")
    torch.testing.assert_close(weak, strong * (0.25 if traces_differ else 1.0))
    assert (strong[0] / strong[1] == pytest.approx(1, abs=1e-4)) == (norm in ("trace", "section"))


def test_decibels_count_from_the_noise() -> None:
    noise = torch.randn(1, 1, 1, 9600, generator=torch.Generator().manual_seed(0))
    noise[..., 4800:5000] *= 10.0
    drawn = view("decibel", envelope_db=(0.0, 40.0))(batch_of(noise, torch.tensor([[100.0]])))[0, 0, :, 0]
    assert drawn.median() * 40 < 4
    assert drawn[48:50].amax() * 40 == pytest.approx(22, abs=4)


def test_a_recording_with_an_offset_that_begins_late_shows_no_step() -> None:
    batch = wave_trains(1)
    late = batch[keys.WAVEFORM].clone()
    late[..., :300] = 0.0
    shifted = torch.where(late != 0, late + 1e-4, late)
    for look in ("density", "wiggle", "bands"):
        torch.testing.assert_close(
            view(look)(batch | {keys.WAVEFORM: shifted}), view(look)(batch | {keys.WAVEFORM: late}), atol=0.15, rtol=0
        )


def test_components_are_told_apart() -> None:
    batch = wave_trains(components=3)
    drawn = view(channels=[Channel("E"), Channel("Z")], components="ZNE")(batch)
    for index, component in enumerate((2, 0)):
        one = batch | {keys.WAVEFORM: batch[keys.WAVEFORM][:, :, component : component + 1]}
        assert torch.equal(drawn[:, index], view()(one)[:, 0])


def test_autocast_and_half_precision_waveforms_are_safe() -> None:
    batch = wave_trains()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(view("bands")(batch), view("bands")(batch))
        inside = view("bands")(batch)
    assert torch.equal(inside, view("bands")(batch)) and inside.dtype == torch.float32
    rough = batch | {keys.WAVEFORM: (batch[keys.WAVEFORM] * 1e7).bfloat16()}
    assert view("bands")(rough).isfinite().all()


SCRIPT = """
import hashlib, sys, torch
sys.path.insert(0, {folder!r})
from made_sections import wave_trains
from seisvision.views.sections.record_section import RecordSection
torch.set_num_threads({threads})
digest = hashlib.sha256()
for look in {looks!r}:
    digest.update(RecordSection(96, 64, components="Z", **look)(wave_trains()).numpy().tobytes())
print(digest.hexdigest())
"""


def test_two_processes_draw_the_same_bytes(request: pytest.FixtureRequest) -> None:
    looks = [LOOKS["density"], LOOKS["wiggle"], {"channels": [{"band_hz": (1 / 60, 1 / 25)}], "style": "wiggle"}]
    digests = set()
    for threads in (1, 2):
        script = SCRIPT.format(folder=str(request.path.parent), threads=threads, looks=looks)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        digests.add(done.stdout.strip())
    here = hashlib.sha256()
    for look in looks:
        here.update(RecordSection(96, 64, components="Z", **look)(wave_trains()).numpy().tobytes())
    assert digests == {here.hexdigest()}


def test_pictures_for_people() -> None:
    batch = wave_trains()
    for look, background in (("density", 128), ("wiggle", 255), ("bands", None)):
        section = view(look)
        shown = section.to_uint8(section(batch))
        assert shown.shape == (3, 96, 64, 3) and shown.dtype == torch.uint8
        empty = section.to_uint8(torch.zeros(1, section.out_channels, 4, 4))
        assert empty[0, 0, 0].tolist() == ([background] * 3 if background else [128, 128, 0])


def test_channels_describe_themselves() -> None:
    section = view("bands")
    assert list(section.describe()) == ["Z 25-60 s", "Z 10-25 s", "Z 0.4-0.95 Hz"]
    assert "dB above noise" in section.describe()["Z 0.4-0.95 Hz"]
    twice = view(channels=[Channel("Z"), Channel("Z", style="wiggle")])
    assert list(twice.describe()) == ["Z", "Z wiggle"]


@pytest.mark.parametrize("look", LOOKS)
def test_windows_with_fewer_samples_than_pixels_are_drawn(look: str) -> None:
    drawn = view(look, height=300)(wave_trains(samples=250))
    assert drawn.shape[2:] == (300, 64) and drawn.isfinite().all() and drawn.std() > 0.01


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"style": "densty"}, r"style='densty' is not allowed. Did you mean 'density'"),
        ({"norm": "max"}, "Allowed: channel-shared, none, section, trace"),
        ({"channels": [Channel("R")]}, "component='R'"),
        ({"channels": [{"band": (1, 2)}]}, "channel setting='band'.*band_hz"),
        ({"channels": [{"band_hz": (2.0, 1.0)}]}, "0 < low < high"),
        ({"height": 0}, "height=0"),
        ({"clip_quantile": 1.5}, "clip_quantile=1.5.*at most 1"),
        ({"offset_range_km": (5.0, 1.0)}, "low < high, or 'section'"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RecordSection(**settings)


def test_other_components_than_the_datas_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"1 components.*'ZNE'"):
        RecordSection()(wave_trains())


def test_a_band_above_nyquist_is_refused_when_drawing() -> None:
    section = view(channels=[{"band_hz": (0.5, 3.0)}])
    with pytest.raises(ConfigurationError, match="Nyquist"):
        section(wave_trains())
