"""Channels aligned on a phase show that phase on one row, at every distance."""

from typing import Any

import pytest
import torch
from made_sections import RATE_HZ, batch_of, wave_trains

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.channels import Channel
from seisvision.views.sections.alignment import predicted_s
from seisvision.views.sections.record_section import RecordSection

DISTANCES_DEG = [0.4, 2.0, 7.3, 14.0, 21.0, 30.0, 44.9, 80.0]


def taup_p_s(distance_deg: float, depth_km: float, model: str = "ak135") -> float:
    from obspy.taup import TauPyModel

    phases = ("P", "p", "Pn", "Pdiff")
    return min(a.time for a in TauPyModel(model).get_travel_times(depth_km, distance_deg, phases))


def impulses(at_s: torch.Tensor, offset_km: torch.Tensor, window_start_s: torch.Tensor) -> dict[str, Any]:
    """One event; every trace has an impulse ``at_s`` after the origin, and windows that start at times of their own."""
    waveform = torch.zeros(1, len(at_s), 1, 4800)
    for trace, sample in enumerate(((at_s - window_start_s) * RATE_HZ).round().long().tolist()):
        waveform[0, trace, 0, sample] = 1.0
    return batch_of(waveform, offset_km[None], **{keys.START_S: window_start_s[None]})


def section(channel: Channel, **changes: Any) -> RecordSection:
    settings = {"height": 150, "width": 100, "components": "Z", "spacing": "rank", "demean": False}
    return RecordSection(**(settings | {"channels": [channel]} | changes))


@pytest.mark.parametrize("time_range_s", [(-30.0, 120.0), (-100.0, 200.0)])
@pytest.mark.parametrize("style", ["density", "envelope"])
def test_p_lies_on_one_row_at_all_distances(style: str, time_range_s: tuple[float, float]) -> None:
    offset_km = torch.tensor(DISTANCES_DEG) * 111.195
    at_s = torch.tensor([taup_p_s(distance, 10.0) for distance in DISTANCES_DEG])
    window_start_s = torch.linspace(-20, -15, len(DISTANCES_DEG))
    view = section(Channel("Z", style=style, align="P", time_range_s=time_range_s))
    drawn = view(impulses(at_s, offset_km, window_start_s))[0, 0]
    expected = int(-time_range_s[0] / (time_range_s[1] - time_range_s[0]) * 150)
    rows = drawn.abs().argmax(0)
    assert (drawn.abs().amax(0) == 1).all()
    assert ((rows - expected).abs() <= 1).all()
    assert view.uses_origin and not section(Channel("Z", align="P")).uses_origin


def test_surface_waves_lie_on_one_row_beside_p() -> None:
    offset_km = torch.linspace(100, 4000, 9)
    channels = [Channel("Z", align="P", time_range_s=(-30.0, 120.0)), Channel("Z", align=3.8)]
    view = section(channels[0], channels=channels, time_range_s=(-200.0, 400.0))
    drawn = view(impulses(offset_km / 3.8, offset_km, torch.zeros(9)))[0, 1]
    assert (drawn.argmax(0) == 50).all() and (drawn.amax(0) == 1).all()
    assert list(view.describe().values())[1].endswith("aligned on 3.8 km/s, -200 to 400 s")


def test_a_band_keeps_its_arrival_on_the_row() -> None:
    offset_km = torch.linspace(100, 4000, 9)
    view = section(Channel("Z", (1 / 30, 1 / 10), align=3.8, time_range_s=(-200.0, 400.0)))
    batch = impulses(offset_km / 3.8, offset_km, torch.zeros(9))
    batch[keys.WAVEFORM] += 1e-3 * torch.randn(batch[keys.WAVEFORM].shape, generator=torch.Generator().manual_seed(0))
    drawn = view(batch)[0, 0]
    assert ((drawn.abs().argmax(0) - 50).abs() <= 1).all()


def test_alignment_without_a_range_moves_the_whole_window() -> None:
    offset_km = torch.linspace(500, 4000, 6)
    at_s = predicted_s("P", offset_km, "ak135") + 300
    drawn = section(Channel("Z", align="P"), height=240)(impulses(at_s, offset_km, torch.zeros(6)))[0, 0]
    rows = drawn.argmax(0)
    assert ((rows - 30).abs() <= 1).all() and (drawn.amax(0) == 1).all()
    default = section(Channel("Z"), reduction_velocity_km_s=3.8, height=240)
    own = section(Channel("Z", align=3.8), height=240)
    assert torch.equal(default(wave_trains()), own(wave_trains()))


def test_what_lies_outside_the_window_is_empty_and_unknown_times_draw_nothing() -> None:
    offset_km = torch.tensor([1000.0, 2000.0, torch.nan, 3000.0, 15000.0])
    window_start_s = torch.tensor([0.0, torch.nan, 0.0, -5000.0, 0.0])
    batch = batch_of(torch.ones(1, 5, 1, 4800), offset_km[None], **{keys.START_S: window_start_s[None]})
    batch[keys.WAVEFORM][..., ::2] = -1
    view = section(Channel("Z", align="P", time_range_s=(-200.0, 100.0)))
    drawn = view(batch)[0, 0]
    alone = view({key: value[:, :1] if torch.is_tensor(value) else value for key, value in batch.items()})[0, 0]
    assert torch.equal(drawn, alone)
    first_row = int((200 - float(predicted_s("P", offset_km[:1], "ak135"))) / 2)
    assert (drawn[: first_row - 1] == 0).all() and (drawn[first_row + 1 :] != 0).all()


@pytest.mark.parametrize("model", ["ak135", "prem"])
def test_predicted_p_is_that_of_taup(model: str) -> None:
    distance_deg = torch.tensor([0.0, 0.1, *DISTANCES_DEG, 99.0])
    ours = predicted_s("P", distance_deg * 111.195, model).tolist()
    theirs = [taup_p_s(distance, 10.0, model) for distance in distance_deg.tolist()]
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) < 0.7
    assert predicted_s("P", torch.tensor([torch.nan, 12000.0]), model).isnan().all()


def test_wrong_alignments_are_refused() -> None:
    for wrong in ({"align": "S"}, {"align": -3.8}, {"align": True}, {"time_range_s": (10.0, -10.0)}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            section(Channel("Z", **wrong))
