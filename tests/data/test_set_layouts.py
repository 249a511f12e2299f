"""Sets of other programs are read as they lie in the file, whatever their spelling, or refused with a reason."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from small_sets import write_foreign

from seisvision.data.samples.event_index import build_event_index
from seisvision.data.samples.window import Window
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.split import Split
from seisvision.errors import ConfigurationError, DataError

TRUTH = {"Z": np.arange(40.0), "N": np.arange(40.0) + 100, "E": np.arange(40.0) + 200}


def stored(order: str) -> np.ndarray:
    """Samples (C, 40) of the components in that order; others than Z, N, E are their letter's number."""
    return np.stack([TRUTH.get(letter, np.full(40, float(ord(letter)))) for letter in order]).astype(np.float32)


def one_trace(path: Path, samples: np.ndarray, described: dict[str, Any], **columns: Any) -> Path:
    table = pd.DataFrame({"trace_name": ["a,b_EV"], "trace_sampling_rate_hz": [20.0]} | columns)
    return write_foreign(path, table, {"a,b_EV": samples}, described)


def assert_true(path: Path, row: int = 0) -> None:
    waveform, recorded = WaveformSet(path).read_trace(row, "ZNE")
    assert recorded.all()
    np.testing.assert_array_equal(waveform, stored("ZNE"))


@pytest.mark.parametrize(
    "spelling",
    [
        "enz",
        "e,n,z",
        "['E', 'N', 'Z']",
        "E N Z",
        "[b'E' b'N' b'Z']",
        "BHE BHN BHZ",
        "EW NS UD",
        "ew,ns,ud",
        np.array([b"E", b"N", b"Z"]),
        b"ENZ",
    ],
)
@pytest.mark.parametrize("place", ["data_format", "row"])
def test_spellings_of_component_orders(tmp_path: Path, spelling: Any, place: str) -> None:
    if place == "data_format":
        assert_true(one_trace(tmp_path / "set", stored("ENZ"), {"component_order": spelling, "dimension_order": "CW"}))
    elif isinstance(spelling, str):
        columns = {"trace_component_order": [spelling]}
        assert_true(one_trace(tmp_path / "set", stored("ENZ"), {"component_order": "ZNE"}, **columns))


@pytest.mark.parametrize("spelling", ["nwc", "WC", b"NWC", np.array([b"W", b"C"]), "w, c"])
def test_spellings_of_dimension_orders(tmp_path: Path, spelling: Any) -> None:
    described = {"component_order": "NZE", "dimension_order": spelling}
    assert_true(one_trace(tmp_path / "set", stored("NZE").T, described))


@pytest.mark.parametrize("spelling", ["CWN", "WNC", "CNW", "CT", "time first"])
def test_other_dimension_orders_are_refused(tmp_path: Path, spelling: str) -> None:
    path = one_trace(tmp_path / "set", stored("ZNE"), {"component_order": "ZNE", "dimension_order": spelling})
    with pytest.raises(DataError, match=r"dimension_order.*allowed: CW, WC, NCW, NWC"):
        WaveformSet(path)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("bucket", [False, True])
def test_shapes_tell_an_order_that_is_not_said(tmp_path: Path, flipped: bool, bucket: bool) -> None:
    samples = stored("EZN").T if flipped else stored("EZN")
    limits = "0,:40,:3" if flipped else "0,:3,:40"
    table = pd.DataFrame({"trace_name": [f"b${limits}" if bucket else "b"], "trace_component_order": ["EZN"]})
    write_foreign(tmp_path / "set", table, {"b": samples[None] if bucket else samples}, {"sampling_rate": 20})
    assert_true(tmp_path / "set")


def test_attributes_say_what_datasets_say(tmp_path: Path) -> None:
    path = one_trace(tmp_path / "set", stored("NEZ").T, {}, trace_sampling_rate_hz=[None])
    with h5py.File(path / "waveforms.hdf5", "a") as file:
        group = file.create_group("data_format")
        group.attrs.update({"dimension_order": "WC", "component_order": "NEZ", "sampling_rate": np.array([25.0])})
    assert_true(path)
    assert WaveformSet(path).metadata["trace_sampling_rate_hz"].tolist() == [25.0]


