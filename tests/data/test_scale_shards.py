"""A large import in shards: each on its own, resumable, and together what one import gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded_trees import write_tree

from seisvision.cli import main
from seisvision.data.importing.shards import merge_shards, parse_shard
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tree(tmp_path_factory.mktemp("tree"), n_events=7)
    # Two files that belong to nothing: told once, whatever the number of shards.
    for name in ("stray1.mseed", "stray2.mseed"):
        (folder / "waveforms" / name).write_bytes(next((folder / "waveforms").glob("*.mseed")).read_bytes())
    return folder


def command(tree: Path, out: Path, *more: str) -> list[str]:
    given = ["--waveforms", str(tree / "waveforms"), "--events", str(tree / "events.csv")]
    return ["data", "import", *given, "--stations", str(tree / "stations.csv"), "--out", str(out), *more]


def test_shards_together_are_the_whole(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(tree, tmp_path / "whole" / "set")) == 0
    for index in (3, 1, 2):
        assert main(command(tree, tmp_path / "set", "--shard", f"{index}/3")) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "set.shards" / "0002-of-0003")
    assert main(["data", "merge", str(tmp_path / "set.shards")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "set")
    whole, merged = WaveformSet(tmp_path / "whole" / "set"), WaveformSet(tmp_path / "set")
    assert merged.source_ids == whole.source_ids
    pd.testing.assert_frame_equal(
        merged.metadata.drop(columns="trace_name"), whole.metadata.drop(columns="trace_name"), check_dtype=False
    )
    for source_id in whole.source_ids:
        for one, other in zip(
            whole.read_event(source_id).waveforms, merged.read_event(source_id).waveforms, strict=True
        ):
            np.testing.assert_array_equal(one, other)
    assert merged.card["counts"] == whole.card["counts"]
    assert merged.card["import"]["counts"] == whole.card["import"]["counts"]
    rejected = [(folder / "rejected.csv").read_text() for folder in (tmp_path / "whole" / "set", tmp_path / "set")]
    assert sorted(rejected[0].splitlines()) == sorted(rejected[1].splitlines())
    assert merged.fingerprint == merged.card["fingerprint"]


def test_a_finished_shard_is_skipped(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(tree, tmp_path / "set", "--shard", "1/2")) == 0
    card = tmp_path / "set.shards" / "0001-of-0002" / "card.json"
    before = card.stat().st_mtime_ns
    capsys.readouterr()
    assert main(command(tree, tmp_path / "set", "--shard", "1/2")) == 0
    assert "finished already" in capsys.readouterr().out and card.stat().st_mtime_ns == before
    assert main(command(tree, tmp_path / "set", "--shard", "1/2", "--set", "seed=1")) == 1
    assert main(command(tree, tmp_path / "set", "--shard", "1/2", "--set", "seed=1", "--overwrite")) == 0


def test_missing_and_empty_shards(tree: Path, tmp_path: Path) -> None:
    """More shards than events: some are empty, which is a result, too."""
    for index in range(1, 10):
        assert main(command(tree, tmp_path / "set", "--shard", f"{index}/9")) == 0
    assert len(list((tmp_path / "set.shards").glob("*/empty.json"))) == 2
    merged = merge_shards(tmp_path / "set.shards")
    assert len(WaveformSet(merged)) == 7
    with pytest.raises(DataError, match="exists already"):
        merge_shards(tmp_path / "set.shards")
    for path in (tmp_path / "set.shards" / "0004-of-0009").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="lacks 1 of 9 shards: 4/9"):
        merge_shards(tmp_path / "set.shards", overwrite=True)
    with pytest.raises(DataError, match="no finished shard"):
        merge_shards(tmp_path / "nothing.shards")


def test_a_shard_that_cannot_be_read_is_told_in_one_line_before_there_is_a_set(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tree, tmp_path / "set", "--shard", "1/1")) == 0
    table = tmp_path / "set.shards" / "0001-of-0001" / "metadata.csv"
    table.write_text(table.read_text().replace("\n", "\n,,\n", 1).replace("\n,,\n", "\na\nb,b\n" + "c," * 99 + "\n"))
    capsys.readouterr()
    assert main(["data", "merge", str(tmp_path / "set.shards")]) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(told) == 1 and f"{table} is not a readable table" in told[0] and "download the set again" in told[0]
    assert not (tmp_path / "set").exists()


def test_chunks_keep_memory_small(tree: Path, tmp_path: Path) -> None:
    assert main(command(tree, tmp_path / "set", "--events-per-chunk", "2")) == 0
    assert (tmp_path / "set" / "chunks").read_text().split() == ["0", "1", "2", "3"]
    assert len(WaveformSet(tmp_path / "set")) == 7


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0"])
def test_shards_are_named_like_two_of_eight(text: str) -> None:
    with pytest.raises(ConfigurationError, match="2/8"):
        parse_shard(text)
    assert parse_shard("2/8") == (2, 8)
