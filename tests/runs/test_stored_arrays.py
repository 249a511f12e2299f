"""Archives of arrays that lie about themselves end in one clear line, without the memory that they ask for."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fake_cluster_runs import make_run

from seisvision import stored_arrays
from seisvision.atlas.agreement import read_event_clusters
from seisvision.base.sample_ids import SampleIds
from seisvision.data.samples.onsets import _read as read_onsets
from seisvision.data.sets.recording_shapes import set_shapes
from seisvision.data.sets.table_cache import FILE_NAME, load_table
from seisvision.errors import CheckpointError, SeisvisionError
from seisvision.evaluation.baselines.feature_table import _read as read_features
from seisvision.experiments.clustering.report.runs import read_cluster_runs
from seisvision.judging.stored_baselines import read_stored
from seisvision.records.folder import RunFolder
from seisvision.stored_arrays import open_arrays

NAMES = (
    "about",
    "onset_s",
    "source_id",
    "source_ids",
    "shape",
    "problems",
    "sample_ids",
    "features",
    "labels",
    "points",
)


SHAPES = {"huge": "(1000000000000,)", "large": "(300000000,)", "negative": "(-1,)", "text": "('a',)"}


def array_bytes(header: str) -> bytes:
    text = header.encode() + b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def lying(path: Path, kind: str) -> Path:
    """An archive under all names that the readers ask for."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            if kind == "objects":
                buffer = io.BytesIO()
                np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
                content = buffer.getvalue()
            else:
                n_bytes = 8 * 10**6 if kind == "bomb" else 64
                shape = "(1000000,)" if kind == "bomb" else SHAPES[kind]
                content = array_bytes(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}") + bytes(
                    n_bytes
                )
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("kind", ["huge", "large", "negative", "text", "objects", "bomb"])
def test_every_reader_refuses_and_sets_nothing_aside(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_arrays, "SMALL_BYTES", 10**6)
    path = lying(tmp_path / "x.npz", kind)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"shape|objects|unpacks|bytes"), open_arrays(path) as stored:
        stored["about"]
    assert read_onsets(path, 10) is None and read_features(path, SampleIds.of_events([])) is None
    with pytest.raises(CheckpointError, match=r"x\.npz.* cannot be read"):
        read_stored(path, "event")
    assert load_table(path.rename(tmp_path / FILE_NAME).parent, "key") is None
    assert tracemalloc.get_traced_memory()[1] < 5e7
    tracemalloc.stop()


def test_shapes_of_recordings_are_made_again(tmp_path: Path) -> None:
    from seisvision.data.sets.writer import WaveformSetWriter

    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        noise = np.random.default_rng(0).normal(size=(1, 3, 900)).astype(np.float32)
        writer.add_event([{"source_id": "a", "trace_sampling_rate_hz": 20.0}], noise)
    from seisvision.data.sets.waveform_set import WaveformSet

    waveform_set = WaveformSet(tmp_path / "set")
    made = set_shapes(waveform_set, tmp_path)
    path = next(tmp_path.glob("shapes-*.npz"))
    lying(path, "large")
    assert np.array_equal(set_shapes(waveform_set, tmp_path).shape, made.shape)
    np.savez(path, source_id=np.array(["a"]), shape=np.zeros((1, 3)))
    assert np.array_equal(set_shapes(waveform_set, tmp_path).shape, made.shape)


def test_features_of_clusters(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", np.random.default_rng(0).normal(size=(30, 4)), 3, 1).path
    lying(folder / "features.npz", "large")
    runs, left_out = read_cluster_runs([folder])
    assert not runs and "states a shape of (300000000,)" in left_out[0].reason
    with pytest.raises(SeisvisionError, match="no finished clustering run"):
        read_event_clusters(RunFolder(folder))


@pytest.mark.parametrize(
    "values", [np.arange(6.0).reshape(2, 3), np.array(["é", "b"]), np.array("text"), np.zeros((0, 4))]
)
def test_what_was_written_is_read(values: np.ndarray, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", values=values, zeros=np.zeros(900_000))
    with open_arrays(tmp_path / "a.npz") as stored:
        assert np.array_equal(stored["values"], values) and "values" in stored and "other" not in stored
        with pytest.raises(KeyError):
            stored["other"]
