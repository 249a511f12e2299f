"""What bash offers after some words."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from seisvision.cli import main


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["seisvision", "trans"], {"transfer"}),
        (["seisvision", "transfer", ""], {"curve", "matrix", "prototypes"}),
        (["seisvision", "transfer", "curve", "run", "--sha"], {"--shares"}),
        (["seisvision", "sweep", "best", "--js"], {"--json"}),
    ],
)
def test_commands_and_options_are_offered(
    typed: list[str], offered: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion"]) == 0
    words = " ".join(f'"{word}"' for word in typed)
    ask = f"COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _seisvision; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    script = f"{capsys.readouterr().out}\n{ask}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered, done.stderr
