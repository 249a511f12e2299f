"""How many events a second are learnt from: ours, which draws them, against a plain loop that has the pictures."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytorch_lightning as pl
import timm
import torch
from pytorch_lightning.callbacks import Callback
from torch.nn import functional

from benchmarks.gpu_rows.setting import Setting, long_loader
from seisvision import keys
from seisvision.base.devices import moved

ASKED = 0.95
"""Share of the plain loop's throughput."""
SEGMENTS, DRY_SEGMENTS = 5, 2


class Clock(Callback):
    """Seconds of stretches of steps, the device having done all of each.

    Args:
        setting: knows how to wait.
        n_warm: steps before the first stretch.
        n_steps: of each.
    """

    def __init__(self, setting: Setting, n_warm: int, n_steps: int) -> None:
        self._setting, self._n_warm, self._n_steps = setting, n_warm, n_steps
        self._done, self._since = 0, 0.0
        self.seconds: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Look at the clock at the ends of stretches only."""
        self._done += 1
        beyond = self._done - self._n_warm
        if beyond < 0 or beyond % self._n_steps:
            return
        self._setting.wait()
        now = time.perf_counter()
        if beyond:
            self.seconds.append((now - self._since) / self._n_steps)
        self._since = time.perf_counter()


def ratio(
    setting: Setting, size: tuple[int, int], batch: int, precision: str, compile: bool = False, memory_gb: float = 8.0
) -> dict[str, Any]:
    """Throughput of the product's training over that of the plain loop, measured before and after it."""
    if setting.is_dry:
        size, batch = (32, 32), 8
    n_warm, n_steps = (1, 1) if setting.is_dry else (30, 25 if batch > 64 else 60)
    segments, workers = (DRY_SEGMENTS, 1) if setting.is_dry else (SEGMENTS, 14)
    settings, task, data = setting.build(
        f"view.height={size[0]}", f"view.width={size[1]}", f"trainer.batch_size={batch}", "trainer.max_epochs=1",
        f"trainer.precision={precision}", f"system.compile={str(compile).lower()}", f"system.memory_gb={memory_gb}",
        f"system.num_workers={workers if memory_gb == 0 else 0}",
    )  # fmt: skip
    plain_before = plain(setting, task, data, batch, precision, compile, n_warm, n_steps)
    clock = Clock(setting, n_warm, n_steps)
    if setting.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    setting.fit(settings, task, lambda trainer: long_loader(data, trainer, n_warm + segments * n_steps + 1), clock)
    peak_mb = torch.cuda.max_memory_allocated() / 1e6 if setting.device.type == "cuda" else 0.0
    plain_s = plain_before + plain(setting, task, data, batch, precision, compile, n_warm, n_steps)
    ours, theirs = statistics.median(clock.seconds), statistics.median(plain_s)
    share = theirs / ours
    return {
        "share_of_plain": round(share, 3),
        "ours_ms": round(1e3 * ours, 2),
        "ours_spread_ms": [round(1e3 * min(clock.seconds), 2), round(1e3 * max(clock.seconds), 2)],
        "plain_ms": round(1e3 * theirs, 2),
        "plain_spread_ms": [
            round(1e3 * min(plain_s), 2),
            round(1e3 * max(plain_s), 2),
        ],
        "ours_events_per_s": round(batch / ours),
        "peak_mb": round(peak_mb),
        "workers": workers if memory_gb == 0 else 0,
        "says": f"{share:.2f} of a plain loop with pictures on the device (asked {ASKED}): {1e3 * ours:.2f} against "
        f"{1e3 * theirs:.2f} ms a step, {batch / ours:.0f} events/s, {peak_mb:.0f} MB",
    }


