"""Errors that nobody foresaw, and numbers that no run takes."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, plain_config

from seisvision.cli import COMMANDS, main
from seisvision.errors import UNFORESEEN, ConfigurationError


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    import tempfile

    import seisvision.commands.sets.data_card as data_card

    def run(arguments: object) -> int:
        raise ZeroDivisionError("nobody\nforesaw this")

    monkeypatch.setattr(data_card, "run", run)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert ("data", "card") in COMMANDS
    return tmp_path


def test_a_fault_is_one_line_with_a_code_of_its_own(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "card", "x"]) == UNFORESEEN
    lines = capsys.readouterr().err.strip().splitlines()
    (kept,) = broken.glob("seisvision-fault-*.txt")
    assert len(lines) == 1 and "fault of seisvision" in lines[0] and str(kept) in lines[0]
    assert "Traceback" in kept.read_text() and "ZeroDivisionError" in kept.read_text()


def test_the_traceback_is_shown_where_it_is_asked_for(
    broken: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEISVISION_TRACEBACK", "1")
    assert main(["data", "card", "x"]) == UNFORESEEN
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "setting",
    [
        "view.width=200000", "system.num_threads=-1", "system.num_workers=100000", "trainer.gradient_clip_val=nan",
        "trainer.gradient_clip_val=-1", "trainer.limit_train_batches=0", "trainer.limit_train_batches=true",
        "trainer.max_epochs=1.5", "trainer.batch_size=inf", "optimizer.lr=inf", "optimizer.weight_decay=nan",
        "trainer.overfit_batches=-1", "system.memory_gb=nan", "trainer.num_nodes=0", "view.height=true",
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(setting: str) -> None:
    key = setting.partition("=")[0]
    with pytest.raises(ConfigurationError, match=rf"{key}=.* is not allowed"):
        plain_config([setting])


def test_options_of_sbatch_are_given_as_documented() -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", overrides=["launcher=slurm", "launcher.sbatch={qos: long, constraint: a100}"])
    assert dict(config.launcher.sbatch) == {"qos": "long", "constraint": "a100"}
