"""A set that SeisBench reads and writes again is the set it was; units and component orders survive."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from small_sets import event_waveforms, trace_row, write_foreign

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter

RATE_HZ = 50.0
ARRIVAL = {"Z": 100, "N": 140, "E": 180, "R": 220, "T": 260}
"""Sample at which the wavelet of each component peaks."""
ORDERS = ("ZNE", "ENZ", "NEZ", "Z", "EN", "ZRT", "TRZ", "ZNERT")
UNITS = ("counts", "m/s", "m", "m/s**2", "nm/s", "cm/s", "normalised")


@pytest.fixture(scope="module")
def seisbench_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        # SeisBench makes a folder of its own where it is imported.
        patch.setenv("SEISBENCH_CACHE_ROOT", str(tmp_path_factory.mktemp("seisbench")))
        yield pytest.importorskip("seisbench.data", reason="seisbench is not installed (extra 'seisbench')")


def wavelets(order: str, scale: float = 1.0) -> np.ndarray:
    """Ricker wavelets of 5 Hz (C, T), each component at its own time and of its own size."""
    time_s = (np.arange(300) - np.array([ARRIVAL[letter] for letter in order])[:, None]) / RATE_HZ
    squared = (np.pi * 5 * time_s) ** 2
    size = np.array([1 + "ZNERT".index(letter) for letter in order])[:, None]
    return (scale * size * (1 - 2 * squared) * np.exp(-squared)).astype(np.float32)


def write_mixed(path: Path, events_per_chunk: int | None) -> WaveformSet:
    """Events of traces that differ in components, length, rate and unit."""
    with WaveformSetWriter(path, card={"name": "mixed", "unit": "m/s"}, events_per_chunk=events_per_chunk) as writer:
        for event in range(4):
            whole = event_waveforms(event, 3)
            waveforms = [whole[0], whole[1][:1, :150], whole[2][1:]]
            # SeisBench itself reads network NA as none and location 00 as 0, so these codes are others.
            codes = {"station_network_code": "XX", "station_location_code": "10"}
            rows = [
                trace_row(event, 0, trace_unit="m/s", **codes),
                trace_row(event, 1, trace_component_order="Z", trace_unit="counts", **codes),
                trace_row(event, 2, trace_component_order="NE", trace_sampling_rate_hz=50.0, trace_unit="m", **codes),
            ]
            writer.add_event(rows, waveforms)
    return WaveformSet(path)


def rewrite(seisbench_data: ModuleType, source: Path, target: Path) -> WaveformSet:
    """Read every trace with SeisBench and write it with SeisBench."""
    target.mkdir()
    read = seisbench_data.WaveformDataset(source, missing_components="ignore")
    with seisbench_data.WaveformDataWriter(target / "metadata.csv", target / "waveforms.hdf5") as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "ZNE", "unit": "m/s"}
        for i in range(len(read)):
            row = read.metadata.iloc[i].to_dict()
            order = row["trace_component_order"]
            read.component_order = order
            kept = {key: value for key, value in row.items() if key not in ("trace_chunk", "trace_npts", "index")}
            writer.add_trace(kept, np.asarray(read.get_waveforms(i)))
    return WaveformSet(target)


@pytest.mark.parametrize("events_per_chunk", [None, 2])
def test_a_set_that_seisbench_wrote_again_is_the_same(
    seisbench_data: ModuleType, tmp_path: Path, events_per_chunk: int | None
) -> None:
    ours = write_mixed(tmp_path / "ours", events_per_chunk)
    back = rewrite(seisbench_data, ours.path, tmp_path / "back")
    assert back.source_ids == ours.source_ids
    for name in ours.metadata.columns.difference(["trace_name"]):
        theirs, column = back.metadata[name], ours.metadata[name]
        if name.endswith("_time"):
            # SeisBench spells the same moment in another way.
            theirs, column = pd.to_datetime(theirs), pd.to_datetime(column)
        np.testing.assert_array_equal(theirs.to_numpy(), column.to_numpy(), err_msg=name)
    for row in range(len(ours.metadata)):
        (waveform, mask), (theirs, their_mask) = ours.read_trace(row), back.read_trace(row)
        np.testing.assert_array_equal(theirs, waveform)
        np.testing.assert_array_equal(their_mask, mask)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("flipped", [False, True])
def test_every_component_order_gives_the_same_wavelet(
    seisbench_data: ModuleType, tmp_path: Path, order: str, flipped: bool
) -> None:
    stored = wavelets(order)
    table = pd.DataFrame({"trace_name": ["a"], "trace_sampling_rate_hz": [RATE_HZ]})
    described = {"dimension_order": "WC" if flipped else "CW", "component_order": order}
    path = write_foreign(tmp_path / "set", table, {"a": stored.T if flipped else stored}, described)
    for wanted in ("ZNE", "ENZ", "Z", order):
        waveform, mask = WaveformSet(path).read_trace(0, wanted)
        assert mask.tolist() == [letter in order for letter in wanted]
        for letter, series, recorded in zip(wanted, waveform, mask, strict=True):
            expected = wavelets(letter)[0] if recorded else np.zeros(300)
            np.testing.assert_array_equal(series, expected)
        theirs = seisbench_data.WaveformDataset(path, component_order=wanted)
        np.testing.assert_array_equal(theirs.get_waveforms(0), waveform)


@pytest.mark.parametrize("order", ["ZNE", "Z", "NE", "ZN"])
@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_and_size_survives(seisbench_data: ModuleType, tmp_path: Path, order: str, unit: str) -> None:
    # Nanometres in metres and millions of counts: float32 holds both.
    scale = {"m": 1e-9, "m/s": 1e-8, "counts": 1e7}.get(unit, 1.0)
    row = trace_row(0, 0, trace_component_order=order, trace_unit=unit, trace_sampling_rate_hz=RATE_HZ)
    with WaveformSetWriter(tmp_path / "ours", card={"name": "unit", "unit": unit}) as writer:
        writer.add_event([row], [wavelets(order, scale)])
    theirs = seisbench_data.WaveformDataset(tmp_path / "ours", component_order=order)
    np.testing.assert_array_equal(theirs.get_waveforms(0), wavelets(order, scale))
    assert theirs.metadata["trace_unit"].iloc[0] == theirs.data_format["unit"] == unit
    back = rewrite(seisbench_data, tmp_path / "ours", tmp_path / "back")
    waveform, mask = back.read_trace(0)
    np.testing.assert_array_equal(waveform[mask], wavelets(order, scale))
    assert back.metadata["trace_unit"].iloc[0] == unit
