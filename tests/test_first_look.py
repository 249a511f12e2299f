"""What a visitor meets first: the demo is the small one, and the pictures of the README are there and light."""

from __future__ import annotations

import re
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

ROOT = Path(__file__).resolve().parents[1]
PNG = b"\x89PNG\r\n\x1a\n"


def test_make_demo_is_the_smaller_experiment_of_the_same_question() -> None:
    recipes = dict(re.findall(r"^(demo(?:-full)?):.*\n\t.*experiment=(\w+)$", (ROOT / "Makefile").read_text(), re.M))
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        small, full = (compose("train", overrides=[f"experiment={recipes[name]}"]) for name in ("demo", "demo-full"))
    assert small.dataset.source.n_events <= full.dataset.source.n_events / 4
    assert small.name != full.name, "their runs are stored apart"
    assert all(small[group] == full[group] for group in ("view", "model", "task", "split", "evaluation"))
    assert small.evaluation.baselines


def test_the_pictures_of_the_readme_are_there_and_light() -> None:
    shown = re.findall(r"!\[[^\]]+\]\((docs/pictures/[^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    files = sorted((ROOT / "docs" / "pictures").iterdir())
    assert len(shown) >= 2 and sorted(ROOT / one for one in shown) == files
    assert all(file.read_bytes().startswith(PNG) for file in files)
    assert sum(file.stat().st_size for file in files) < 400_000
