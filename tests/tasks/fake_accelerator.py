"""A GPU that is not there: it computes shapes only, refuses to be waited for, and counts what it is asked."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from seisvision.base import devices
from seisvision.views import augment
from seisvision.views.sections import azimuth_section
from seisvision.views.traces import spectrogram
from seisvision.views.waveforms import pick_augment

GPU = torch.device("cuda", 0)
ELSEWHERE = ("cuda", "meta")
"""Tensors of the second hold nothing either, and take less time; nothing is moved to where they are."""


class Watch(TorchDispatchMode):
    """Counts kernels, copies between processor and GPU, and results in double precision on the GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.seen: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, given: Sequence[Any] = (), said: Any = None) -> Any:
        said = said or {}
        result = function(*given, **said)
        before = [one for one in tree_leaves((given, said)) if isinstance(one, torch.Tensor)]
        after = [one for one in tree_leaves(result) if isinstance(one, torch.Tensor)]
        on_gpu = [one for one in before + after if one.device.type in ELSEWHERE]
        name = str(function)
        if not on_gpu:
            return result
        self._note("kernels", name) if not function.is_view else None
        if name.startswith(("aten._to_copy", "aten.copy_")):
            source, target = (before[-1], after[0])
            if source.device != target.device:
                way = "to the GPU" if target.device.type in ELSEWHERE else "to the processor"
                is_free = said.get("non_blocking") or (len(given) > 2 and given[2])
                self._note(f"copies {way}" if is_free else f"waiting copies {way}", name)
        if any(one.dtype in (torch.float64, torch.complex128) for one in after if one.device.type in ELSEWHERE):
            self._note("double", name)
        if name.startswith("aten.index_put") and any(one.dtype == torch.bool for one in before):
            self._note("waiting masks", name)
        return result

    def _note(self, what: str, name: str) -> None:
        self.counts[what] += 1
        if what != "kernels":
            self.seen.append(f"{what}: {name}")


def recurrent(layer: nn.RNNBase, values: torch.Tensor) -> tuple[torch.Tensor, Any]:
    """Of the shape of what a recurrent layer gives: it is one call of a library that is not there."""
    ways = 2 if layer.bidirectional else 1
    states = values.new_empty(*values.shape[:2], ways * layer.hidden_size)
    last = values.new_empty(ways * layer.num_layers, len(values), layer.hidden_size)
    return states, (last, last) if layer.mode == "LSTM" else last


def on_gpu(value: Any) -> Any:
    """The same with empty tensors on the GPU, in containers and in objects."""
    if isinstance(value, torch.Tensor):
        return torch.empty(value.shape, dtype=value.dtype, device=GPU)
    if isinstance(value, torch.device):
        return GPU
    if hasattr(value, "_replace"):
        return type(value)(*map(on_gpu, value))
    if isinstance(value, list | tuple):
        return type(value)(map(on_gpu, value))
    if hasattr(value, "__dict__"):
        changed = copy.copy(value)
        for name, part in vars(value).items():
            object.__setattr__(changed, name, on_gpu(part))
        return changed
    return value


@contextlib.contextmanager
def fake_gpu(monkeypatch: pytest.MonkeyPatch, *modules: nn.Module) -> Iterator[None]:
    """Tensors may be put on a GPU, and hold nothing; whoever asks for a value of one gets an error.

    Modules are there already.
    """

    def generator(device: torch.device, seed: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    def made_before(make: Callable[..., Any], place: int) -> Callable[..., Any]:
        """What is made of numbers needs real ones; it goes to the GPU when it is there."""

        @functools.cache
        def made(*given: Any, **said: Any) -> Any:
            with unset_fake_temporarily():
                real = make(*given[:place], torch.device("cpu"), *given[place + 1 :], **said)
            return on_gpu(real)

        return made

    monkeypatch.setattr(spectrogram, "filter_bank", made_before(spectrogram.filter_bank, 7))
    monkeypatch.setattr(azimuth_section, "back_propagation", made_before(azimuth_section.back_propagation, 2))
    for layer in (nn.LSTM, nn.GRU, nn.RNN):
        monkeypatch.setattr(layer, "forward", recurrent)
    for module in (augment, pick_augment):
        monkeypatch.setattr(module, "device_generator", generator)
    devices.forget_kept()
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            for module in (part for whole in modules for part in whole.modules()):
                if isinstance(module, pl.LightningModule):
                    module._device = GPU
                for name, weight in module._parameters.items():
                    if weight is not None:
                        module._parameters[name] = nn.Parameter(torch.empty_like(weight, device=GPU))
                for name, values in module._buffers.items():
                    if values is not None:
                        module._buffers[name] = torch.empty_like(values, device=GPU)
            yield
    finally:
        # What was made there holds nothing.
        devices.forget_kept()
