"""ObsPy's own sections: leak-free by default, leaky as drawn."""

import numpy as np
import pytest
import torch
from made_sections import wave_trains

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.reference import record_section_obspy
from seisvision.views.reference.record_section_obspy import RecordSectionObspy, draw_stream


def stream(network: str = "DK", station: str = "ILULI", start: str = "2009-05-01"):  # type: ignore[no-untyped-def]
    from obspy import Stream, Trace, UTCDateTime

    batch = wave_trains(1, samples=600)
    traces = []
    for waveform, offset_km in zip(batch[keys.WAVEFORM][0, :, 0], batch[keys.OFFSET_KM][0].tolist(), strict=True):
        header = {"network": network, "station": station, "channel": "BHZ", "location": "00", "sampling_rate": 2.0}
        traces.append(Trace(waveform.numpy(), header | {"starttime": UTCDateTime(start), "distance": 1000 * offset_km}))
    return Stream(traces)


def test_pictures_have_shape_type_and_range() -> None:
    drawn = RecordSectionObspy(96, 64, components="Z")(wave_trains(2, samples=600))
    assert drawn.shape == (2, 3, 96, 64) and drawn.dtype == torch.float32
    assert 0 <= drawn.amin() < 0.01 and 0.2 < drawn.amax() <= 1
    assert torch.equal(drawn[:, 0], drawn[:, 2])


def test_names_and_times_leave_no_trace_without_decorations() -> None:
    plain, other = stream(), stream("XX", "OTHER", "1999-12-31")
    assert np.array_equal(draw_stream(plain), draw_stream(other))
    assert draw_stream(plain).shape == (600, 1000, 3)
    assert not np.array_equal(draw_stream(plain, decorations=True), draw_stream(other, decorations=True))


def test_all_distances_three_times_as_far_leave_no_trace_without_decorations() -> None:
    near, far = stream(), stream()
    for trace in far:
        trace.stats.distance *= 3
    assert np.array_equal(draw_stream(near), draw_stream(far))


def test_faulty_and_padded_traces_draw_nothing() -> None:
    view = RecordSectionObspy(96, 64, components="Z")
    batch = wave_trains(1, samples=600)
    batch[keys.WAVEFORM][0, 1] = 7.0
    batch[keys.WAVEFORM][0, 2, :, 100] = torch.nan
    batch[keys.OFFSET_KM][0, 3] = torch.nan
    batch[keys.STATION_MASK][0, 4] = False
    kept = {key: value[:, [0, 5]] if torch.is_tensor(value) else value for key, value in batch.items()}
    assert torch.equal(view(batch), view(kept))
    batch[keys.STATION_MASK][:] = False
    assert (view(batch) == 0).all()


def test_no_figure_stays_open_and_no_backend_is_changed() -> None:
    import matplotlib.pyplot as plt

    backend, figures = plt.get_backend(), plt.get_fignums()
    RecordSectionObspy(96, 64, components="Z", band_hz=(0.02, 0.1))(wave_trains(1, samples=600))
    assert plt.get_backend() == backend and plt.get_fignums() == figures


def test_unknown_component_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="component='R'"):
        RecordSectionObspy(component="R")


def test_what_was_drawn_once_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(5)
    batch = {
        keys.WAVEFORM: torch.randn(2, 4, 1, 200, generator=generator),
        keys.STATION_MASK: torch.ones(2, 4, dtype=torch.bool),
        keys.OFFSET_KM: torch.tensor([[10.0, 20.0, 30.0, 40.0], [5.0, 25.0, 60.0, torch.nan]]),
        keys.SAMPLING_RATE_HZ: 2.0,
    }
    view = RecordSectionObspy(48, 48, components="Z")
    first = view(batch)
    padded = {key: value[1:, :3] if torch.is_tensor(value) else value for key, value in batch.items()}
    with monkeypatch.context() as patched:
        patched.setattr(record_section_obspy, "draw_stream", lambda *_: pytest.fail("drawn again"))
        assert torch.equal(view(batch), first)
        assert torch.equal(view(padded)[0], first[1]), "padding changes nothing"
    moved = {**batch, keys.OFFSET_KM: batch[keys.OFFSET_KM] + torch.tensor([[0.0, 3.0, 0.0, 0.0]])}
    assert not torch.equal(view(moved)[0], first[0])
    assert torch.equal(view(moved)[0], RecordSectionObspy(48, 48, components="Z")(moved)[0])
