"""The LightningModule of every task that learns from labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from seisvision import keys
from seisvision.base.devices import moved
from seisvision.base.units import all_id_columns
from seisvision.errors import ConfigurationError
from seisvision.models.backbone import Backbone
from seisvision.outputs.output import Output
from seisvision.seeding import DEFAULT_SEED, stream_seed
from seisvision.tasks.at_once import step_at_once
from seisvision.tasks.decay import decay_groups
from seisvision.tasks.epoch_means import EpochMeans
from seisvision.tasks.exact import counting, gather_rows, loss_factors, share_batch_norm, share_of
from seisvision.tasks.fine_tuning import FineTuning, free, rated_groups
from seisvision.tasks.kept_answers import KeptAnswers
from seisvision.tasks.noted_hooks import NotedHooks
from seisvision.tasks.passes.pooling import Passes, pooled
from seisvision.views.view import View


class SupervisedTask(NotedHooks):
    """Waveforms to picture to features to outputs, trained with the sum of the outputs' losses.

    Batches are the dicts of :mod:`seisvision.keys`. The view draws after the transfer to the accelerator, so
    raw waveforms travel and augmentation acts on waveforms.

    Args:
        model: backbone with ``num_features``: picture (B, P, H, W) to features (B, F).
        view: draws pictures (B, P, H, W) from a batch; has no learned weights.
        outputs: what is predicted.
        optimizer: builds the optimiser from parameters, such as a ``functools.partial`` of ``torch.optim.AdamW``.
        scheduler: builds a schedule from the optimiser and the number of steps of the whole training
            (``total_steps``), stepped once a batch; ``None`` keeps the rate constant.
        augment: changes training batches (``augment(batch, epoch, step, share)``); ``None`` leaves them as they are.
        seed: base seed of the streams for heads and dropout.
        monitor: the logged value by which the best epoch is chosen, and its direction, ``max`` or ``min``.
        decay: weight decay of the parameters whose names fit a pattern, instead of the optimiser's own; of several
            patterns the last counts. ``{"*.bias": 0}`` spares biases, ``{"*": 0, "heads.*.weight": 1e-3}`` holds only
            the heads.
    """

    def __init__(
        self,
        model: Backbone,
        view: View,
        outputs: Sequence[Output],
        optimizer: Callable[[Iterable[Any]], torch.optim.Optimizer],
        scheduler: Callable[..., Any] | None = None,
        augment: nn.Module | None = None,
        seed: int = DEFAULT_SEED,
        monitor: tuple[str, str] = ("val/loss", "min"),
        decay: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.view, self.augment = model, view, augment
        self.outputs = tuple(outputs)
        for output in outputs:
            output.build_for(model, view)
        self.heads = nn.ModuleList(outputs)
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        self.seed, self.decay = seed, dict(decay or {})
        self.monitor, self.monitor_mode = monitor
        self.about: dict[str, Any] = {}
        """What makes a checkpoint usable by itself (configuration, classes, ...): plain containers only."""
        self.fused: bool | str = "auto"
        """See :func:`~seisvision.tasks.at_once.step_at_once`."""
        self.passes: Passes | None = None
        """How a sample is asked several times; None: once."""
        self.fine_tuning = FineTuning()
        """What of the network learns, how fast and from when on."""
        self.kept_answers = KeptAnswers()
        """What it answered in validation, for whoever wants it afterwards."""
        self._seen: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
        self._means = EpochMeans()

    def forward(self, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Raw outputs by name, such as logits (B, K), for a batch of waveforms."""
        return self.look(self.view(batch))

    def look(self, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        """Raw outputs by name for pictures (B, P, ...) that are drawn already."""
        model: Any = self.model
        seen: dict[bool, torch.Tensor] = {}
        raw = {}
        for output in self.outputs:
            if output.sees_picture:
                raw[output.name] = output.look(picture, model)
                continue
            if output.on_maps not in seen:
                seen[output.on_maps] = model.maps(picture) if output.on_maps else model(picture)
            raw[output.name] = output(seen[output.on_maps])
        return raw

    def configure_model(self) -> None:
        """Take batch norms over the global batch where several processes share it.

        Raises:
            ConfigurationError: parts are to be freed later, whose gradients the processes would not share.
        """
        if self.trainer.world_size == 1:
            return
        if self.fine_tuning.changes_training and "FSDP" in type(self.trainer.strategy).__name__:
            raise ConfigurationError("fine_tune does not go with trainer=fsdp. Set trainer=ddp.")
        if self.fine_tuning.unfreeze_every is not None:
            raise ConfigurationError(
                "fine_tune.unfreeze_every needs a single process: several agree at the beginning on what learns. Set "
                "trainer.devices=1, or fine_tune.unfreeze_every=null."
            )
        share_batch_norm(self)

    def transfer_batch_to_device(
        self, batch: dict[str, Any], device: torch.device, dataloader_idx: int
    ) -> dict[str, Any]:
        """Move what is a tensor; Lightning itself would look at every id of every sample, one after the other."""
        return moved(batch, device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what another program needs to use the weights."""
        checkpoint["seisvision"] = {**self.about, "epoch": self.current_epoch}

    def on_train_epoch_start(self) -> None:
        """Seed dropout by epoch, so that a resumed run draws what an uninterrupted one would have; free what learns."""
        self.kept_answers.begin()
        torch.manual_seed(stream_seed(self.seed, "dropout", self.current_epoch, self.global_rank))
        if self.fine_tuning.changes_training:
            free(self, self.fine_tuning.learning(self, self.current_epoch))

    def training_step(self, batch: dict[str, Any], batch_index: int) -> torch.Tensor:
        """Loss of one training batch."""
        return self._step(batch, batch_index, "train")

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> torch.Tensor:
        """Loss and running metrics of one validation batch."""
        return self._step(batch, batch_index, "val")

    def predict_step(self, batch: dict[str, Any], batch_index: int) -> dict[str, Any]:
        """Decoded outputs, true values as far as they are known, and ids of one batch."""
        if self.passes is None:
            raw = self(batch)
            decoded, apart = self._decoded(raw), self._apart(raw)
        else:
            raw, decoded, apart = pooled(self, batch, self.passes)
        return self._answer(batch, raw, decoded, apart)

    def _decoded(self, raw: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {output.name: output.decode(raw[output.name].detach()) for output in self.outputs}

    def _apart(self, raw: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
        return {output.name: output.apart(raw[output.name]) for output in self.outputs}

    def _answer(
        self,
        batch: dict[str, Any],
        raw: Mapping[str, torch.Tensor],
        decoded: Mapping[str, torch.Tensor],
        apart: Mapping[str, Mapping[str, torch.Tensor]],
    ) -> dict[str, Any]:
        """What is said of a batch, on the processor."""
        decoded = {name: values.cpu() for name, values in decoded.items()}
        for output in self.outputs:
            beside = output.beside(batch)
            if beside is not None:
                decoded[output.name] = torch.cat([decoded[output.name], beside.to(decoded[output.name])], 1)
        known = [output for output in self.outputs if set(output.columns) <= batch[keys.TARGETS].keys()]
        truths = {output.name: _truth(output, batch, raw).cpu() for output in known}
        about = (*all_id_columns(), keys.COUNTS)
        ids: dict[str, Any] = {key: batch[key] for key in about if key in batch}
        if keys.COUNTS in ids:
            ids[keys.COUNTS] = ids[keys.COUNTS].cpu()
        told = {name: {part: values.cpu() for part, values in one.items()} for name, one in apart.items()}
        return {**ids, "decoded": decoded, "apart": told, "truth": truths}

    def _step(self, batch: dict[str, Any], batch_index: int, part: str) -> torch.Tensor:
        share = share_of(batch)
        if part == "train" and self.augment is not None:
            batch = self.augment(batch, self.current_epoch, batch_index, share)
        with counting(share):
            raw = self(batch)
        targets = [_truth(output, batch, raw) for output in self.outputs]
        factors: Sequence[torch.Tensor | float] = [1.0] * len(targets)
        if share is not None:
            weights = [output.known_weight(target) for output, target in zip(self.outputs, targets, strict=True)]
            factors = loss_factors(weights, share)
        all_decoded = self._decoded(raw)
        if part == "val" and self.kept_answers.are_wanted:
            self.kept_answers.add(self._answer(batch, raw, all_decoded, self._apart(raw)))
        total = torch.zeros((), device=self.device)
        for output, target, factor in zip(self.outputs, targets, factors, strict=True):
            total = total + output.weight * output.loss(raw[output.name], target) * factor
            n_counted = len(target) if share is None or share.counts else 0
            decoded = all_decoded[output.name][:n_counted]
            self._seen.setdefault(f"{part}/{output.name}", []).append((decoded, target[:n_counted]))
        size = len(batch[keys.SOURCE_ID]) if share is None else share.n_samples
        self._means.add(part, {"loss": total}, size)
        return total

    def on_train_batch_end(self, outputs: Any, batch: dict[str, Any], batch_index: int) -> None:
        """Log the loss after the last batch, before anything that happens at the end of the epoch asks for it."""
        if self.trainer.is_last_batch:
            self._means.log(self, "train")

    def on_train_epoch_end(self) -> None:
        """Log the running metrics of the training events as the network saw them."""
        self._log_running("train")

    def on_validation_epoch_end(self) -> None:
        """Log loss and running metrics of the whole validation split."""
        self._means.log(self, "val")
        self._log_running("val")

    def _log_running(self, part: str) -> None:
        for output in self.outputs:
            seen = self._seen.pop(f"{part}/{output.name}", [])
            if not seen:
                continue
            decoded, target = torch.cat([pair[0] for pair in seen]), torch.cat([pair[1] for pair in seen])
            for name, value in output.running_metrics(gather_rows(decoded), gather_rows(target)).items():
                self.log(f"{part}/{output.name}_{name}", value)

    def configure_optimizers(self) -> Any:
        """Build the optimiser and, where there is one, the schedule that is stepped once a batch."""
        parameters: Any = decay_groups(self, self.decay) if self.decay else self.parameters()
        if self.fine_tuning.layer_decay != 1:
            groups = parameters if self.decay else [{"params": list(parameters)}]
            parameters = rated_groups(groups, self, self.fine_tuning.rates(self))
        optimizer = self._make_optimizer(parameters)
        for group in optimizer.param_groups:
            group["lr"] *= group.get("rate", 1.0)
        step_at_once(optimizer, self.fused)
        if self._make_scheduler is None:
            return optimizer
        scheduler = self._make_scheduler(optimizer, total_steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _truth(output: Output, batch: dict[str, Any], raw: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """True values (B,) or (B, D) of an output: from the set, or from the picture that the network saw."""
    return output.truth_seen(raw[output.name]) if output.sees_picture else output.truth(batch)
