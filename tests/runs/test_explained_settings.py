"""Settings with what they mean, from the comments of the files that compose them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seisvision.cli import main
from seisvision.records.words.explaining import comments_of, explained


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for group in ("dataset", "experiment"):
        (tmp_path / group).mkdir()
    (tmp_path / "train.yaml").write_text(
        "seed: 1   # of everything\nrun:\n  test: true  # looks at\n              # the test\n"
    )
    (tmp_path / "dataset" / "_base.yaml").write_text("window:\n  length_s: 3   # long\n  start_s: 0  # first\n")
    (tmp_path / "dataset" / "mine.yaml").write_text(
        "defaults:\n  - _base\nname: 'a # b'\nwindow:\n  start_s: 1 # own\n"
    )
    (tmp_path / "experiment" / "try.yaml").write_text("# @package _global_\ndataset:\n  name: x   # called so\n")
    return tmp_path


def test_comments_come_from_the_file_that_says_most(conf: Path) -> None:
    found = comments_of({"dataset": "mine", "experiment": "try"}, conf)
    assert found == {
        "seed": "of everything",
        "run.test": "looks at the test",
        "dataset.window.length_s": "long",
        "dataset.window.start_s": "own",
        "dataset.name": "called so",
    }


def test_lines_are_yaml_with_what_was_asked_for() -> None:
    config = {"run": {"test": True, "seeds": [1, 2]}, "name": "a"}
    assert list(explained(config, {"run.test": "yes or no"}, ["run.test"])) == [
        "run:",
        f"{'  test: true':<46}  # yes or no",
    ]
    assert list(explained(config, {}, ["nam"])) == []
    assert "  seeds: [1, 2]" in list(explained(config, {}))


def test_a_configuration_is_printed_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "logger=csv", "--only", "trainer.max_epochs"]) == 0
    assert "max_epochs: " in (said := capsys.readouterr().out) and "in order" in said and "batch_size" not in said
    assert main(["config", "trainer.max_epoch=3"]) == 2
    assert main(["config", "logger=csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 3407


def test_a_slip_is_told_as_train_tells_it(caplog: pytest.LogCaptureFixture) -> None:
    main(["config", "trainer.max_epoch=3"])
    assert "Did you mean 'max_epochs'" in caplog.text
