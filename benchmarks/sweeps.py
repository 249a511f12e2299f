"""A sweep of tiny runs against as many bare Python processes that train and test the same networks.

A bare process composes the configuration, trains in a plain loop and prints an accuracy; it keeps no checkpoint, curve,
prediction or figure. The sweep (one process, ``launcher=local``) keeps all of them. Then the command is repeated,
which has nothing to do. Every bare process imports torch and the rest for itself, the sweep once: what that takes is
measured too, and the second ratio leaves it out on both sides. Medians, with the least and the largest: of the bare
processes, of the whole sweep, and of the imports.

    python benchmarks/sweeps.py [--runs 20] [--epochs 2] [--repeats 3] [--data-dir data] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import machine, spread, told

ROOT = Path(__file__).resolve().parents[1]
IMPORTS = "import torch, pytorch_lightning, timm, hydra, seisvision.experiments.waveforms.network"
TINY = [
    "dataset.source.n_events=30",
    "dataset.source.n_stations=[4,6]",
    "dataset.source.length_s=1200",
    "dataset.source.offset_range_deg=[2,20]",
    "view.height=32",
    "view.width=32",
    "trainer.batch_size=8",
    "logger=csv",
    "system.num_workers=0",
    "evaluation.baselines=false",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, help="of the sweep and of the imports")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--bare", type=int, metavar="SEED", help="be one of the bare processes")
    arguments = parser.parse_args()
    overrides = [*TINY, f"trainer.max_epochs={arguments.epochs}", f"system.data_dir={arguments.data_dir}"]
    if arguments.bare is not None:
        train_bare([*overrides, f"seed={arguments.bare}"])
        return
    bare = [sys.executable, __file__, "--epochs", str(arguments.epochs), "--data-dir", arguments.data_dir, "--bare"]
    seeds = [str(seed) for seed in range(1, arguments.runs + 1)]
    _run([*bare, "0"])  # makes the waveform set
    result: dict[str, Any] = {"machine": machine(), "runs": arguments.runs}
    took: dict[str, list[float]] = {"bare": [_seconds([*bare, seed]) for seed in seeds]}
    took |= {"sweep": [], "repeated": [], "importing": []}
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as runs_dir:
            words = [*overrides, f"system.runs_dir={runs_dir}", f"seed={','.join(seeds)}"]
            sweep = [sys.executable, str(ROOT / "train.py"), "-m", *words]
            took["sweep"].append(_seconds(sweep))
            took["repeated"].append(_seconds(sweep))
            took["importing"].append(_seconds([sys.executable, "-c", IMPORTS]))
    result |= {f"seconds_{name}": seconds for name, seconds in took.items()}
    bare_s, sweep_s, import_s = (statistics.median(took[name]) for name in ("bare", "sweep", "importing"))
    result["ratio"] = round(sweep_s / (arguments.runs * bare_s), 3)
    result["ratio_without_imports"] = round((sweep_s - import_s) / (arguments.runs * (bare_s - import_s)), 3)
    if arguments.json:
        print(json.dumps(result))
        return
    print(told(result["machine"]))
    print(f"{result['runs']} runs of {arguments.epochs} epochs")
    print(f"  one bare Python process  {spread(took['bare'], ' s', 1)}")
    print(f"  one sweep                {spread(took['sweep'], ' s', 1)}")
    print(f"  imports of one process   {spread(took['importing'], ' s', 1)}")
    print(f"  ratio                    {result['ratio']:.2f}   (aim: below 1)")
    print(f"  ratio without imports    {result['ratio_without_imports']:.2f}")
    print(f"  the sweep repeated       {spread(took['repeated'], ' s', 1)}")


def train_bare(overrides: list[str]) -> None:
    """Train and test one network without run folder, checkpoints or loggers."""
    import torch
    from hydra import compose, initialize_config_dir
    from torch.nn import functional

    from seisvision import keys
    from seisvision.experiments.waveforms.data import build_data
    from seisvision.experiments.waveforms.network import build_task, build_view
    from seisvision.experiments.waveforms.settings import Settings
    from seisvision.records.configuration import to_plain

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = to_plain(compose("train", overrides=overrides))
    view = build_view(config["view"])
    data = build_data(Settings.of(config), view)
    task = build_task(Settings.of(config), view)
    optimizer = torch.optim.AdamW(task.parameters(), lr=config["optimizer"]["lr"])
    right = 0
    for epoch in range(config["trainer"]["max_epochs"]):
        loader = data.loader("train")
        for step, batch in enumerate(loader):
            optimizer.zero_grad()
            picture = view(task.augment(batch, epoch, step))
            loss = functional.cross_entropy(task.outputs[0](task.model(picture)), batch[keys.TARGETS]["source_type"])
            loss.backward()
            optimizer.step()
        right = _right(task, view, data.loader("val"))
    print(f"val {right}, test {_right(task.eval(), view, data.loader('test'))} right")


def _right(task, view, loader) -> int:
    import torch

    from seisvision import keys

    task.eval()
    with torch.inference_mode():
        found = [
            task.outputs[0](task.model(view(batch))).argmax(1) == batch[keys.TARGETS]["source_type"] for batch in loader
        ]
    task.train()
    return int(sum(one.sum() for one in found))


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    _run(command)
    return round(time.perf_counter() - started, 2)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)


if __name__ == "__main__":
    main()
