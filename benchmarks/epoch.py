"""A training epoch from raw waveforms against the same epoch on pictures that lie in memory already.

The first reads HDF5, augments, draws and trains a ResNet18; the second only trains it. Both use the same
batches, alternate, and are compared by their medians, so that a busy machine changes the ratio little.

    python benchmarks/epoch.py [--events 256] [--repeats 5] [--workers 1] [--size 128 64] [--json]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from torch.nn import functional

from seisvision import keys
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.configuration import to_plain

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=256, help="events of the synthetic set; it is made if needed")
    parser.add_argument("--repeats", type=int, default=5, help="epochs of each kind")
    parser.add_argument("--workers", type=int, default=1, help="reading processes")
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), default=(128, 64), help="pixels of a picture")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()

    overrides = [
        f"dataset.source.n_events={arguments.events}",
        f"system.data_dir={arguments.data_dir}",
        f"system.num_workers={arguments.workers}",
        f"view.height={arguments.size[0]}",
        f"view.width={arguments.size[1]}",
        "split=paper",
        "split.test_fraction=0",
        "split.val_fraction=0.1",
    ]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = to_plain(compose("train", overrides=overrides))
    view = build_view(config["view"])
    data = build_data(Settings.of(config), view)
    task = build_task(Settings.of(config), view).train()
    optimizer = torch.optim.AdamW(task.parameters())

    def train(image: torch.Tensor, target: torch.Tensor) -> None:
        optimizer.zero_grad()
        functional.cross_entropy(task.outputs[0](task.model(image)), target).backward()
        optimizer.step()

    loader = data.train_dataloader()
    batches = [(view(batch), batch[keys.TARGETS]["source_type"]) for batch in loader]

    def from_pictures(epoch: int) -> None:
        for image, target in batches:
            train(image, target)

    def from_waveforms(epoch: int) -> None:
        loader.batch_sampler.sampler.set_epoch(epoch)
        for step, batch in enumerate(loader):
            train(view(task.augment(batch, epoch, step)), batch[keys.TARGETS]["source_type"])

    from_pictures(0)
    from_waveforms(0)
    seconds = _alternate([from_waveforms, from_pictures], range(1, arguments.repeats + 1))
    result = {
        "events": len(data.parts["train"]),
        "seconds_from_waveforms": round(seconds[0], 3),
        "seconds_from_pictures": round(seconds[1], 3),
        "picture": list(arguments.size),
        "ratio": round(seconds[0] / seconds[1], 3),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "threads": torch.get_num_threads(),
    }
    if arguments.json:
        print(json.dumps(result))
        return
    height, width = arguments.size
    print(f"epoch of {result['events']} events, pictures of {height} x {width} pixels, ", end="")
    print(f"{result['threads']} threads, {arguments.workers} reading processes")
    print(f"  from raw waveforms    {result['seconds_from_waveforms']:.2f} s")
    print(f"  pictures in memory    {result['seconds_from_pictures']:.2f} s")
    print(f"  ratio                 {result['ratio']:.2f}   (aim: at most 1.10)")
    print(f"  peak memory           {result['peak_memory_mb']} MB")


def _alternate(actions: list[Callable[[int], None]], epochs: Iterable[int]) -> list[float]:
    """Median seconds of each action, run in turn."""
    seconds: list[list[float]] = [[] for _ in actions]
    for epoch in epochs:
        for taken, action in zip(seconds, actions, strict=True):
            started = time.perf_counter()
            action(epoch)
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


if __name__ == "__main__":
    main()
