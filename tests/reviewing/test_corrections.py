"""Decisions in a file that only grows, and the sets that they make."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seisvision.cli import main
from seisvision.data.corrections import corrected
from seisvision.data.corrections.corrected import StoredValues, replay, write_corrected
from seisvision.data.corrections.source import CorrectedSource, Corrections
from seisvision.data.corrections.standing import LAST, LEAVE, MAJORITY, Rule, joined, outcome, standing
from seisvision.data.corrections.table import COLUMNS, Decision, append_decisions, read_decisions
from seisvision.data.samples.paths import table_paths
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.sources.folder import FolderSource
from seisvision.errors import ConfigurationError, DataError
from seisvision.records.identity import run_identity, scientific_part
from seisvision.reviewing.agreement import agreements, cohen_kappa

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from small_sets import event_waveforms, trace_row, write_set


def decision(sample: str = "ev001", verdict: str = "keep", new: str = "", **changes: str) -> Decision:
    said = Decision(
        sample, sample, "source_type", "quake", new, verdict, "anna", "2026-01-01T00:00:00Z", "", "r", "0.1", "fp"
    )
    return replace(said, **changes)


def correct(sample: str, new: str, **changes: str) -> Decision:
    return decision(sample, "correct", new, **changes)


HOSTILE = ["one\ntwo", "a\\nb", 'say "x", y', "=cmd|' /C calc'!A0", "\ttab", "é\u202e", "-1", "\r"]


def test_every_name_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    written = [decision(f"e{name}", reason=name) for name in HOSTILE]
    for one in written:
        append_decisions(path, [one])
    assert read_decisions(path) == written
    lines = path.read_bytes().split(b"\n")
    assert len(lines) == len(written) + 2 and lines[0].decode().split(",") == list(COLUMNS), "a decision is one line"
    assert not (tmp_path / ".corrections.csv.lock").exists()


def test_a_decision_is_brought_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.fstat(handle).st_size)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    append_decisions(tmp_path / "c.csv", [decision()])
    assert synced and synced[0] == (tmp_path / "c.csv").stat().st_size


def test_what_was_not_written_whole_is_left_out_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    append_decisions(path, [decision("a"), decision("b")])
    whole = path.read_bytes()
    for cut in (3, len(whole.split(b"\n")[0]), len(whole) - 20, len(whole) - 1):
        path.write_bytes(whole[:cut])
        kept = read_decisions(path)
        assert [one.sample_id for one in kept] in ([], ["a"])
        append_decisions(path, [decision("c")])
        assert read_decisions(path) == [*kept, decision("c")]


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("a,b\n1,2\n")
    for does in (lambda: read_decisions(path), lambda: append_decisions(path, [decision()])):
        with pytest.raises(DataError):
            does()
    assert path.read_text() == "a,b\n1,2\n"
    with pytest.raises(DataError, match="There are no corrections"):
        read_decisions(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "wrong", [{"verdict": "maybe"}, {"verdict": "correct"}, {"new": "x"}, {"reviewer": " "}, {"reason": "x" * 3000}]
)
def test_decisions_that_do_not_exist_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(DataError):
        decision(**wrong)


def test_an_undo_brings_back_what_was_said_before() -> None:
    said = [
        decision("a"),
        correct("a", "blast"),
        decision("a", "undo"),
        decision("b"),
        decision("b", "undo"),
        decision("b", "undo"),
    ]
    held = standing(said)
    assert {label: one["anna"].verdict for label, one in held.items()} == {("a", "source_type"): "keep"}
    assert standing([decision("a"), decision("a", "undo", reviewer="ben")])[("a", "source_type")].keys() == {"anna"}


def test_joining_files_loses_no_undo_and_doubles_nothing(tmp_path: Path) -> None:
    twice_taken_back = [decision("a"), correct("a", "blast"), decision("a", "undo"), decision("a", "undo")]
    ben = [decision("b", reviewer="ben")]
    assert joined([twice_taken_back, twice_taken_back + ben, ben]) == twice_taken_back + ben
    assert ("a", "source_type") not in standing(joined([twice_taken_back]))
    append_decisions(tmp_path / "a.csv", twice_taken_back)
    words = ["review", "agree", str(tmp_path / "a.csv"), "--out", str(tmp_path / "all.csv")]
    for _ in range(2):
        assert main(words) == 0 and read_decisions(tmp_path / "all.csv") == twice_taken_back


def test_reviewers_agree_within_a_round_and_not_across_rounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the second round both keep what the first had made of the label."""
    first = [correct("a", "blast"), correct("a", "blast", reviewer="ben")]
    second = [decision("a", old="blast", set_fingerprint="fp2", reviewer="ben")]
    append_decisions(tmp_path / "a.csv", first + second)
    assert main(["review", "agree", str(tmp_path / "a.csv")]) == 0
    told = capsys.readouterr().out
    assert "0 labels in conflict" in told and "1 labels, 100 % alike" in told


