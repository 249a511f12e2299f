"""What settings may hold where their readers would refuse it late, deep inside a library or once torch is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seisvision.errors import ConfigurationError, did_you_mean

MUCH = 10**5
"""Upper limits from there on only keep nonsense out, and are not worth telling."""
LIMITS: dict[str, tuple[type, float, float]] = {
    "seed": (int, 0, 2**63),
    "split.seed": (int, 0, 2**63),
    "trainer.max_epochs": (int, 1, 10**9),
    "trainer.batch_size": (int, 1, 10**6),
    "trainer.early_stopping_patience": (int, 1, 10**9),
    "trainer.accumulate_grad_batches": (int, 1, 10**6),
    "trainer.gradient_clip_val": (float, 0, 1e12),
    "trainer.num_nodes": (int, 1, 10**5),
    "trainer.overfit_batches": (float, 0, 10**9),
    "task.k": (int, 2, 20_000),
    "task.train_k": (int, 2, 20_000),
    "optimizer.lr": (float, 1e-12, 1e6),
    "optimizer.weight_decay": (float, 0, 1e6),
    "optimizer.momentum": (float, 0, 1),
    "optimizer.dampening": (float, 0, 1),
    "optimizer.eps": (float, 0, 1),
    "optimizer.betas[0]": (float, 0, 0.999999999),
    "optimizer.betas[1]": (float, 0, 0.999999999),
    "scheduler.warmup_fraction": (float, 0, 1),
    "scheduler.final_fraction": (float, 0, 1),
    "evaluation.level": (float, 0.01, 0.999999),
    "system.num_workers": (int, 0, 1024),
    "system.num_threads": (int, 1, 4096),
    "system.memory_gb": (float, 0, 10**6),
    "view.width": (int, 1, 8192),
    "view.height": (int, 1, 8192),
    "view.n_samples": (int, 1, 10**7),
} | dict.fromkeys(("trainer.limit_train_batches", "trainer.limit_val_batches"), (float, 1e-9, 10**9))
"""Smallest and largest value of settings that would otherwise fail late, deep inside a library."""


def check_numbers(config: Mapping[str, Any]) -> None:
    """Refuse numbers that are none or out of range, before anything is computed; null is left to its reader.

    Raises:
        ConfigurationError: names the setting, its value and what is allowed.
    """
    values = dict(leaves(config))
    for key, (kind, low, high) in LIMITS.items():
        value = values.get(key)
        is_number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and low <= value <= high):
            what = "a whole number" if kind is int else "a number"
            is_large = is_number and value > high
            limits = f"of at least {low:g}" if high >= MUCH and not is_large else f"from {low:g} to {high:g}"
            raise ConfigurationError(f"{key}={value} is not allowed; give {what} {limits}.")


ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
WORDS: dict[str, tuple[Any, ...]] = {
    "accelerator": ACCELERATORS,
    "dataset.samples.station_choice": ("nearest", "spread", "random"),
    "dataset.samples.window.reference": ("trace", "origin", "onset", "random"),
    "dataset.traces.window.reference": ("trace", "origin", "onset", "random"),
    "explain.method": ("gradcam",),
    "fine_tune.others": ("refuse", "anew"),
    "fine_tune.parts": ("whole", "backbone"),
    "location.mode": ("robust", "paper", "single"),
    "part": ("train", "val", "test", "all"),
    "system.compile": (True, False, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"),
    "system.fused_optimizer": (True, False, "auto"),
    "system.progress": ("auto", "bar", "lines"),
    "trainer.accelerator": ACCELERATORS,
    "trainer.precision": (
        "32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true", "transformer-engine",
        "transformer-engine-float16", "32", "bf16", "16", "64", 32, 16, 64,
    ),
    "trainer.profiler": ("simple", "advanced", "pytorch", "xla"),
    "trainer.strategy": ("auto", "ddp", "ddp_find_unused_parameters_true", "fsdp"),
    "training_events": ("leave_out", "mark", "keep"),
    "uncertainty.method": ("mc_dropout", "laplace", "ensemble", "evidential"),
}  # fmt: skip
"""The words of settings whose readers import torch before they look; a test holds them to what those take."""


def check_words(config: Mapping[str, Any]) -> None:
    """Refuse a word that no reader of the setting knows, before anything is imported; null is left to its reader.

    Raises:
        ConfigurationError: names the setting, its value and what is allowed.
    """
    values = dict(leaves(config))
    for key, allowed in WORDS.items():
        value = values.get(key)
        if value is not None and not any(value == one and type(value) is type(one) for one in allowed):
            named = dict.fromkeys(str(one).lower() if isinstance(one, bool) else str(one) for one in allowed)
            raise ConfigurationError(f"{key}={value} is not allowed. {did_you_mean(str(value), list(named))}")


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths and values of everything that is neither a mapping nor a list."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from leaves(value, f"{path}[{index}]")
    else:
        yield path, node
