"""Whether a GPU draws, augments and resumes as promised."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from benchmarks.gpu_rows.setting import Setting
from seisvision.base.devices import moved
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_view
from seisvision.views.augment import Augment

ALLOWED = 1e-3
VIEWS = {
    "bands": ["view=bands"],
    "wiggle": ["view=bands", "view.style=wiggle"],
    "by rank, section": ["view=density", "view.spacing=rank", "view.norm=section"],
    "stack": ["view=stack"],
    "azimuth": ["view=azimuth"],
    "spectrogram": ["view=spectrogram", "dataset=synthetic_traces"],
    "line": ["view=trace", "dataset=synthetic_traces"],
    "waveform": ["view=waveform", "dataset=synthetic_traces"],
}


@torch.no_grad()
def pictures(setting: Setting) -> dict[str, Any]:
    """Largest difference of pictures from the processor's, and how much faster they are drawn."""
    found: dict[str, Any] = {}
    for name, words in VIEWS.items():
        try:
            found[name] = _one_view(setting, words)
        except Exception as error:  # the other views are worth knowing
            found[name] = {"failed": f"{type(error).__name__}: {error}"[:300]}
    measured = {name: row["largest"] for name, row in found.items() if "largest" in row}
    bad = [name for name, row in found.items() if row.get("share_beyond", 1.0) > 0]
    return {
        "views": found,
        "says": f"largest difference {max(measured.values(), default=float('nan')):.1e} (asked {ALLOWED:g}); "
        f"beyond or failed: {', '.join(bad) or 'none'}",
    }


def _one_view(setting: Setting, words: list[str]) -> dict[str, Any]:
    few = [f"dataset.source.n_events={12 if setting.is_dry else 64}"]
    if setting.is_dry and "dataset=synthetic_traces" in words:
        # Windows about onsets reach beyond shorter recordings.
        few.append("dataset.source.length_s=3480")
    settings = setting.compose(*words, *few, "trainer.batch_size=32")
    view = build_view(settings.view)
    data = build_data(settings, view)
    batch = next(iter(data.loader("train")))
    on_device = moved(batch, setting.device)
    started = time.perf_counter()
    expected = view(batch)
    processor_s = time.perf_counter() - started
    view = view.to(setting.device)
    drawn = view(on_device)
    setting.wait()
    started = time.perf_counter()
    for _ in range(5):
        view(on_device)
    setting.wait()
    device_s = (time.perf_counter() - started) / 5
    difference = (drawn.cpu() - expected).abs()
    return {
        "largest": float(difference.max()),
        "share_beyond": float((difference > ALLOWED).float().mean()),
        "ms": round(1e3 * device_s, 3),
        "processor_ms": round(1e3 * processor_s, 3),
    }


class KeepsOne(Callback):
    """Writes a checkpoint after an epoch, as a run does."""

    def __init__(self, path: Any, epoch: int) -> None:
        self._path, self._epoch = path, epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        """Write it."""
        if trainer.current_epoch == self._epoch:
            trainer.save_checkpoint(self._path)


def resume(setting: Setting) -> dict[str, Any]:
    """Weights after three epochs, without interruption and resumed after the first, with noise that the GPU draws."""
    told = {}
    for deterministic in (True,) if setting.is_dry else (True, False):
        words = [
            "trainer.max_epochs=3", f"trainer.deterministic={str(deterministic).lower()}", "augment.noise_fraction=0.1",
            "view.height=32", "view.width=32", f"trainer.batch_size={8 if setting.is_dry else 64}",
        ]  # fmt: skip
        kept = setting.scratch / f"epoch_{deterministic}.ckpt"
        weights = []
        for ckpt in (None, None, kept):
            settings, task, data = setting.build(*words)

            def loader(trainer: pl.Trainer, data: Any = data) -> Any:
                data.trainer = trainer
                return data.train_dataloader()

            callbacks = [KeepsOne(kept, 0)] if ckpt is None else []
            setting.fit(settings, task, loader, *callbacks, ckpt=ckpt)
            weights.append(torch.cat([value.detach().cpu().float().flatten() for value in task.parameters()]))
        torch.use_deterministic_algorithms(False)
        told["deterministic" if deterministic else "default"] = {
            "twice_the_same": bool(torch.equal(weights[0], weights[1])),
            "resumed_the_same": bool(torch.equal(weights[1], weights[2])),
            "largest_difference": float((weights[1] - weights[2]).abs().max()),
        }
    exact = told["deterministic"]
    return {**told, "says": f"deterministic: {exact}; default: {told.get('default', 'left out of a dry run')}"}


@torch.no_grad()
def noise_is_the_same_again(setting: Setting) -> dict[str, Any]:
    """Noise drawn on the device follows from seed, epoch and step; what a process of two draws is part of it."""
    from seisvision.base.share import Share

    _, _, data = setting.build()
    batch = moved(next(iter(data.loader("train"))), setting.device)
    augment = Augment(noise_fraction=0.2)
    first, again, other = (augment(batch, *number)["waveform"] for number in ((1, 2), (1, 2), (1, 3)))
    n_samples, n_stations = batch["waveform"].shape[:2]
    half = {key: value[1::2] if isinstance(value, torch.Tensor) else value for key, value in batch.items()}
    part = augment(half, 1, 2, Share(1, 2, n_samples, n_stations))["waveform"]
    told = {
        "again": bool(torch.equal(first, again)),
        "another_step_is_another": not torch.equal(first, other),
        "of_two_processes": bool(torch.allclose(part, first[1::2])),
    }
    return {**told, "says": str(told)}