def test_reviewers_who_disagree_are_settled_by_rule_or_by_a_third() -> None:
    said = [
        correct("a", "blast"),
        decision("a", reviewer="ben"),
        decision("b", "unsure"),
        correct("b", "blast", reviewer="ben"),
    ]
    with pytest.raises(DataError, match=r"disagree on 1 labels .*anna correct blast, ben keep"):
        outcome(said, Rule())
    agreed = {("b", "source_type"): "blast"}
    assert outcome(said, Rule(LEAVE)).changes == agreed, "unsure is no vote, and a conflict leaves the label"
    assert outcome(said, Rule(LAST)).changes == agreed
    assert outcome(said, Rule(MAJORITY)).unsettled == (("a", "source_type"),)
    third = [*said, correct("a", "blast", reviewer="cleo")]
    for rule in (Rule(MAJORITY), Rule(arbiter="cleo"), Rule(LAST)):
        assert outcome(third, rule).changes == agreed | {("a", "source_type"): "blast"}
    assert outcome(third, Rule(arbiter="ben")).changes == agreed
    with pytest.raises(ConfigurationError, match="majority"):
        Rule("majorty")


def test_kappa_is_cohens_own_example() -> None:
    # Two readers of 50 proposals (20 yes-yes, 5, 10, 15 no-no): kappa 0.4.
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    kappa, error = cohen_kappa(pairs)
    assert kappa == pytest.approx(0.4) and error == pytest.approx(0.127, abs=0.002)
    said = []
    for number, votes in enumerate(pairs):
        for name, vote in zip(("anna", "ben"), votes, strict=True):
            said.append(decision(str(number), "keep" if vote == "y" else "discard", reviewer=name))
    (found,) = agreements(said)
    assert found.kappa == pytest.approx(0.4) and found.n == 50 and found.low < 0.4 < found.high
    same = [replace(correct("a", "blast"), reviewer=name) for name in ("anna", "ben")]
    assert agreements(same)[0].share == 1 and agreements([same[0], correct("a", "ice", reviewer="ben")])[0].share == 0


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    return write_set(tmp_path_factory.mktemp("sets") / "small", events_per_chunk=4)


def of(small: WaveformSet, *decisions: Decision) -> list[Decision]:
    return [replace(one, set_fingerprint=small.fingerprint) for one in decisions]


def test_a_set_with_corrections_is_that_set_but_for_its_labels(small: WaveformSet, tmp_path: Path) -> None:
    file, data = tmp_path / "corrections.csv", tmp_path / "data"
    row = {"column": "trace_onset_s", "source_id": "ev002", "old": "4.0"}
    append_decisions(file, of(small, correct("ev001", "blast"), decision("ev002", "discard"), decision("ev004"),
                              correct("9", "5.5", **row)))  # fmt: skip
    source = CorrectedSource(FolderSource(str(small.path)), str(file))
    found = WaveformSet(source.prepare(data))
    assert found.fingerprint == source.fingerprint(data) != small.fingerprint
    before, after = small.metadata, found.metadata
    changed = (before != after) & ~(before.isna() & after.isna())
    assert changed.to_numpy().sum() == 4 + 4 + 1
    assert after.loc[after["source_id"] == "ev001", "source_type"].tolist() == ["blast"] * 4
    assert after.loc[after["source_id"] == "ev002", "source_type"].isna().all()
    assert after["trace_onset_s"].iloc[9] == 5.5
    for row_number in (0, 39):
        assert (found.read_trace(row_number, "ZNE")[0] == small.read_trace(row_number, "ZNE")[0]).all()
    assert small.fingerprint == WaveformSet(small.path).fingerprint, "the set itself is as it was"


