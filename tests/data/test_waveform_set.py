"""Any SeisBench set opens, event by event; damage is named."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from small_sets import event_waveforms, write_foreign, write_set

from seisvision.data.sets.stored.tables import parse_trace_name
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    return write_set(tmp_path_factory.mktemp("sets") / "small")


def counted_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reads: list[str] = []
    read = h5py.Dataset.__getitem__

    def count(dataset: h5py.Dataset, *arguments: object, **keywords: object) -> object:
        reads.append(dataset.name)
        return read(dataset, *arguments, **keywords)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", count)
    return reads


def test_an_event_is_one_read(small: WaveformSet, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = counted_reads(monkeypatch)
    for components in ("Z", "ZNE", "E", "ENZ"):
        small.read_event("ev004", components)
    assert reads == ["/data/bucket4"] * 4


def test_components_come_in_the_order_asked_for(small: WaveformSet) -> None:
    truth = event_waveforms(4)
    np.testing.assert_array_equal(np.stack(small.read_event("ev004", "Z").waveforms), truth[:, :1])
    np.testing.assert_array_equal(np.stack(small.read_event("ev004", "NE").waveforms), truth[:, 1:])
    np.testing.assert_array_equal(np.stack(small.read_event("ev004", "EZ").waveforms), truth[:, [2, 0]])
    hydrophone = small.read_event("ev004", "ZH")
    assert hydrophone.component_mask.tolist() == [[True, False]] * 4
    assert not np.stack(hydrophone.waveforms)[:, 1].any()


def test_event_table(small: WaveformSet) -> None:
    table = small.event_table()
    assert list(table.index) == small.source_ids
    assert set(table["n_traces"]) == {4}
    assert table.at["ev003", "source_type"] == "blast" and table.at["ev003", "source_depth_km"] == 4.0
    assert not [column for column in table if column.startswith(("station_", "trace_", "path_"))]


def test_scattered_rows_of_a_foreign_bucket(tmp_path: Path) -> None:
    """Traces of an event spread over buckets that hold several events, lengths given by trace_name."""
    blocks = np.random.default_rng(0).integers(-1000, 1000, size=(2, 12, 3, 90)).astype(np.int16)
    places = [(bucket, index) for index in range(12) for bucket in range(2)]
    table = pd.DataFrame(
        {
            "trace_name": [f"b{bucket}${index},:3,:{60 + index}" for bucket, index in places],
            "source_id": [f"e{index % 3}" for _, index in places],
            "trace_dt_s": [0.01 if index % 2 else 0.00833 for _, index in places],
        }
    )
    write_foreign(tmp_path / "set", table, {"b0": blocks[0], "b1": blocks[1]}, {"component_order": "ENZ"})
    waveform_set = WaveformSet(tmp_path / "set")
    event = waveform_set.read_event("e1", "ZNE")
    expected = [(bucket, index) for bucket, index in places if index % 3 == 1]
    assert len(event.waveforms) == len(expected) == 8
    for waveform, (bucket, index) in zip(event.waveforms, expected, strict=True):
        assert waveform.dtype == np.float32
        np.testing.assert_array_equal(waveform, blocks[bucket, index, ::-1, : 60 + index])
    assert set(np.round(event.sampling_rate_hz, 1)) == {100.0, 120.0}


@pytest.mark.parametrize("dimension_order", ["CW", "WC", "NCW"])
def test_dimension_orders_and_whole_datasets(tmp_path: Path, dimension_order: str) -> None:
    data = event_waveforms(0, 2).astype(np.float64)
    stored = data.swapaxes(1, 2) if dimension_order == "WC" else data
    limits = ":200,:3" if dimension_order == "WC" else ":3,:200"
    table = pd.DataFrame({"trace_name": ["whole", f"bucket$0,{limits}", "bucket$1"], "source_id": ["a", "b", "b"]})
    described = {"dimension_order": dimension_order, "component_order": "ZNE", "sampling_rate": 50}
    write_foreign(tmp_path / "set", table, {"whole": stored[0], "bucket": stored}, described)
    waveform_set = WaveformSet(tmp_path / "set")
    np.testing.assert_array_equal(waveform_set.read_event("a").waveforms[0], data[0].astype(np.float32))
    np.testing.assert_array_equal(np.stack(waveform_set.read_event("b", "NE").waveforms), data[:, 1:].astype("f4"))
    assert waveform_set.read_event("a").sampling_rate_hz.tolist() == [50.0]


def test_component_order_of_the_trace_goes_before_that_of_the_file(tmp_path: Path) -> None:
    data = event_waveforms(0, 3)
    table = pd.DataFrame(
        {
            "trace_name": [f"b${i},:3,:200" for i in range(3)],
            "source_id": "a",
            "trace_component_order": ["ZNE", "EZN", None],
            "trace_sampling_rate_hz": 20,
        }
    )
    write_foreign(tmp_path / "set", table, {"b": data}, {"component_order": "NEZ"})
    vertical = WaveformSet(tmp_path / "set").read_event("a", "Z").waveforms
    np.testing.assert_array_equal(np.concatenate(vertical), data[[0, 1, 2], [0, 1, 2]])


def test_gaps_become_zeros(tmp_path: Path) -> None:
    data = event_waveforms(0, 2)
    data[1, 0, 10:20], data[0, 2, 5] = np.nan, np.inf
    table = pd.DataFrame({"trace_name": ["b$0", "b$1"], "source_id": "a", "trace_sampling_rate_hz": 20})
    write_foreign(tmp_path / "set", table, {"b": data}, {})
    read = np.stack(WaveformSet(tmp_path / "set").read_event("a").waveforms)
    bad = ~np.isfinite(data)
    assert not read[bad].any()
    np.testing.assert_array_equal(read[~bad], data[~bad])


def test_traces_without_source_id_are_events_of_their_own(tmp_path: Path) -> None:
    for chunk in ("0", "1"):
        table = pd.DataFrame({"trace_name": ["b$0,:3,:200", "b$1,:3,:200"], "trace_sampling_rate_hz": 20})
        write_foreign(tmp_path / "set", table, {"b": event_waveforms(int(chunk), 2)}, {}, chunk)
    waveform_set = WaveformSet(tmp_path / "set")
    assert waveform_set.source_ids == ["0/b$0", "0/b$1", "1/b$0", "1/b$1"]
    np.testing.assert_array_equal(waveform_set.read_event("1/b$1").waveforms[0], event_waveforms(1, 2)[1])


def test_shared_foreign_set(shared_data: Path) -> None:
    folder = shared_data / "ipoc_seisbench"
    waveform_set = WaveformSet(folder)
    assert len(waveform_set) == len(waveform_set.metadata) == 200
    with h5py.File(folder / "waveforms1.hdf5") as file:
        for row in (100, 163, 199):
            bucket, _, place = waveform_set.metadata["trace_name"].iloc[row].partition("$")
            expected = file["data"][bucket][int(place.split(",")[0])].astype(np.float32)
            waveform, mask = waveform_set.read_trace(row)
            assert waveform.shape == (3, 1200) and mask.all()
            np.testing.assert_array_equal(waveform, expected)
    assert set(waveform_set.read_event(waveform_set.source_ids[0]).sampling_rate_hz) == {20.0}


def checksum(waveform_set: WaveformSet) -> float:
    return float(sum(np.sum(waveform_set.read_event(name).waveforms) for name in waveform_set.source_ids))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_the_same(small: WaveformSet, method: str) -> None:
    expected = checksum(small)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(checksum, [small] * 4) == [expected] * 4
    assert checksum(small) == expected


def test_pickle_is_small_and_lazy(small: WaveformSet) -> None:
    checksum(small)
    copy = pickle.loads(pickle.dumps(small))
    assert checksum(copy) == checksum(small)
    pd.testing.assert_frame_equal(copy.metadata, small.metadata)


def test_many_chunks_do_not_keep_all_files_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seisvision.data.sets.waveform_set.MAX_OPEN_FILES", 2)
    waveform_set = write_set(tmp_path / "set", 6, events_per_chunk=1)
    for event in (0, 5, 1, 4, 2, 3):
        read = waveform_set.read_event(f"ev{event:03d}")
        np.testing.assert_array_equal(np.stack(read.waveforms), event_waveforms(event))
    assert len(waveform_set._files) == 2


def damage_truncate(folder: Path) -> None:
    path = folder / "waveforms.hdf5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_no_trace_name(folder: Path) -> None:
    path = folder / "metadata.csv"
    pd.read_csv(path).drop(columns="trace_name").to_csv(path, index=False)


def damage_no_rate(folder: Path) -> None:
    path = folder / "metadata.csv"
    table = pd.read_csv(path)
    table["trace_sampling_rate_hz"] = 0.0
    table.to_csv(path, index=False)


def damage_no_data_group(folder: Path) -> None:
    with h5py.File(folder / "waveforms.hdf5", "w") as file:
        file.create_group("other")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_truncate, r"waveforms\.hdf5 cannot be read, perhaps it is truncated.*again"),
        (damage_no_trace_name, r"metadata\.csv needs a trace_name"),
        (damage_no_rate, r"metadata\.csv: 8 traces have no positive sampling rate"),
        (damage_no_data_group, r"waveforms\.hdf5 has no group 'data'"),
        (lambda folder: (folder / "waveforms.hdf5").unlink(), r"waveforms\.hdf5 is missing"),
        (lambda folder: (folder / "metadata.csv").unlink(), "has no metadata.csv"),
        (lambda folder: (folder / "metadata.csv").write_text(""), "not a readable table"),
        (lambda folder: (folder / "metadata.csv").write_bytes(b"\x89HDF\xff\n\x00"), "not a readable table"),
        (lambda folder: (folder / "chunks").write_text("7\n"), r"metadata7\.csv is missing"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: object, message: str) -> None:
    write_set(tmp_path / "set", 2)
    damage(tmp_path / "set")  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        WaveformSet(tmp_path / "set")


def test_missing_samples_are_named(tmp_path: Path) -> None:
    write_set(tmp_path / "set", 2)
    with h5py.File(tmp_path / "set" / "waveforms.hdf5", "a") as file:
        del file["data/bucket1"]
    waveform_set = WaveformSet(tmp_path / "set")
    with pytest.raises(DataError, match=r"'bucket1\$0,:3,:200' cannot be read from .*waveforms\.hdf5"):
        waveform_set.read_event("ev001")


def test_datasets_of_another_shape_are_named(tmp_path: Path) -> None:
    table = pd.DataFrame({"trace_name": ["flat$0,:3,:200"], "source_id": "a", "trace_sampling_rate_hz": 20})
    write_foreign(tmp_path / "set", table, {"flat": np.zeros((3, 200))}, {})
    with pytest.raises(DataError, match=r"'flat\$0,:3,:200' cannot be read"):
        WaveformSet(tmp_path / "set").read_event("a")


def test_missing_set_and_event(small: WaveformSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        WaveformSet(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"event 'ev999' is not in .* 10 events \(ev000"):
        small.read_event("ev999")


def test_trace_names() -> None:
    address = parse_trace_name("bucket0$5,:3,:6000")
    assert (address.dataset, address.index, address.n_first, address.n_second) == ("bucket0", 5, 3, 6000)
    assert parse_trace_name("a/b.c").index == -1
    with pytest.raises(DataError, match="not of the form"):
        parse_trace_name("bucket0$x")
