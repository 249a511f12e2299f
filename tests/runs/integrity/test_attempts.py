"""Every attempt at a run is kept, and a result that several versions of the code made says so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seisvision.records import environment
from seisvision.records.folder import RunFolder, read_json, write_json
from seisvision.records.integrity import attempts as module
from seisvision.records.integrity.attempts import describe_code, differences
from seisvision.records.telling import describe_result
from seisvision.reports.comparing.collect import collect
from seisvision.reports.comparing.groups import compare
from seisvision.runs.ensure import ensure_run
from seisvision.runs.terminal import set_up_logging


def attempt(from_epoch: int, sources: str = "a", torch: str = "2.4", **code: Any) -> dict[str, Any]:
    return {"from_epoch": from_epoch, "code": {"sources": sources, **code}, "packages": {"torch": torch}}


def test_a_run_in_one_piece_has_one_attempt_and_says_nothing(finished: RunFolder) -> None:
    stored = read_json(finished.environment_file)
    (one,) = stored["attempts"]
    assert one["from_epoch"] == 0 and len(one["code"]["sources"]) == 12 and one["host"] and one["hardware"]
    assert one["packages"]["torch"] and list(one["code"]["own"]) == ["model_of_ones_own"]
    assert "command" not in one, "what was typed may hold what is not for others"
    code = read_json(finished.metrics_file)["code"]
    assert [(part["first"], part["last"]) for part in code["epochs"]] == [(1, 3)] and not code["changed"]
    assert "The code changed" not in describe_result(read_json(finished.metrics_file))


def test_other_code_that_goes_on_is_warned_of_kept_and_told(
    interrupted: RunFolder, copy_of: Callable, small: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    set_up_logging()
    monkeypatch.setattr("seisvision.runs.terminal.log.propagate", True)
    copy_of(interrupted)
    known = module.code_state
    monkeypatch.setattr(module, "code_state", lambda config: known(config) | {"sources": "0ther50urce5"})
    run = ensure_run(small(tmp_path), [])
    assert "Epochs 1 to 2 of this run were trained by other code" in caplog.text
    assert "run.fresh=true trains it anew" in caplog.text
    first, second = read_json(run.environment_file)["attempts"]
    assert (first["from_epoch"], second["from_epoch"]) == (0, 2)
    assert first["code"]["sources"] != second["code"]["sources"] == "0ther50urce5"
    code = read_json(run.metrics_file)["code"]
    assert [(part["first"], part["last"]) for part in code["epochs"]] == [(1, 2), (3, 3)]
    assert "0ther50urce5" in code["measured_by"] and first["code"]["sources"] in code["epochs"][0]["by"]
    assert "The code changed during this run: epochs 1 to 2 by" in capsys.readouterr().out
    comparison = compare(*collect([str(run.path)]))
    assert any("The code changed during this run" in line for line in comparison.warnings)


def test_the_same_code_that_goes_on_is_no_news(
    interrupted: RunFolder, copy_of: Callable, small: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy_of(interrupted)
    run = ensure_run(small(tmp_path), [])
    assert len(read_json(run.environment_file)["attempts"]) == 2
    assert "other code" not in caplog.text and not read_json(run.metrics_file)["code"]["changed"]


@pytest.mark.parametrize("damage", ["missing", "an earlier version", "damaged"])
def test_runs_of_earlier_versions_go_on(
    damage: str, interrupted: RunFolder, copy_of: Callable, small: Callable, tmp_path: Path
) -> None:
    run = copy_of(interrupted)
    if damage == "missing":
        run.environment_file.unlink()
    elif damage == "damaged":
        run.environment_file.write_text('{"attempts": [3]}')
    else:
        stored = read_json(run.environment_file)
        del stored["attempts"]
        stored["packages"]["torch"] = "1.0"
        write_json(run.environment_file, stored)
    done = ensure_run(small(tmp_path), [])
    code = read_json(done.metrics_file)["code"]
    assert len(read_json(done.environment_file)["attempts"]) == 2
    assert any("torch 1.0, now" in line for line in code["changed"]) == (damage == "an earlier version")


def test_epochs_belong_to_whoever_trained_them_last() -> None:
    several = [
        attempt(0, "a"),
        attempt(3, "b"),
        attempt(3, "c"),
        attempt(5, "c", torch="2.5"),
        attempt(6, "c", torch="2.5"),
    ]
    code = describe_code(several, 7)
    assert [(one["first"], one["last"], one["by"]) for one in code["epochs"]] == [
        (1, 3, "sources a"), (4, 5, "sources c"), (6, 7, "sources c"),
    ]  # fmt: skip
    assert code["changed"] == ["sources a, now sources c", "torch 2.4, now 2.5"]
    begun_again = describe_code([attempt(0, "a"), attempt(4, "b"), attempt(0, "c")], 6)
    assert [(one["first"], one["last"]) for one in begun_again["epochs"]] == [(1, 6)] and not begun_again["changed"]


def test_what_counts_as_other_code() -> None:
    assert not differences(attempt(0), attempt(2))
    assert differences(attempt(0), attempt(2, "b")) == ["sources a, now sources b"]
    assert differences(attempt(0, own={"m": "1"}), attempt(0, own={"m": "2"}))
    earlier = {"from_epoch": 0, "code": {"commit": "c0ffee", "dirty": False}, "packages": {}}
    assert not differences(earlier, attempt(1, commit="c0ffee", dirty=False))
    assert differences(earlier, attempt(1, commit="c0ffee", dirty=True))
    assert differences(earlier, attempt(1, commit="decaf", dirty=False))


def test_an_edit_of_the_package_is_another_code(tmp_path: Path) -> None:
    """What is hashed are the sources as they are, also where there is no repository."""
    package = Path(environment.__file__).resolve().parents[1]
    said = "import json; from seisvision.records.environment import code_state; print(json.dumps(code_state({})))"

    def state() -> dict[str, Any]:
        own = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "PATH": ""}
        words = [sys.executable, "-c", said]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True, env=own)
        return json.loads(done.stdout)

    for path in package.rglob("*.py"):
        copy = tmp_path / "seisvision" / path.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    before = state()
    (tmp_path / "seisvision" / "tasks" / "losses_of_mine.py").write_text("")
    assert before["sources"] != state()["sources"]
