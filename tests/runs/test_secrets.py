"""No password, token or key reaches a run folder, a log, a dashboard or the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import ready_python
from tiny_runs import ROOT, TINY, plain_config

from seisvision.data.fetching.servers import read_server
from seisvision.errors import ConfigurationError
from seisvision.records.environment import describe_environment
from seisvision.records.folder import RunFolder
from seisvision.secrets_kept import MASK, redact, refuse_secret_words

CANARY = "canary7f3a"
"""In everything here that must be seen nowhere."""
ENVIRONMENT = {
    "WANDB_API_KEY": f"{CANARY}{'0' * 30}",
    "AWS_ACCESS_KEY_ID": f"AKIA{CANARY}",
    "AWS_SECRET_ACCESS_KEY": f"aws/{CANARY}+x",
    "AWS_SESSION_TOKEN": f"session{CANARY}",
    "HF_TOKEN": f"hf_{CANARY}",
    "SLURM_JWT": f"jwt.{CANARY}.x",
    "PGPASSWORD": f"pg{CANARY}",
    "MY_DB_PASSWORD": f"db{CANARY}",
    "https_proxy": f"http://proxy{CANARY}:word{CANARY}@127.0.0.1:9",
}
SETTINGS = [
    f"model.name=hf_{CANARY}",
    f"+model.password=own{CANARY}",
    f"+model.api_key=own{CANARY}",
    f"system.data_dir=https://user:{CANARY}@example.org/data",
    f"system.data_dir=s3://{CANARY}@example.org/data",
]


def own_repository(folder: Path) -> Path:
    """A repository whose remote holds a token in the place of the user."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    url = f"https://{CANARY}:x-oauth-basic@example.org/them/theirs.git"
    subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", url], check=True)
    return folder


def spilt(folder: Path) -> list[Path]:
    """Files below a folder that hold the canary."""
    return [path for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_a_run_writes_and_says_nothing_secret(data_dir: Path, tmp_path: Path) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path / 'runs'}"]
    words = [*TINY, *folders, "trainer.max_epochs=1", "logger=wandb", "logger.wandb.mode=offline"]
    repository = own_repository(tmp_path / "repository")
    done = ready_python.run(
        [sys.executable, str(ROOT / "train.py"), *words],
        capture_output=True,
        text=True,
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(ROOT), **ENVIRONMENT},
    )
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr
    # The rest of the address is what people look for.
    (kept,) = (tmp_path / "runs").rglob("*.wandb")
    assert b"example.org/them/theirs.git" in kept.read_bytes()
    assert not spilt(tmp_path / "runs")


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_hold_a_secret_are_refused_without_showing_it(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", ENVIRONMENT["HF_TOKEN"])
    for refuse in (lambda: refuse_secret_words([setting]), lambda: plain_config([setting])):
        with pytest.raises(ConfigurationError) as refused:
            refuse()
        assert setting.lstrip("+").partition("=")[0] in str(refused.value) and CANARY not in str(refused.value)


def test_a_command_line_with_a_secret_ends_with_2_and_leaves_nothing(tmp_path: Path) -> None:
    words = ["-m", "seed=1,2", f"+model.token={CANARY}", f"system.runs_dir={tmp_path / 'runs'}"]
    done = ready_python.run(
        [sys.executable, str(ROOT / "train.py"), *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2 and "model.token holds a secret" in done.stderr, done.stderr
    assert CANARY not in done.stdout + done.stderr and not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["--password", CANARY], [f"--token={CANARY}"], [f"https://me:{CANARY}@host/x"]])
def test_what_the_other_commands_say_of_their_words_is_masked(words: list[str]) -> None:
    done = ready_python.run(
        [sys.executable, "-m", "seisvision.cli", "data", "card", "nowhere", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2 and MASK in done.stderr and CANARY not in done.stderr, done.stderr


def test_what_libraries_say_in_errors_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", ENVIRONMENT["https_proxy"])
    monkeypatch.setattr(sys, "argv", ["x.py", "--password", CANARY, f"token={CANARY}", f"https://{CANARY}@host", "a=1"])
    said = (
        f"cannot reach http://u:{CANARY}@host/a?token={CANARY}&b=1 through proxy{CANARY}:word{CANARY} as word{CANARY}"
    )
    folder = RunFolder(tmp_path / "0000000000")
    folder.prepare(plain_config([]), [])
    folder.mark_running()
    folder.mark_failed(said)
    folder.tell_error(1, ValueError(said))
    assert not spilt(tmp_path)
    assert "http://***@host/a?token=***&b=1" in folder.status()["error"]
    command = describe_environment(1)["command"]
    assert command == ["x.py", "--password", MASK, f"token={MASK}", f"https://{MASK}@host", "a=1"]


def test_a_data_centre_is_named_without_user() -> None:
    with pytest.raises(ConfigurationError, match="names a user") as refused:
        read_server(f"https://me:{CANARY}@service.example.org", "server")
    assert CANARY not in str(refused.value)


def test_an_address_taken_for_a_path_is_masked() -> None:
    for text in (f"{Path(f'https://me:{CANARY}@host/x')} not found", f"ssh:/{CANARY}@host"):
        assert CANARY not in redact(text) and "host" in redact(text)


def test_ordinary_words_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WANDB_API_KEY": "", "X_TOKEN": "true", "SSH_AUTH_SOCK": "/tmp/agent"}.items():
        monkeypatch.setenv(name, value)
    for text in (
        "model.n_tokens=16 true",
        "model.global_pool=token",
        "smi:local/event@2 /tmp/agent",
        "Give each as key=value.",
        "C:/me@x /tmp/a@b:/c@d",
        "keyword: tokens=3",
    ):
        assert redact(text) == text
    refuse_secret_words(
        ["model.n_tokens=16", "split.by=station", "seed=1,2", "-m", "ckpt=epoch=3-step=100 (best).ckpt"]
    )
