"""Labels under review with real trainings: errors planted, folds, a queue, decisions, and folds again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from tiny_runs import SMALL, TINY, plain_config

from seisvision.data.corrections.table import Decision, append_decisions, read_decisions
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError
from seisvision.records.data_source import source_of
from seisvision.records.folder import RunFolder, read_json
from seisvision.reviewing.folds import out_of_fold
from seisvision.reviewing.loop import Loop, run_loop
from seisvision.reviewing.make import Wanted, is_reviewed_test, make_queue
from seisvision.reviewing.queue import Queue
from seisvision.reviewing.session import Session
from seisvision.runs.ensure import identify


@pytest.fixture(scope="module", autouse=True)
def own_packages() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_ones_own.")
        yield


@pytest.fixture(scope="module")
def loop(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """A loop that was gone through once: a fifth of the labels of 40 events planted wrong."""
    out = tmp_path_factory.mktemp("loop")
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={out / 'runs'}"]
    words = [*TINY, *SMALL, "trainer.max_epochs=1", "dataset.source.n_events=40", *folders]
    wanted = Wanted(most=1000, test_share=0.5, n_alike=2)
    made = Loop(plain_config, words, out / "review", 2, wanted, "truth", 0.2)
    assert run_loop(made) == out / "review" / "review.md"
    return made


def test_the_report_shows_three_tests_side_by_side_and_what_the_review_changed(loop: Loop) -> None:
    found = read_json(loop.out / "review.json")
    assert list(found["tests"]) == ["raw test", "cleaned test", "untouched test"]
    assert found["tests"]["raw test"]["n"] + found["tests"]["untouched test"]["n"] == 8
    planted, verdicts = found["review"]["planted"], found["review"]["verdicts"]
    assert planted["n"] == planted["in_queue"] == verdicts["correct"] and planted["left"] == 0
    assert found["review"]["set"]["before"] != found["review"]["set"]["after"]
    text = (loop.out / "review.md").read_text()
    assert text.count("\n| ") == 4 and "never reviewed" in text and f"Planted: {planted['n']}" in text
    held = {one.sample_id for one in read_decisions(loop.file) if one.reviewer == "planted"}
    untouched = {name for name in _tested(loop) if not is_reviewed_test(name, 0.5)}
    assert untouched and not held & untouched
    assert not untouched & {one["sample_id"] for one in Queue.read(loop.out / "queue").items}


def _tested(loop: Loop) -> set[str]:
    (first, *_) = read_json(loop.out / "before.json")
    return set(pd.read_csv(RunFolder(Path(first)).predictions_file, dtype=str)["source_id"])


def test_corrections_move_no_event_to_another_part(loop: Loop) -> None:
    runs = [
        RunFolder(path) for path in (loop.out.parent / "runs" / "default").iterdir() if (path / "status.json").exists()
    ]
    assert len(runs) == 4
    splits = {run.split_file.read_text() for run in runs}
    assert len(splits) == 2, "one for each fold, before and after"
    assert len({read_json(run.metrics_file)["data"]["fingerprint"] for run in runs}) == 2


def test_the_queue_is_of_labels_that_no_network_had_learnt(loop: Loop) -> None:
    queue = Queue.read(loop.out / "queue")
    before = [RunFolder(Path(path)) for path in read_json(loop.out / "before.json")]
    trained = {run.run_id: pd.read_csv(run.split_file, dtype=str, comment="#") for run in before}
    for item in queue.items:
        for run_id in item["run_id"].split("+"):
            split = trained[run_id]
            (part,) = split.loc[split.iloc[:, 0] == item["sample_id"], split.columns[1]]
            assert part in ("val", "test")
    first = queue.drawing(0)
    assert len(first["lines"]) >= 4 and first["picture"] and first["map"]["source"]
    assert len(queue.items[0]["hidden"]["alike"]) == 2
    scores = [item["hidden"]["score"] for item in queue.items if not item["control"]]
    assert scores == sorted(scores)
    assert len(pd.read_csv(loop.out / "queue" / "ranking.csv")) == queue.about["n_labels"]


def test_a_loop_waits_for_people_goes_on_and_takes_earlier_rounds_along(loop: Loop, tmp_path: Path) -> None:
    planted = tmp_path / "planted.csv"
    rows = [one for one in read_decisions(loop.file) if one.reviewer == "planted"]
    append_decisions(planted, rows)
    words = [*loop.overrides, f"dataset.corrections={planted}"]
    human = dataclasses.replace(loop, overrides=words, out=tmp_path / "human", simulate=None, plant=0.0)
    assert run_loop(human) is None, "labels are to be decided first"
    assert run_loop(human) is None
    queue = Queue.read(human.out / "queue")
    assert queue.items == Queue.read(loop.out / "queue").items
    truth = {one.sample_id: one.old for one in rows}
    session = Session(queue, human.file, "anna")
    for number, item in enumerate(queue.items):
        new = truth.get(item["sample_id"])
        session.decide(number, *(("keep",) if new is None else ("correct", new)))
    assert run_loop(human) == human.out / "review.md"
    found, simulated = (read_json(one.out / "review.json") for one in (human, loop))
    assert found["tests"] == simulated["tests"] and found["review"]["verdicts"] == simulated["review"]["verdicts"]
    assert found["review"]["set"] == simulated["review"]["set"], "replayed, it is the same set"
    assert len(list((loop.out.parent / "runs" / "default").glob("*/status.json"))) == 4, "and no run more"


def test_a_run_whose_corrections_grow_stays_what_it_was(loop: Loop, tmp_path: Path) -> None:
    planted = tmp_path / "corrections.csv"
    append_decisions(planted, [one for one in read_decisions(loop.file) if one.reviewer == "planted"])
    config = plain_config([*loop.overrides, f"dataset.corrections={planted}"])
    folder = identify(config)
    kept = config["dataset"]["corrections"]["fingerprint"]
    raw = plain_config(list(loop.overrides))
    assert folder.run_id != identify(raw).run_id
    set_folder = Path(source_of(raw["dataset"]["source"]).prepare(raw["system"]["data_dir"]))
    event = next(name for name in WaveformSet(set_folder).source_ids if name not in planted.read_text())
    value = WaveformSet(set_folder).event_table()["source_type"][event]
    append_decisions(planted, [Decision(event, event, "source_type", value, "", "discard", "anna", "t", "", "", "",
                                        WaveformSet(set_folder).fingerprint)])  # fmt: skip
    source = source_of(config["dataset"]["source"], config["dataset"]["corrections"])
    assert source.fingerprint(raw["system"]["data_dir"]) == kept
    again = plain_config([*loop.overrides, f"dataset.corrections={planted}"])
    assert identify(again).run_id != folder.run_id, "asked for anew, it is another run"


def test_runs_that_are_no_folds_are_refused(loop: Loop, data_dir: Path, tmp_path: Path) -> None:
    (first, second) = read_json(loop.out / "before.json")
    with pytest.raises(DataError, match="no folds"):
        out_of_fold([first])
    with pytest.raises(ConfigurationError, match="source_type"):
        out_of_fold([first, second], "offset")
    with pytest.raises(DataError, match="no finished run"):
        out_of_fold([str(tmp_path)])
    everything = str(Path(first).parent)
    with pytest.raises(DataError, match="2 sets"):
        make_queue([everything], tmp_path / "queue")