def test_apply_writes_the_set_that_training_uses(
    small: WaveformSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "corrections.csv"
    append_decisions(file, of(small, correct("ev001", "blast"), correct("ev004", "blast")))
    out = tmp_path / "new"
    assert main(["review", "apply", str(small.path), "--corrections", str(file), "--out", str(out)]) == 0
    assert "2 labels decided: 2 corrected, 0 emptied" in capsys.readouterr().out
    source = CorrectedSource(FolderSource(str(small.path)), str(file))
    assert (
        WaveformSet(out).fingerprint
        == source.fingerprint(tmp_path)
        == WaveformSet(source.prepare(tmp_path)).fingerprint
    )
    pd.testing.assert_frame_equal(WaveformSet(out).metadata, WaveformSet(source.prepare(tmp_path)).metadata)
    assert not (out / "waveforms0.hdf5").samefile(small.path / "waveforms0.hdf5"), "it stands by itself"


def test_decisions_that_change_nothing_leave_the_set_itself(small: WaveformSet, tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    append_decisions(file, of(small, decision("ev001"), correct("ev004", "quake")))
    source = CorrectedSource(FolderSource(str(small.path)), str(file))
    assert source.prepare(tmp_path) == small.path and source.fingerprint(tmp_path) == small.fingerprint


def test_a_later_round_is_about_what_the_rounds_before_made(small: WaveformSet, tmp_path: Path) -> None:
    first = of(small, correct("ev001", "blast"), decision("ev002", "discard"))
    once = replay(small, first)
    second = [replace(correct("ev001", "quake", old="blast"), set_fingerprint=once.fingerprint)]
    twice = replay(small, first + second)
    assert twice.changes == {("ev002", "source_type"): None} and twice.fingerprint not in (
        once.fingerprint,
        small.fingerprint,
    )
    with pytest.raises(DataError, match="'blast' stands"):
        replay(small, [*first, replace(second[0], old="quake")])
    with pytest.raises(DataError, match="is of the set"):
        replay(small, second)


@pytest.mark.parametrize(("wrong", "says"), [
    ({"sample_id": "ev999", "source_id": "ev999"}, "ev999"), ({"column": "source_typ"}, "no column 'source_typ'"),
    ({"old": "blast"}, "'quake' stands"),
    ({"column": "trace_onset_s", "sample_id": "9", "source_id": "ev001"}, "no trace"),
])  # fmt: skip
def test_decisions_about_something_else_are_refused(wrong: dict[str, str], says: str, small: WaveformSet) -> None:
    with pytest.raises(DataError, match=says):
        replay(small, of(small, replace(correct("ev001", "blast"), **wrong)))


def test_a_label_that_no_column_holds_may_be_kept_but_not_changed(small: WaveformSet) -> None:
    absent = {"column": "source_size", "old": ""}
    kept = [decision("ev001", verdict, **absent) for verdict in ("keep", "unsure", "undo")]
    assert replay(small, of(small, *kept, correct("ev002", "blast"))).changes == {("ev002", "source_type"): "blast"}
    taken_back = [decision("ev001", "discard", **absent), decision("ev001", "undo", **absent)]
    assert replay(small, of(small, *taken_back)).fingerprint == small.fingerprint
    for wrong in (decision("ev001", "discard", **absent), correct("ev001", "3", **absent)):
        with pytest.raises(DataError, match="no column 'source_size'"):
            replay(small, of(small, wrong))


def test_an_azimuth_that_coordinates_overrule_may_be_discarded_but_not_corrected(tmp_path: Path) -> None:
    placed = {"source_latitude_deg": 47.0, "source_longitude_deg": -122.0, "station_longitude_deg": -121.0}
    with WaveformSetWriter(tmp_path / "set", card={"name": "placed"}) as writer:
        rows = [trace_row(0, 0, **placed, station_latitude_deg=48.0), trace_row(0, 1, **placed)]
        writer.add_event(rows, event_waveforms(0, 2))
    placed_set = WaveformSet(tmp_path / "set")
    row = {"column": "path_azimuth_deg", "source_id": "ev000"}
    with pytest.raises(DataError, match="computed from the coordinates"):
        replay(placed_set, of(placed_set, correct("0", "200", old="0.0", **row)))
    stored = StoredValues(placed_set)
    assert stored.why_fixed(("0", "path_azimuth_deg")) and not stored.why_fixed(("0", "path_ep_distance_km"))
    said = of(placed_set, decision("0", "discard", old="0.0", **row), correct("1", "200", old="30.0", **row))
    path = write_corrected(placed_set, replay(placed_set, said), tmp_path / "new", {})
    _, azimuths, _ = table_paths(WaveformSet(path).metadata)
    assert np.isnan(azimuths[0]) and azimuths[1] == 200, "where no station has coordinates the correction holds"


def test_a_run_keeps_the_set_it_was_asked_for_while_the_file_grows(
    small: WaveformSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "c.csv"
    append_decisions(file, of(small, correct("ev001", "blast")))
    source = CorrectedSource(FolderSource(str(small.path)), {"file": str(file), "rule": "majority"})
    then = source.fingerprint(tmp_path)
    asked = source.kept(tmp_path)
    assert asked["fingerprint"] == then and asked["dealt_from"] == small.fingerprint
    kept = CorrectedSource(FolderSource(str(small.path)), asked)
    for number in range(9):
        append_decisions(
            file, of(small, correct("ev004", "blast", time=str(number)), decision("ev001", reviewer="ben"))
        )
    tables: list[Path] = []
    monkeypatch.setattr(corrected, "read_cells", lambda chunk, real=corrected.read_cells: (
        tables.append(chunk.metadata_path), real(chunk))[1])  # fmt: skip
    assert kept.fingerprint(tmp_path) == then and len(tables) == len(set(tables)), "tables are read once"
    assert source.fingerprint(tmp_path) != then
    made = kept.prepare(tmp_path)
    assert WaveformSet(made).fingerprint == then
    file.unlink()
    assert kept.prepare(tmp_path) == made and kept.fingerprint(tmp_path) == then, "the set that was made is taken"
    append_decisions(file, of(small, correct("ev001", "blast")))
    gone = CorrectedSource(FolderSource(str(small.path)), asked | {"fingerprint": "0" * 16})
    with pytest.raises(DataError, match="No beginning of"):
        gone.prepare(tmp_path)


def test_a_run_finds_its_corrections_from_another_folder(
    small: WaveformSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    append_decisions(Path("c.csv"), of(small, correct("ev001", "blast")))
    asked = CorrectedSource(FolderSource(str(small.path)), "c.csv").kept(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    found = CorrectedSource(FolderSource(str(small.path)), asked).prepare(tmp_path / "data")
    assert WaveformSet(found).fingerprint == asked["fingerprint"] != small.fingerprint
    append_decisions(tmp_path / "data" / "d.csv", of(small, correct("ev001", "blast")))
    inside = CorrectedSource(FolderSource(str(small.path)), "d.csv").kept(tmp_path / "data")
    assert inside["file"] == "d.csv", "what lies in the data folder goes where that goes"


def test_a_run_is_named_by_the_set_that_its_parts_were_dealt_from() -> None:
    """A corrected set by itself deals its events otherwise than the set as it was, with corrections."""

    def run_id(corrections: object, fingerprint: str = "after", **beside: object) -> str:
        dataset = {"source": {}, "name": "x", "corrections": corrections} | beside
        return run_identity(scientific_part({"dataset": dataset, "trainer": {}, "run": {"test": True}}, fingerprint))

    made = {"file": "c.csv", "fingerprint": "after", "dealt_from": "before"}
    assert run_id(None) != run_id(made) == run_id(made | {"file": "d.csv"})
    assert run_id(None, "before") == run_id(made | {"fingerprint": "before"}, "before"), "nothing was changed"
    beside = {"share": 0.5, "fingerprint": "other"}
    assert run_id(None, beside={"b": beside}) == run_id(None, beside={"b": beside | {"corrections": made}})


@pytest.mark.parametrize(
    "wrong", [3, {"rule": "last"}, {"file": "x", "other": 1}, {"file": "x", "rule": 3}, ["x"]], ids=str
)
def test_settings_that_do_not_exist_are_refused(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"dataset\.corrections"):
        Corrections.of(wrong)
