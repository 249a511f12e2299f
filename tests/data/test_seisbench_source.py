"""Sets of SeisBench: from disk in either form, from the network only when that is allowed."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from small_sets import event_waveforms, write_set

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sources.seisbench import SeisBenchSource
from seisvision.errors import ConfigurationError, DataError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEISBENCH_CACHE_ROOT", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


@pytest.fixture()
def fake_seisbench(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Stands for SeisBench where its download is asked for: a class whose making downloads."""
    data = types.ModuleType("seisbench.data")

    class WaveformBenchmarkDataset:
        made: list[str] = []  # noqa: RUF012 - shared on purpose

        def __init__(self) -> None:
            WaveformBenchmarkDataset.made.append(type(self).__name__)
            self.download()

        def download(self) -> None:
            raise ConnectionError("no route to host")

    data.WaveformBenchmarkDataset = WaveformBenchmarkDataset
    data.ETHZ = type("ETHZ", (WaveformBenchmarkDataset,), {})
    package = types.ModuleType("seisbench")
    package.data = data
    monkeypatch.setitem(sys.modules, "seisbench", package)
    monkeypatch.setitem(sys.modules, "seisbench.data", data)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "seisbench" else real(name))
    return data


@pytest.mark.parametrize("settings", [{}, {"events_per_chunk": 3}])
def test_sets_on_disk_open_without_seisbench(
    cache: Path, tmp_path: Path, settings: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "seisbench", None)
    path = write_set(cache / "ethz", **settings).path
    source = SeisBenchSource("ETHZ")
    assert source.prepare(tmp_path / "data") == path
    assert source.fingerprint(tmp_path / "data") == WaveformSet(path).fingerprint
    np.testing.assert_array_equal(np.stack(WaveformSet(path).read_event("ev005").waveforms), event_waveforms(5))
    mine = write_set(tmp_path / "data" / "ETHZ").path
    assert source.prepare(tmp_path / "data") == mine


def test_no_download_unless_allowed(tmp_path: Path, fake_seisbench: types.ModuleType) -> None:
    with pytest.raises(DataError, match="allow_download=true"):
        SeisBenchSource("ETHZ").prepare(tmp_path)
    assert fake_seisbench.WaveformBenchmarkDataset.made == []


def test_allowed_download(tmp_path: Path, cache: Path, fake_seisbench: types.ModuleType) -> None:
    with pytest.raises(DataError, match="no route to host"):
        SeisBenchSource("ethz", allow_download=True).prepare(tmp_path)
    with pytest.raises(DataError, match="Did you mean 'ETHZ'"):
        SeisBenchSource("ETH", allow_download=True).prepare(tmp_path)
    fake_seisbench.ETHZ.download = lambda self: write_set(cache / "ethz")
    assert SeisBenchSource("ethz", allow_download=True).prepare(tmp_path) == cache / "ethz"
    made = list(fake_seisbench.WaveformBenchmarkDataset.made)
    SeisBenchSource("ETHZ", allow_download=True).prepare(tmp_path)
    assert fake_seisbench.WaveformBenchmarkDataset.made == made, "a set on disk is not downloaded again"


def test_seisbench_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "seisbench" else real(name))
    with pytest.raises(DataError, match=r"pip install 'seisvision\[seisbench\]'"):
        SeisBenchSource("ETHZ", allow_download=True).prepare(tmp_path)


@pytest.mark.parametrize("name", ["../ethz", "a/b", "", "."])
def test_names_are_no_paths(name: str) -> None:
    with pytest.raises(ConfigurationError, match="plain name"):
        SeisBenchSource(name)


def test_a_set_of_seisbench_is_audited(shared_data: Path) -> None:
    from seisvision.data.audit.audit import audit_set

    waveform_set = WaveformSet(shared_data / "ipoc_seisbench")
    audit = audit_set(waveform_set)
    assert audit.statistics["n_traces"] == 200 and not audit.fatal
