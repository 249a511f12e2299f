"""Reports replace what the same command wrote before, and nothing that somebody else put there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from fake_cluster_runs import make_run
from fake_runs import CLASS, fake_run
from tiny_runs import ROOT

sys.path.insert(0, str(ROOT / "tests" / "data"))
sys.path.insert(0, str(ROOT / "tests"))

from failing_disk import errors_told
from small_sets import write_set

from seisvision.cli import main
from seisvision.runs.terminal import output_done

FOREIGN = "my own notes, group, # Comparison\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    for seed in (1, 2):
        fake_run(folder / "runs" / f"seed{seed}", CLASS, seed=seed)
    events = np.random.default_rng(1).normal(size=(60, 4)) + 8 * np.repeat(np.eye(4)[:3], 20, axis=0)
    for k in (2, 3):
        make_run(folder / "clusterings" / f"k{k}", events, k, 1)
    write_set(folder / "set", 5)
    return folder


COMMANDS = {
    "compare": (
        ["compare", "{}/runs", "--out", "{out}/report.html"],
        ("report.html", "comparison.csv", "comparison.md"),
    ),
    "clusters": (
        ["clusters", "{}/clusterings", "--out", "{out}"],
        ("clusters.html", "clusters.md", "clusters_by_k.csv", "consensus.csv"),
    ),
    "audit": (["data", "audit", "{}/set", "--out", "{out}"], ("audit.html", "audit.json")),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_files_of_others_stay_unless_asked(name: str, inputs: Path, tmp_path: Path) -> None:
    asked, names = COMMANDS[name]
    words = [word.replace("{}", str(inputs)).replace("{out}", str(tmp_path)) for word in asked]
    for foreign in names:
        (tmp_path / foreign).write_text(FOREIGN)
        with errors_told() as errors:
            assert main(words) == 2
        assert len(errors) == 1 and f"{tmp_path / foreign} is there and was not written by" in errors[0]
        assert [path.name for path in tmp_path.iterdir()] == [foreign], "nothing is written before"
        assert (tmp_path / foreign).read_text() == FOREIGN
        (tmp_path / foreign).unlink()
    for foreign in names:
        (tmp_path / foreign).write_text(FOREIGN)
    (tmp_path / "mine.csv").write_text(FOREIGN)
    assert main([*words, "--overwrite"]) == 0
    written = {foreign for foreign in names if (tmp_path / foreign).read_text() != FOREIGN}
    # Without structure there are no clusters to list, and then nobody's list of them goes.
    assert written >= set(names) - {"consensus.csv"} and (tmp_path / "mine.csv").read_text() == FOREIGN
    (tmp_path / "consensus.csv").unlink(missing_ok=True)
    assert main(words) == 0, "what is its own is replaced without a word"


def test_an_empty_comparison_is_replaced_once_there_is_something_to_compare(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    out = ["--out", str(tmp_path / "report.html")]
    assert main(["compare", str(tmp_path / "nothing"), *out]) != 0
    assert main(["compare", str(inputs / "runs"), *out]) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_has_no_room_is_told_and_an_error_keeps_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for code, expected in ((0, 1), (2, 2)):
        with Path("/dev/full").open("w") as full, errors_told() as errors:
            monkeypatch.setattr(sys, "stdout", full)
            print("a result")
            assert output_done(code) == expected
            # Python writes out what is left when it ends; that must not fail once more.
            print("more", flush=True)
        assert len(errors) == 1 and "standard output" in errors[0] and "No space left on device" in errors[0]
