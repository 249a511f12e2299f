"""Sets edited behind a network's back, for the tests of leaks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from omegaconf import OmegaConf
from tiny_runs import plain_config, tiny_config

from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.records.configuration import instantiate
from seisvision.records.folder import RunFolder

SHORT = ["trainer.max_epochs=1"]
CUT = [
    "dataset.samples.min_stations=3",
    "dataset.samples.window.reference=origin",
    "dataset.samples.window.length_s=1200",
]
LABELS = "dataset.labels.source_type={tectonic:[tectonic],glacial:[glacial]}"
PATH_COLUMNS = ["path_ep_distance_km", "path_azimuth_deg", "path_back_azimuth_deg"]
FIGURES = ("experiment.write_report", "evaluation.write_evaluation_report", "ensemble.write_evaluation_report")
"""What takes most of the time of a tiny run."""
Edit = Callable[[pd.DataFrame], pd.DataFrame]


def set_of(run: RunFolder, data_dir: Path) -> Path:
    """Where the set of a run lies."""
    return instantiate(run.config()["dataset"]["source"]).prepare(data_dir)


def edited(path: Path, copy: Path, edit: Edit, *, other_motion: bool = False) -> Path:
    """A copy of a set with another table, under another name; perhaps with noise for samples."""
    shutil.copytree(path, copy)
    (copy / "card.json").unlink()
    table = pd.read_csv(copy / "metadata.csv", dtype=str)
    # As a set without picks: with them the audit tells that origins were changed, and nothing is trained or evaluated.
    table = table.drop(columns=[name for name in table if str(name).endswith("_arrival_sample")])
    edit(table).to_csv(copy / "metadata.csv", index=False)
    if other_motion:
        rng = np.random.default_rng(8)
        with h5py.File(copy / "waveforms.hdf5", "r+") as file:
            for dataset in file["data"].values():
                dataset[...] = rng.normal(size=dataset.shape)
    return copy


def evaluate(data_dir: Path, runs_dir: Path, ckpt: object, path: Path | None = None, *overrides: str) -> Path:
    """What ``evaluate.py`` does with a checkpoint, on the set in a folder."""
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", "system.num_workers=0"]
    other = [] if path is None else ["dataset=folder", f"dataset.source.path={path}", LABELS, *CUT]
    composed = plain_config([f"ckpt={ckpt}", *folders, *other, *overrides], "evaluate")
    return evaluate_checkpoint(OmegaConf.create(composed))


def config_of(path: Path, data_dir: Path, runs_dir: Path, *overrides: str) -> dict[str, Any]:
    """The tiny experiment on the set in a folder."""
    config = tiny_config(data_dir, runs_dir, "dataset.samples.window.length_s=1200", *overrides)
    config["dataset"]["source"] = {"_target_": "seisvision.data.sources.FolderSource", "path": str(path)}
    return config


def predicted(folder: Path) -> pd.DataFrame:
    """Rows of ``predictions.csv`` as text."""
    return pd.read_csv(folder / "predictions.csv", dtype=str, keep_default_na=False)


def moved(table: pd.DataFrame, late_s: float, north_deg: float = 0.0) -> pd.DataFrame:
    """The table with other origins."""
    times = pd.to_datetime(table["source_origin_time"]) + pd.Timedelta(seconds=late_s)
    latitude = table["source_latitude_deg"].astype(float) + north_deg
    return table.assign(source_origin_time=times.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), source_latitude_deg=latitude)
