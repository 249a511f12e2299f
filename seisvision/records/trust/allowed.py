"""What settings may hold where their readers would refuse it late, deep inside a library or once torch is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.plain_types import shortened

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
    "split.test_fraction": (float, 0, 1 - 1e-12),
    "split.val_fraction": (float, 0, 1 - 1e-12),
    "split.share": (float, 1e-9, 1),
    "split.share_seed": (int, 0, 2**63),
    "split.fold": (int, 0, 10**6),
    "split.n_folds": (int, 2, 10**6),
    "fine_tune.layer_decay": (float, 1e-9, 1),
    "fine_tune.unfreeze_every": (int, 1, 10**9),
    "dataset.samples.max_stations": (int, 1, 10**6),
    "dataset.samples.min_stations": (int, 0, 10**6),
    "dataset.samples.epicentre_error_km": (float, 0, 10**5),
    "dataset.samples.origin_error_s": (float, 0, 10**9),
    "dataset.traces.max_traces_per_event": (int, 1, 10**9),
}
LIMITS |= dict.fromkeys(("trainer.limit_train_batches", "trainer.limit_val_batches"), (float, 1e-9, 10**9))
CUTS = ("dataset.samples", "dataset.traces")
LIMITS |= {f"{cut}.sampling_rate_hz": (float, 1e-9, 10**9) for cut in CUTS}
LIMITS |= {f"{cut}.window.start_s": (float, -1e9, 10**9) for cut in CUTS}
LIMITS |= {f"{cut}.window.length_s": (float, 1e-9, 10**9) for cut in CUTS}
LIMITS |= {f"{cut}.window.jitter_s": (float, 0, 10**9) for cut in CUTS}
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
    "trainer.deterministic": (True, False, "warn"),
    "trainer.profiler": ("simple", "advanced", "pytorch", "xla"),
    "trainer.strategy": ("auto", "ddp", "ddp_find_unused_parameters_true", "fsdp"),
    "launcher.kind": ("local", "local_parallel", "slurm"),
    "sweep.kind": ("grid", "optuna"),
    "training_events": ("leave_out", "mark", "keep"),
    "uncertainty.method": ("mc_dropout", "laplace", "ensemble", "evidential"),
}  # fmt: skip
WORDS |= dict.fromkeys(
    (
        "run.fresh", "run.test", "evaluation.baselines", "split.stratify", "split.refit", "split.before_select",
        "trainer.detect_anomaly", "dataset.samples.window.complete",
        "dataset.samples.window.redrawn", "dataset.traces.window.complete", "dataset.traces.window.redrawn",
        "dataset.traces.event_peak", "launcher.dry_run", "launcher.wait",
    ),
    (True, False),
)  # fmt: skip
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


SECTIONS = (
    "dataset.select", "dataset.derive", "dataset.samples", "dataset.samples.window", "dataset.samples.network",
    "dataset.traces", "dataset.traces.window", "dataset.traces.noise", "dataset.traces.onset", "dataset.beside",
    "dataset.superpose", "dataset.labels", "dataset.baselines", "explain", "location", "stages", "uncertainty",
)  # fmt: skip
"""Settings that hold others by name."""


def check_sections(config: Mapping[str, Any]) -> None:
    """Refuse a word or a number where settings are to stand, each by its name.

    Raises:
        ConfigurationError: names the setting, its value and what is allowed.
    """
    for key in SECTIONS:
        *above, last = key.split(".")
        node: Any = config
        for name in above:
            node = node.get(name) if isinstance(node, Mapping) else None
        value = node.get(last) if isinstance(node, Mapping) else None
        if value is not None and not isinstance(value, Mapping):
            raise ConfigurationError(
                f"{key}={shortened(value)} is not allowed; give settings by name, such as {key}={{name: value}}, or "
                "null."
            )


PATH, COLUMN = "a path (of one that is called by a number: ./7)", "the name of a column"
TEXTS: dict[str, str] = {
    "ckpt": PATH, "init_from": PATH, "offset_ckpt": PATH, "system.data_dir": PATH, "system.runs_dir": PATH,
    "system.scratch": PATH, "split.by": COLUMN, "split.column": COLUMN,
}  # fmt: skip
"""Settings whose readers take a text, which a number on the command line is not, and what it is of."""
NEEDED = ("system.data_dir", "system.runs_dir")
"""Those that cannot be null."""
SEVERAL = ("ckpt",)
"""Those that may be a list of texts."""


def check_texts(config: Mapping[str, Any]) -> None:
    """Refuse a number where a path or a word is to stand, and null where there has to be one.

    Raises:
        ConfigurationError: names the setting, its value and what is allowed.
    """
    for key, what in TEXTS.items():
        node: Any = config
        for name in key.split("."):
            node = node.get(name) if isinstance(node, Mapping) else None
        for value in node if key in SEVERAL and isinstance(node, list | tuple) else [node]:
            if value is not None and not isinstance(value, str):
                raise ConfigurationError(f"{key}={shortened(value)} is not allowed; give {what}.")
    for key in NEEDED:
        group, _, name = key.partition(".")
        if (config.get(group) or {}).get(name, "") is None:
            raise ConfigurationError(f"{key}=null is not allowed; give {TEXTS[key]}.")


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
