"""A training epoch from raw waveforms against the same epoch on pictures that lie in memory already.

Two epochs from waveforms: ``memory``, as sets are served that fit into ``system.memory_gb``, where batches are made of
waveforms that were read once; and ``disk``, read from HDF5 by ``--workers`` processes in every epoch, as sets are that
do not fit. Both augment, draw and train a ResNet18; the third epoch only trains it, on pictures that were drawn before.
All clip gradients and have the same fused optimiser. They see the same batches, alternate, and are compared by the
medians of their turns, so that a busy machine changes the ratios little. Reading processes do not count as processor
time of this one: of ``disk`` the clock on the wall is what is compared, and what they take is told beside it.
On a busy machine whole epochs differ by more than the waveforms cost; so of ``memory`` each batch is also compared with
its own training step alone.

    python benchmarks/epoch.py [--events 256] [--repeats 5] [--workers 1] [--size 128 64] [--threads 1] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from measuring import Spent, in_turns, machine, spread, told
from torch.nn import functional

from seisvision import keys
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.configuration import to_plain

ROOT = Path(__file__).resolve().parents[1]
AIMS = {"memory": ("cpu_ms", 1.04), "disk": ("wall_ms", 1.05)}
"""What is compared, and the largest ratio that is wanted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=256, help="events of the synthetic set; it is made if needed")
    parser.add_argument("--repeats", type=int, default=5, help="epochs of each kind")
    parser.add_argument("--workers", type=int, default=1, help="reading processes of the epoch from disk")
    parser.add_argument("--size", type=int, nargs=2, metavar=("H", "W"), default=(128, 64), help="pixels of a picture")
    parser.add_argument("--threads", type=int, help="threads of torch; default all")
    parser.add_argument("--batches", type=int, help="batches of an epoch; default all")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--set", nargs="*", default=[], help="further words of train.py")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    about = machine()
    spent, beside, n_events = measure(arguments)
    result: dict[str, Any] = {
        "machine": about,
        "events": n_events,
        "picture": list(arguments.size),
        "workers": arguments.workers,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "epochs": {name: one.as_dict() for name, one in spent.items()},
        **beside,
    }
    epochs = result["epochs"]
    result["ratio"] = {
        name: round(epochs[name][what] / epochs["pictures"][what], 3) for name, (what, _) in AIMS.items()
    }
    if arguments.json:
        print(json.dumps(result))
        return
    height, width = arguments.size
    print(told(about))
    print(f"epochs of {n_events} events, pictures of {height} x {width} pixels, {arguments.repeats} turns; s an epoch")
    for name, one in result["epochs"].items():
        ends = f"({one['cpu_least_ms'] / 1e3:.2f} to {one['cpu_largest_ms'] / 1e3:.2f})"
        print(f"  {name:10s} processor {one['cpu_ms'] / 1e3:7.2f} {ends:18s} wall {one['wall_ms'] / 1e3:7.2f}", end="")
        print(f"   ratio {result['ratio'][name]:.3f}, aim {AIMS[name][1]:g}" if name in AIMS else "")
    both = (epochs["disk"]["cpu_ms"] + beside["readers_ms"]) / epochs["pictures"]["cpu_ms"]
    print(f"  memory, each batch over its own training alone: {beside['by_batch']}")
    print(f"  reading processes {beside['readers_ms'] / 1e3:.2f} s; with them disk takes {both:.3f} of pictures")
    print(f"  peak memory {result['peak_memory_mb']} MB")


def measure(asked: argparse.Namespace) -> tuple[dict[str, Spent], dict[str, Any], int]:
    """Time of the three kinds of epochs, what is told beside them, and the number of events of one."""
    size = asked.size
    overrides = [
        f"dataset.source.n_events={asked.events}", f"system.data_dir={asked.data_dir}", f"view.height={size[0]}",
        f"view.width={size[1]}", "split=paper", "split.test_fraction=0", "split.val_fraction=0.1", *asked.set,
    ]  # fmt: skip
    loaders, task = {}, None
    for name, memory_gb, workers in (("memory", 100, 0), ("disk", 0, asked.workers)):
        system = [f"system.memory_gb={memory_gb}", f"system.num_workers={workers}"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            settings = Settings.of(to_plain(compose("train", overrides=[*overrides, *system])))
        view = build_view(settings.view)
        loaders[name] = build_data(settings, view).train_dataloader()
        task = task or build_task(settings, view).train()
    assert task is not None
    optimizer = torch.optim.AdamW(task.parameters(), fused=True)
    clip = settings.trainer.gradient_clip_val

    def train(image: torch.Tensor, target: torch.Tensor) -> None:
        optimizer.zero_grad()
        functional.cross_entropy(task.outputs[0](task.model(image)), target).backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), clip)
        optimizer.step()

    def first(batches: Any) -> Any:
        return (batch for _, batch in zip(range(asked.batches or len(batches)), batches, strict=False))

    reading_ms, shares = list[float](), list[float]()
    kept = [(task.view(batch), batch[keys.TARGETS]["source_type"]) for batch in first(loaders["memory"])]

    def from_pictures(epoch: int) -> None:
        for image, target in kept:
            train(image, target)

    def from_waveforms(name: str, epoch: int) -> None:
        before_s = readers_s(loaders[name])
        loaders[name].batch_sampler.sampler.set_epoch(epoch)
        started = time.process_time()
        for step, batch in enumerate(first(loaders[name])):
            image = task.view(task.augment(batch, epoch, step))
            drawn = time.process_time()
            train(image, batch[keys.TARGETS]["source_type"])
            ended = time.process_time()
            if name == "memory":
                shares.append(1 + (drawn - started) / (ended - drawn))
            started = ended
        if name == "disk":
            reading_ms.append(1e3 * (readers_s(loaders[name]) - before_s))

    actions = {
        "pictures": from_pictures,
        "memory": lambda epoch: from_waveforms("memory", epoch),
        "disk": lambda epoch: from_waveforms("disk", epoch),
    }
    spent = in_turns(actions, asked.repeats, are_short=False)
    beside = {"readers_ms": statistics.median(reading_ms), "by_batch": spread(shares, digits=3)}
    return spent, beside, sum(len(target) for _, target in kept)


def readers_s(loader: Any) -> float:
    """Seconds of processor that the reading processes of a loader have taken; 0 where the system does not say."""
    found = 0.0
    for worker in getattr(getattr(loader, "_iterator", None), "_workers", ()):
        told = Path(f"/proc/{worker.pid}/stat")
        if told.exists():
            # Behind the name, which may hold anything: user and system time are the 12th and 13th.
            fields = told.read_text().rpartition(")")[2].split()
            found += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


if __name__ == "__main__":
    main()