@pytest.mark.parametrize(
    ("samples", "described", "message"),
    [
        (stored("ZNE").T, {}, "samples before components and does not say which components"),
        (stored("ZNE")[:, :3], {"component_order": "ZNE"}, "shapes do not tell .3 x 3 for 3 components"),
        (stored("ZN"), {"component_order": "ZNE"}, "shapes do not tell .2 x 40 for 3"),
        (stored("ZNE"), {"component_order": "ZNZ"}, "'ZNZ' must name different components"),
        (
            stored("ZNE").T,
            {"component_order": "ZNE", "dimension_order": "CW"},
            "40 components.*perhaps its dimension_or",
        ),
        (stored("ZNE"), {"component_order": "ZN", "dimension_order": "CW"}, "3 components, where the order ZN names 2"),
        (stored("Z"), {"component_order": "ENZ", "dimension_order": "CW"}, "1 components, where the order ENZ names 3"),
        (stored("ZNE").astype(complex), {"component_order": "ZNE"}, "complex128 instead of real numbers"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, samples: np.ndarray, described: dict[str, Any], message: str
) -> None:
    path = one_trace(tmp_path / "set", samples, described)
    with pytest.raises(DataError, match=message):
        WaveformSet(path).read_trace(0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("b$0,:3,:40", "another number of components.*order ZNEH"),
        ("b$0,:4,:41", "40 samples, where trace_name tells 41"),
    ],
)
def test_names_that_promise_something_else_are_refused(tmp_path: Path, name: str, message: str) -> None:
    table = pd.DataFrame({"trace_name": [name], "trace_component_order": ["ZNEH"], "trace_sampling_rate_hz": 20})
    write_foreign(tmp_path / "set", table, {"b": stored("ZNEH")[None]}, {"dimension_order": "CW"})
    with pytest.raises(DataError, match=message):
        WaveformSet(tmp_path / "set").read_trace(0)


@pytest.mark.parametrize("dtype", ["i2", "i4", "i8", "u2", "f2", "f8"])
def test_chunks_with_orders_of_their_own_read_like_the_file(tmp_path: Path, dtype: str) -> None:
    """Against h5py and the plainest possible reading."""
    orders = {"0": ("ENZ", "CW"), "1": ("ZNE", "WC")}
    for chunk, (order, dimensions) in orders.items():
        names = ["bucket$1,:3,:40", "bucket$0", "bucket$2"]
        if dimensions == "WC":
            names[0] = "bucket$1,:40,:3"
        rows = pd.DataFrame(
            {"trace_name": names, "source_id": ["x", "y", "x"], "trace_component_order": [order, "", order]}
        )
        block = np.stack([stored(order)] * 3) + np.arange(3)[:, None, None]
        block = (block if dimensions == "CW" else block.swapaxes(1, 2)).astype(dtype)
        described = {"component_order": order, "dimension_order": dimensions, "sampling_rate": "20"}
        write_foreign(tmp_path / "set", rows, {"bucket": block}, described, chunk)
    event = WaveformSet(tmp_path / "set").read_event("x", "NZ")
    for waveform, place in zip(event.waveforms, [1, 2, 1, 2], strict=True):
        np.testing.assert_array_equal(waveform, stored("NZ") + place)


def test_numbered_and_radial_components_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = [f"b${i}" for i in range(3)]
    table = pd.DataFrame({"trace_name": names, "trace_component_order": ["Z12", "ZRT", "zne"], "trace_dt_s": 0.05})
    write_foreign(tmp_path / "set", table, {"b": np.stack([stored("ZNE")] * 3)}, {"dimension_order": "CW"})
    with caplog.at_level(logging.WARNING):
        waveform_set = WaveformSet(tmp_path / "set")
    assert "Z12: 1 traces" in caplog.text and "ZRT: 1 traces" in caplog.text and "ZNE:" not in caplog.text
    assert waveform_set.read_trace(0, "Z12")[1].all() and waveform_set.read_trace(1, "ZNE")[1].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("orders", "components", "missing"), [("Z12", "ZNE", "N"), ("ZRT", "E", "E"), ("Z", "ZNE", "N")]
)
def test_components_that_no_trace_holds_are_refused_before_training(
    tmp_path: Path, orders: str, components: str, missing: str
) -> None:
    table = pd.DataFrame({"trace_name": [f"b${i}" for i in range(4)], "trace_sampling_rate_hz": 20})
    described = {"dimension_order": "CW", "component_order": orders}
    write_foreign(tmp_path / "set", table, {"b": np.stack([stored(orders)] * 4)}, described)
    split = Split({"train": ("b$0", "b$1"), "val": ("b$2",), "test": ("b$3",)})
    samples = {"window": Window(length_s=2.0), "components": components}
    with pytest.raises(ConfigurationError, match=f"holds '{missing}' .*{orders}: 4"):
        EventDataModule(tmp_path / "set", split, samples=samples)
    EventDataModule(tmp_path / "set", split, samples=samples | {"components": "Z"})


def test_arrivals_by_path_and_distances_in_degrees(tmp_path: Path) -> None:
    arrivals = {"trace_Pn_arrival_sample": [None, 30.0, 30.0], "trace_Pg_arrival_sample": [20.0, 20.0, 20.0]}
    table = pd.DataFrame(
        {"trace_name": ["b$0", "b$1", "b$2"], "source_id": "e", "trace_sampling_rate_hz": 10, **arrivals}
        | {"trace_P_arrival_sample": [None, None, 5.0], "path_ep_distance_deg": [1.0, 2.0, 30.0]}
    )
    write_foreign(tmp_path / "set", table, {"b": np.stack([stored("ZNE")] * 3)}, {"component_order": "ZNE"})
    index = build_event_index(WaveformSet(tmp_path / "set"), ["e"])
    assert index.onset_after_start_s.tolist() == [2.0, 2.0, 0.5]
    np.testing.assert_allclose(index.offset_km, [111.2, 222.4, 3335.9], atol=0.1)


def test_shapes_that_do_not_fit_are_refused_before_training(tmp_path: Path) -> None:
    table = pd.DataFrame({"trace_name": list("abcd"), "trace_sampling_rate_hz": 20})
    described = {"dimension_order": "WC", "component_order": "ZNE"}
    write_foreign(tmp_path / "set", table, dict.fromkeys("abcd", stored("ZNE")), described)
    split = Split({"train": ("a", "b"), "val": ("c",), "test": ("d",)})
    with pytest.raises(DataError, match=r"40 components.*perhaps its dimension_order"):
        EventDataModule(tmp_path / "set", split, samples={"window": Window(length_s=2.0)})
