"""P and S travel from the table of a set to the batch, and move with what moves time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_sets import N_SAMPLES, RATE_HZ, event_waveforms, trace_row

from seisvision import keys
from seisvision.data.audit.audit import check_set
from seisvision.data.samples.arrivals import table_arrivals_s
from seisvision.data.samples.event_index import build_event_index, table_onsets_s
from seisvision.data.samples.events import EventSamples, Window
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.serving.memory import SamplesInMemory
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.splitting.split import Split
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.data.synthesis.synthesise import synthesise
from seisvision.data.synthesis_local.source import LocalSyntheticSource
from seisvision.views.augment import Augment

NAN = float("nan")


def picked(event: int, station: int, **changes: Any) -> dict[str, Any]:
    """P 3 s and S 5 s after the start at the first station, each 0.5 s later at the next; no S at the second."""
    p = (3 + 0.5 * station) * RATE_HZ
    s = NAN if station == 1 else p + 2 * RATE_HZ
    return trace_row(event, station, trace_onset_s=NAN, trace_p_arrival_sample=p, trace_s_arrival_sample=s, **changes)


def write(path: Path, stations: tuple[int, ...] = (3, 4, 2, 4)) -> WaveformSet:
    with WaveformSetWriter(path, card={"name": "small"}) as writer:
        for event, n in enumerate(stations):
            writer.add_event([picked(event, station) for station in range(n)], event_waveforms(event, n))
    return WaveformSet(path)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    return write(tmp_path_factory.mktemp("sets") / "small")


def test_events_and_traces_count_from_their_window(small: WaveformSet) -> None:
    event = EventSamples(small, ["ev000"], window=Window("trace", 1.0, 4.0))[0]
    # S of the third station comes after the end of the window, and is told all the same.
    expected = torch.tensor([[2.0, 4.0], [2.5, NAN], [3.0, 5.0]])
    torch.testing.assert_close(event[keys.ARRIVALS_S], expected, equal_nan=True)
    traces = TraceSamples(small, [0, 1, 2], window=Window("onset", -1.0, 4.0))
    one = collate_events([traces[i] for i in range(3)])[keys.ARRIVALS_S]
    torch.testing.assert_close(one[:, 0], torch.tensor([[1.0, 3.0], [1.0, NAN], [1.0, 3.0]]), equal_nan=True)


def test_batches_pad_with_nan_and_memory_and_workers_serve_the_same(small: WaveformSet) -> None:
    samples = EventSamples(small, small.source_ids, window=Window("trace", 0.0, 8.0))
    batch = collate_events([samples[i] for i in range(4)])[keys.ARRIVALS_S]
    assert batch.shape == (4, 4, 2) and batch.dtype == torch.float32
    assert batch[2, 2:].isnan().all() and batch[1, 3].isfinite().all()
    kept = SamplesInMemory(samples)
    split = Split({"train": tuple(small.source_ids)})
    data = EventDataModule(small, split, samples={"window": Window("trace", 0.0, 8.0)}, batch_size=4, num_workers=2)
    for other in (collate_events([kept[i] for i in range(4)]), next(iter(data.loader("train")))):
        torch.testing.assert_close(other[keys.ARRIVALS_S], batch, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"trace_P_arrival_sample": [40.0], "trace_S_arrival_sample": [80.0]}, [2.0, 4.0]),
        ({"trace_Pn_arrival_sample": [60.0], "trace_Pg_arrival_sample": [50.0]}, [2.5, NAN]),
        ({"trace_Sn_arrival_sample": [90.0], "trace_Sg_arrival_sample": [100.0]}, [NAN, 4.5]),
        ({"trace_PN_arrival_sample": [60.0]}, [3.0, NAN]),
        ({"trace_p_arrival_sample": [40.0], "trace_pn_arrival_sample": [20.0]}, [2.0, NAN]),
        ({"trace_theoretical_p_s": [1.5], "trace_theoretical_s_s": [3.0]}, [1.5, 3.0]),
        ({"trace_p_arrival_sample": ["none"], "trace_s_arrival_sample": [-3.0]}, [NAN, NAN]),
    ],
)
def test_columns_of_other_programs(columns: dict[str, list[Any]], expected: list[float]) -> None:
    table = pd.DataFrame({"trace_sampling_rate_hz": [RATE_HZ], **columns})
    np.testing.assert_array_equal(table_arrivals_s(table, np.array([N_SAMPLES])), [expected])


def test_arrivals_beyond_the_recording_are_none() -> None:
    table = pd.DataFrame({"trace_sampling_rate_hz": [RATE_HZ] * 3, "trace_p_arrival_sample": [-0.5, 199.5, 200.0]})
    assert np.isfinite(table_arrivals_s(table, np.full(3, N_SAMPLES))[:, 0]).tolist() == [False, True, False]
    assert np.isfinite(table_arrivals_s(table, np.full(3, -1))[:, 0]).tolist() == [False, True, True]


def test_a_day_at_two_hundred_hertz_keeps_a_thousandth_of_a_second(tmp_path: Path) -> None:
    late, rate_hz = 200 * 86000.0 + 0.37, 200.0
    row = trace_row(0, 0, trace_sampling_rate_hz=rate_hz, trace_p_arrival_sample=late, trace_onset_s=NAN)
    table = pd.DataFrame([row, row | {"trace_s_arrival_sample": late + 1}])
    after_s = table_arrivals_s(table)[:, 0] - 86000.0
    np.testing.assert_allclose(after_s, 0.37 / rate_hz, atol=1e-9)


def test_a_time_shift_moves_arrivals_and_brings_none_in() -> None:
    rate_hz, n = 10.0, 400
    waveform = torch.zeros(200, 1, 1, n)
    waveform[..., 200] = 1.0
    arrivals_s = torch.tensor([20.0, 41.0]).expand(200, 1, 2)
    batch = {
        keys.WAVEFORM: waveform,
        keys.ARRIVALS_S: arrivals_s,
        **{key: torch.full((200, 1), NAN) for key in (keys.ONSET_S, keys.START_S)},
        keys.SAMPLING_RATE_HZ: rate_hz,
    }
    moved = Augment(time_shift_s=5.0)(batch, epoch=1, step=2)
    peak_s = moved[keys.WAVEFORM][:, 0, 0].argmax(-1) / rate_hz
    torch.testing.assert_close(moved[keys.ARRIVALS_S][:, 0, 0], peak_s)
    shift_s = peak_s - 20.0
    beyond = moved[keys.ARRIVALS_S][:, 0, 1]
    assert beyond[shift_s < -1.0].isnan().all() and (shift_s < -1.0).sum() > 20
    torch.testing.assert_close(beyond[shift_s > -1.0], 41.0 + shift_s[shift_s > -1.0])
    assert torch.equal(batch[keys.ARRIVALS_S], arrivals_s)


def test_generators_say_when_their_waves_arrive(tmp_path: Path) -> None:
    quiet = {"noise_db": -300, "band_hz": None, "repeat": 0, "surface_waves": 0.0, "coda_decay_s": (0.1, 0.2)}
    local = WaveformSet(LocalSyntheticSource(n_events=3, n_stations=(4, 4), **quiet).prepare(tmp_path))
    loudness = {"n_events": 4, "noise_db": -300, "coda": 0, "classes": ("tectonic", "noise"), "sampling_rate_hz": 2.0}
    settings = {**loudness, "length_s": 1200, "fault": 4.0, "n_stations": (8, 8), "offset_range_deg": (10, 30)}
    wide = WaveformSet(synthesise(SynthesisParameters(**settings), tmp_path / "wide", tmp_path, processes=1))
    for waveform_set, slack_s in ((local, 0.15), (wide, 8.0)):
        index, n_late = build_event_index(waveform_set, waveform_set.source_ids), 0
        table = waveform_set.metadata
        for place, row in enumerate(index.rows):
            p_s, s_s = index.arrivals_after_start_s[place]
            if np.isnan(p_s):
                dead = "dead" in str(table.get("trace_fault", pd.Series(dtype=str)).get(row, ""))
                assert dead or table["source_type"].iloc[row] == "noise"
                continue
            assert s_s > p_s or np.isnan(s_s)
            motion, rate_hz = waveform_set.read_trace(int(row), "Z")[0][0], index.sampling_rate_hz[place]
            fault = str(table.iloc[row].get("trace_fault"))
            if "gap" in fault or "glitch" in fault:
                continue
            n_late += "clock" in fault
            energy = np.cumsum(motion.astype(float) ** 2)
            before = energy[max(int((p_s - slack_s) * rate_hz), 0)]
            after = energy[min(int((s_s if s_s > 0 else p_s + 60) * rate_hz), len(energy) - 1)]
            assert before < 0.02 * after
        assert n_late or waveform_set is local
        # An onset is to be found in the recording, as on real ones.
        assert np.isnan(table_onsets_s(table)).all()


def test_the_audit_looks_at_arrivals_of_any_spelling(tmp_path: Path) -> None:
    rows = [trace_row(0, i, trace_Pg_arrival_sample=60.0, trace_S_arrival_sample=80.0 - 30 * i) for i in range(3)]
    with WaveformSetWriter(tmp_path / "mixed", card={}) as writer:
        writer.add_event(rows, event_waveforms(0, 3))
    (found,) = [one for one in check_set(WaveformSet(tmp_path / "mixed")) if one.code == "s_before_p"]
    assert (found.count, found.of, found.severity) == (2, 3, "fatal")


def test_a_set_of_either_generator_keeps_its_name() -> None:
    """Stored runs are named by these."""
    assert SynthesisParameters().fingerprint() == "e4d8222f8da6"
    assert LocalSyntheticSource().parameters.fingerprint() == "ca4d04f655ab"


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    """Three events; in the recordings of the first another one arrives, whose S comes after their end."""
    path = tmp_path_factory.mktemp("sets") / "twice"
    with WaveformSetWriter(path, card={"name": "twice"}) as writer:
        for event in range(3):
            more = {
                "trace_p_arrival_2_sample": 6 * RATE_HZ if event == 0 else NAN,
                "trace_s_arrival_2_sample": N_SAMPLES + 5.0 if event == 0 else NAN,
            }
            writer.add_event([picked(event, 0) | more], event_waveforms(event, 1))
    return WaveformSet(path)


@pytest.mark.parametrize("in_memory", [False, True])
def test_further_events_of_a_recording_move_with_its_window(twice: WaveformSet, in_memory: bool) -> None:
    window = Window("trace", 1.0, 4.0, jitter_s=0.5, redrawn=True)
    split = Split({"train": tuple(twice.source_ids)})
    data = EventDataModule(twice, split, samples={"window": window}, unit="trace", in_memory=in_memory)
    for served in (data.train_dataloader(), data.loader("train")):
        batch = next(iter(served))
        assert batch[keys.MORE_ARRIVALS_S].shape == (3, 1, 1, 2)
        for name, first_s, more_s in zip(
            batch[keys.SOURCE_ID], batch[keys.ARRIVALS_S][:, 0], batch[keys.MORE_ARRIVALS_S][:, 0, 0], strict=True
        ):
            assert torch.isnan(more_s[1])
            if name == twice.source_ids[0]:
                assert float(more_s[0] - first_s[0]) == pytest.approx(3.0, abs=1e-4)
            else:
                assert torch.isnan(more_s[0])


def test_batches_of_sets_with_and_without_further_events(twice: WaveformSet, tmp_path: Path) -> None:
    with WaveformSetWriter(tmp_path / "once", card={"name": "once"}) as writer:
        writer.add_event([picked(7, 0)], event_waveforms(7, 1))
    window = Window("trace", 1.0, 4.0)
    samples = [TraceSamples(one, [0], window=window)[0] for one in (WaveformSet(tmp_path / "once"), twice)]
    more_s = collate_events(samples)[keys.MORE_ARRIVALS_S]
    assert more_s.shape == (2, 1, 1, 2)
    assert more_s[0].isnan().all() and float(more_s[1, 0, 0, 0]) == pytest.approx(5.0)


def test_swarms_that_are_made_here_tell_their_second_event(tmp_path: Path) -> None:
    source = LocalSyntheticSource(
        n_events=4, n_stations=[2, 2], length_s=30.0, lead_s=[5.0, 6.0], repeat=1.0, noise_db=-100.0,
        offset_range_km=[1.0, 20.0],
    )  # fmt: skip
    table = WaveformSet(source.prepare(tmp_path)).metadata
    delays = table["trace_p_arrival_2_sample"] - table["trace_p_arrival_sample"]
    told = delays.notna()
    assert told.any()
    assert (delays[told] > 0).all()
    assert (table["trace_s_arrival_2_sample"] - table["trace_s_arrival_sample"] - delays).abs().max() < 0.03
