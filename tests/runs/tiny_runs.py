"""A complete experiment that takes seconds: few quiet events, small pictures, two epochs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from quick_composing import compose_once

from seisvision.records.configuration import to_plain

compose_once()
ROOT = Path(__file__).resolve().parents[2]

TINY = [
    "dataset.source.n_events=30",
    "dataset.source.n_stations=[4,6]",
    "dataset.source.noise_db=-30",
    "dataset.source.length_s=1200",
    "dataset.source.offset_range_deg=[2,20]",
    "view.height=32",
    "view.width=32",
    "trainer.max_epochs=2",
    "trainer.batch_size=8",
    "logger=csv",
    "system.num_workers=0",
    "evaluation.baselines=false",
]
SMALL = [
    "~model",
    "+model._target_=model_of_ones_own.RequiredArguments",
    "+model.width=7",
    "dataset.source.n_events=16",
]
"""With it a network of a few weights on few events: for tests of commands, not of arithmetic."""
CLUSTERED = ["dataset.source.n_events=44", "task=cluster", "task.min_cluster_size=2"]
"""Of fewer events nothing is said about the number of clusters."""


def plain_config(overrides: list[str], config_name: str = "train") -> dict[str, Any]:
    """Compose, resolve and check a configuration as ``train.py`` does."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return to_plain(compose(config_name, overrides=overrides))


def tiny_config(data_dir: Path, runs_dir: Path, *overrides: str) -> dict[str, Any]:
    """The tiny experiment with its folders and any further overrides."""
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}"]
    return plain_config([*TINY, *folders, *overrides])


def write_small_atlas(conf: Path, overrides: list[str]) -> None:
    """Copy the configurations to a folder, with a preset ``small`` of the Atlas: one run, and clusters of two."""
    shutil.copytree(ROOT / "conf", conf)
    stages = {
        "alone": {"title": "One run", "mode": "careful"},
        "groups": {
            "title": "Groups",
            "mode": "careful",
            "kind": "clusters",
            "sweep": {"task.k": [2, 3]},
            "overrides": CLUSTERED,
        },
    }
    content = {"name": "small", "note": "Small.", "overrides": overrides, "stages": stages}
    (conf / "atlas" / "small.yaml").write_text("# @package _global_\n" + yaml.safe_dump(content))
