"""Numbers that an accelerator needs, brought there without its being waited for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from seisvision import keys

Made = TypeVar("Made")

_forgetting: list[Callable[[], None]] = []


def sent(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """``values`` on ``device``; an accelerator gets them from pinned memory, while the processor goes on."""
    if values.device == device or device.type == "cpu":
        return values.to(device)
    if device.type == "cuda" and values.device.type == "cpu" and torch.cuda.is_available():
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def moved(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch with its tensors on a device, those of pinned memory while the processor goes on.

    What samples count stays on the processor, which asks for it.
    """
    on_device: dict[str, Any] = {}
    for key, value in batch.items():
        if isinstance(value, torch.Tensor) and key != keys.COUNTS:
            on_device[key] = value.to(device, non_blocking=device.type != "cpu")
        else:
            on_device[key] = moved(value, device) if isinstance(value, dict) else value
    return on_device


def kept(make: Callable[..., Made]) -> Callable[..., Made]:
    """Remember what a function made of settings and a device, such as the gains of a filter: they travel there once.

    Arguments must be hashable. What is made serves trainings and inference alike, whichever asked first.
    """

    @functools.lru_cache(maxsize=64)
    def made(*arguments: Any, **settings: Any) -> Made:
        with torch.inference_mode(False), torch.no_grad():
            return make(*arguments, **settings)

    _forgetting.append(made.cache_clear)
    return functools.wraps(make)(made)


@kept
def numbers(values: tuple[float, ...], device: torch.device) -> torch.Tensor:
    """float32 (N,) on a device, which settings travel to once."""
    return torch.tensor(values, dtype=torch.float32, device=device)


def forget_kept() -> None:
    """Make anew, the next time, all that :func:`kept` has kept."""
    for forget in _forgetting:
        forget()


def device_generator(device: torch.device, seed: int) -> torch.Generator:
    """A random generator that draws on ``device``: the same numbers again on the same kind of device, not on others."""
    return torch.Generator(device).manual_seed(seed)
