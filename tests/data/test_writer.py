"""What is written is complete, true and readable by others."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest
from small_sets import event_waveforms, trace_row, write_set

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import DataError


@pytest.fixture(scope="module")
def seisbench_data(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The reference reader of the format, kept away from the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEISBENCH_CACHE_ROOT", str(tmp_path_factory.mktemp("seisbench")))
        return pytest.importorskip("seisbench.data", reason="seisbench is not installed (extra 'seisbench')")


@pytest.mark.parametrize("compression", [None, "lzf", "gzip"])
@pytest.mark.parametrize("events_per_chunk", [None, 3])
def test_round_trip(tmp_path: Path, compression: str | None, events_per_chunk: int | None) -> None:
    waveform_set = write_set(tmp_path / "set", 7, compression=compression, events_per_chunk=events_per_chunk)
    assert waveform_set.source_ids == [f"ev{event:03d}" for event in range(7)]
    for event, source_id in enumerate(waveform_set.source_ids):
        read = waveform_set.read_event(source_id)
        np.testing.assert_array_equal(np.stack(read.waveforms), event_waveforms(event))
        assert read.component_mask.all()
        assert list(read.metadata["station_network_code"]) == ["NA"] * 4
        assert list(read.metadata["station_location_code"]) == ["00"] * 4
    assert len(list((tmp_path / "set").glob("waveforms*.hdf5"))) == (3 if events_per_chunk else 1)


def test_lengths_and_components_differ_within_an_event(tmp_path: Path) -> None:
    waveforms = list(event_waveforms(0, 4))
    waveforms[1], waveforms[2] = waveforms[1][:, :150], waveforms[2][[1, 2]]
    orders = ["ZNE", "ZNE", "NE", "Z"]
    rows = [trace_row(0, i, trace_component_order=order) for i, order in enumerate(orders)]
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        writer.add_event(rows, waveforms)
    read = WaveformSet(tmp_path / "set").read_event("ev000")
    assert [waveform.shape for waveform in read.waveforms] == [(3, 200), (3, 150), (3, 200), (3, 200)]
    assert read.component_mask.tolist() == [[True] * 3, [True] * 3, [False, True, True], [True, False, False]]
    np.testing.assert_array_equal(read.waveforms[1], waveforms[1])
    np.testing.assert_array_equal(read.waveforms[2][1:], waveforms[2])
    np.testing.assert_array_equal(read.waveforms[3][0], waveforms[3][0])
    assert not read.waveforms[2][0].any() and not read.waveforms[3][1:].any()


def test_one_component_of_an_event_is_one_block(tmp_path: Path) -> None:
    write_set(tmp_path / "set", 1)
    with h5py.File(tmp_path / "set" / "waveforms.hdf5") as file:
        assert file["data/bucket0"].chunks == (4, 1, 200)


def test_card_counts_and_fingerprint(tmp_path: Path) -> None:
    first = write_set(tmp_path / "a", 3, card={"name": "a", "licence": "CC0"})
    assert first.card["counts"] == {"n_events": 3, "n_traces": 12, "n_samples": 3 * 4 * 3 * 200}
    assert first.card["licence"] == "CC0"
    assert first.fingerprint == json.loads((tmp_path / "a" / "card.json").read_text())["fingerprint"]
    assert write_set(tmp_path / "chunked", 3, events_per_chunk=1).fingerprint == first.fingerprint
    assert write_set(tmp_path / "longer", 4).fingerprint != first.fingerprint
    assert write_set(tmp_path / "own", 3, card={"fingerprint": "mine"}).fingerprint == "mine"


def test_nothing_appears_when_writing_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        WaveformSetWriter(tmp_path / "set", card={}, overwrite=True) as writer,
    ):
        writer.add_event([trace_row(0, 0)], event_waveforms(0, 1))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_an_old_set_survives_a_failed_overwrite(tmp_path: Path) -> None:
    before = write_set(tmp_path / "set", 2).fingerprint
    with (
        pytest.raises(DataError, match="no event was added"),
        WaveformSetWriter(tmp_path / "set", card={}, overwrite=True),
    ):
        pass
    assert WaveformSet(tmp_path / "set").fingerprint == before
    assert len(write_set(tmp_path / "set", 5, overwrite=True)) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_existing_folders_are_not_overwritten(tmp_path: Path) -> None:
    write_set(tmp_path / "set", 1)
    with pytest.raises(DataError, match="exists already"):
        write_set(tmp_path / "set", 1)
    (tmp_path / "precious").mkdir()
    with pytest.raises(DataError, match="not a waveform set"):
        write_set(tmp_path / "precious", 1, overwrite=True)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_bad_samples_are_refused_by_name(tmp_path: Path, value: float) -> None:
    waveforms = event_waveforms(0, 4)
    waveforms[2, 1, 50] = value
    with (
        pytest.raises(DataError, match=r"event 'ev000' station 'NA\.S02' holds 1 NaN"),
        WaveformSetWriter(tmp_path / "set", card={}) as writer,
    ):
        writer.add_event([trace_row(0, i) for i in range(4)], waveforms)


@pytest.mark.parametrize(
    ("rows", "waveforms", "message"),
    [
        ([trace_row(0, 0)], event_waveforms(0, 2), "one metadata row per trace"),
        ([{"source_id": "a"}], event_waveforms(0, 1), "lacks trace_sampling_rate_hz"),
        ([trace_row(0, 0, trace_sampling_rate_hz=0)], event_waveforms(0, 1), "must be positive"),
        ([trace_row(0, 0), trace_row(1, 1)], event_waveforms(0, 2), "rows name 2"),
        ([trace_row(0, 0, trace_component_order="EZ")], event_waveforms(0, 1), "in that order"),
        ([trace_row(0, 0)], event_waveforms(0, 1)[:, :2], "expected"),
        ([trace_row(0, 0)], event_waveforms(0, 1)[:, :, :0], "empty"),
    ],
)
def test_wrong_input_is_refused(tmp_path: Path, rows: list[dict], waveforms: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message), WaveformSetWriter(tmp_path / "set", card={}) as writer:
        writer.add_event(rows, waveforms)


def test_an_event_is_added_once(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="'ev000' was added before"),
        WaveformSetWriter(tmp_path / "set", card={}) as writer,
    ):
        for _ in range(2):
            writer.add_event([trace_row(0, 0)], event_waveforms(0, 1))


@pytest.mark.parametrize("events_per_chunk", [None, 2])
def test_seisbench_reads_the_same(seisbench_data: ModuleType, tmp_path: Path, events_per_chunk: int | None) -> None:
    order = ["ZNE", "Z", "NE", "ZNE"]
    with WaveformSetWriter(
        tmp_path / "set", card={"unit": "m/s"}, events_per_chunk=events_per_chunk, compression="gzip"
    ) as writer:
        for event in range(5):
            waveforms = [waveform[:, : 200 - i] for i, waveform in enumerate(event_waveforms(event))]
            writer.add_event([trace_row(event, i, trace_component_order=order[i]) for i in range(4)], waveforms)
    ours = WaveformSet(tmp_path / "set")
    theirs = seisbench_data.WaveformDataset(tmp_path / "set", component_order="ZNE", missing_components="pad")
    assert len(theirs) == len(ours.metadata) == 20
    assert list(theirs.metadata["source_id"]) == list(ours.metadata["source_id"])
    for row in range(20):
        np.testing.assert_array_equal(theirs.get_waveforms(row), ours.read_trace(row)[0])
        assert theirs.get_sample(row)[1]["trace_sampling_rate_hz"] == 20.0


def test_seisbench_and_we_read_a_foreign_set_alike(seisbench_data: ModuleType, shared_data: Path) -> None:
    ours = WaveformSet(shared_data / "ipoc_seisbench")
    theirs = seisbench_data.WaveformDataset(shared_data / "ipoc_seisbench")
    for row in range(0, 200, 17):
        np.testing.assert_array_equal(ours.read_trace(row)[0], theirs.get_waveforms(row).astype(np.float32))