def plain(
    setting: Setting, task: Any, data: Any, batch: int, precision: str, compile: bool, n_warm: int, n_steps: int
) -> list[float]:
    """Seconds a step of a bare loop over pictures that lie on the device: timm, fused AdamW, clipping as ours."""
    pictures, targets = drawn(setting, task, data)
    torch.manual_seed(0)
    model = timm.create_model(setting.network, in_chans=pictures.shape[1], num_classes=2)
    model = model.to(setting.device, memory_format=torch.channels_last).train()
    run = torch.compile(model) if compile else model
    is_gpu = setting.device.type == "cuda"
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True if is_gpu else None)
    generator = torch.Generator(setting.device).manual_seed(0)

    def step() -> None:
        rows = torch.randint(len(pictures), (batch,), generator=generator, device=setting.device)
        image = pictures.index_select(0, rows).contiguous(memory_format=torch.channels_last)
        with torch.autocast(setting.device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = functional.cross_entropy(run(image), targets.index_select(0, rows))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    seconds = []
    with setting.compiling():
        for n in (n_warm, *[n_steps] * 3):
            setting.wait()
            started = time.perf_counter()
            for _ in range(n):
                step()
            setting.wait()
            seconds.append((time.perf_counter() - started) / n)
    return seconds[1:]


@torch.no_grad()
def drawn(setting: Setting, task: Any, data: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures and classes of the training events, on the device."""
    pictures, targets = [], []
    data.trainer = None
    for batch in data.loader("train"):
        batch = moved(batch, setting.device)
        pictures.append(task.view(batch))
        targets.append(batch[keys.TARGETS]["source_type"])
    return torch.cat(pictures), torch.cat(targets)


def step_profile(setting: Setting) -> dict[str, Any]:
    """What a training step asks of the GPU: waits, copies and kernels, counted by torch's profiler."""
    precision = "32-true" if setting.is_dry else "bf16-mixed"
    settings, task, data = setting.build(f"trainer.precision={precision}", "trainer.max_epochs=1")
    profiler = Profile(setting, n_warm=2 if setting.is_dry else 20, n_steps=2 if setting.is_dry else 10)
    setting.fit(settings, task, lambda trainer: long_loader(data, trainer, profiler.n_batches), profiler)
    counts = profiler.counts
    waits = sum(number for name, number in counts.items() if "Synchronize" in name)
    copies = {name: number for name, number in counts.items() if "Memcpy" in name or "memcpy" in name}
    return {
        "a_step": counts,
        "device_ms": round(profiler.device_ms, 3),
        "wall_ms": round(profiler.wall_ms, 3),
        "slowest_on_the_processor_ms": profiler.slowest,
        "says": f"{waits:g} waits, {copies} copies, {counts.get('cudaLaunchKernel', 0):g} launches a step; device "
        f"{profiler.device_ms:.2f} of {profiler.wall_ms:.2f} ms (profiled)",
    }


class Profile(Callback):
    """Counts calls of CUDA's runtime over some steps.

    Args:
        setting: knows how to wait.
        n_warm: steps before.
        n_steps: steps that are counted.
    """

    def __init__(self, setting: Setting, n_warm: int, n_steps: int) -> None:
        self._setting, self._n_warm, self._n_steps = setting, n_warm, n_steps
        self.n_batches = n_warm + n_steps + 2
        activities = [torch.profiler.ProfilerActivity.CPU]
        if setting.device.type == "cuda":
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        self._profiler = torch.profiler.profile(activities=activities)
        self._done, self._started = 0, 0.0
        self.counts: dict[str, float] = {}
        self.slowest: dict[str, float] = {}
        self.device_ms = self.wall_ms = 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Begin and end."""
        self._done += 1
        if self._done == self._n_warm:
            self._setting.wait()
            self._profiler.start()
            self._started = time.perf_counter()
        elif self._done == self._n_warm + self._n_steps:
            # Before waiting, which would be counted.
            self.wall_ms = 1e3 * (time.perf_counter() - self._started) / self._n_steps
            self._profiler.stop()
            self._read()

    def _read(self) -> None:
        events = self._profiler.key_averages()
        for event in events:
            is_call = event.key.startswith("cuda") or event.key.startswith("Memcpy") or event.key == "aten::item"
            if is_call or event.key in ("aten::_local_scalar_dense", "aten::nonzero"):
                self.counts[event.key] = event.count / self._n_steps
            if event.device_type == torch.autograd.DeviceType.CUDA:
                self.device_ms += event.self_device_time_total / 1e3 / self._n_steps
        by_time = sorted(events, key=lambda event: -event.self_cpu_time_total)[:12]
        self.slowest = {event.key: round(event.self_cpu_time_total / 1e3 / self._n_steps, 3) for event in by_time}
