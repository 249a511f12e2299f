"""The LightningModule of forecasts: a network says how many events come, beside what a reference says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seisvision import keys
from seisvision.base.devices import moved
from seisvision.errors import ConfigurationError
from seisvision.seeding import DEFAULT_SEED, stream_seed
from seisvision.tasks.at_once import step_at_once
from seisvision.tasks.decay import decay_groups
from seisvision.tasks.epoch_means import EpochMeans
from seisvision.tasks.exact import counting, loss_factors, share_batch_norm, share_of
from seisvision.tasks.noted_hooks import NotedHooks

LOSSES = ("poisson", "occurrence")
LOG_LIMITS = (-30.0, 8.0)
"""Of rates: none is 0, for what is called impossible and happens costs everything."""


class RateTask(NotedHooks):
    """Learns rates by the likelihood of counts, or chances by that of any event at all.

    The network's number of a cell is added to the logarithm of what the ``anchor`` expects (``loss=poisson``) or to its
    log odds (``loss=occurrence``), so that an untrained network says about what the anchor says.

    Args:
        model: batch of a forecast to one number a cell, (B, C) or (B, Y, X).
        rate_names: R references whose ``LOG_RATES`` batches hold.
        places: (C,) where the cells lie on the lattice of the network's maps.
        anchor: which of the references is anchored to.
        events_per_sample: mean of the training, by which the loss is divided: nats per event.
        optimizer: builds the optimiser from parameters.
        scheduler: builds a schedule from the optimiser and ``total_steps``; ``None`` keeps the rate constant.
        loss: ``poisson``: negative log-likelihood of counts. ``occurrence``: binary cross-entropy of any event.
        positive_weight: of samples with an event in ``occurrence``. Chances are scaled back by it before anything is
            measured, the validation loss included.
        shrinks: after training, take the part of the network's correction, from none to all, that makes the validation
            most likely.
        seed: of dropout.
        decay: weight decay by pattern of names.

    Raises:
        ConfigurationError: a setting is not known.
    """

    monitor, monitor_mode = "val/loss", "min"
    places: Tensor

    def __init__(
        self,
        model: nn.Module,
        rate_names: Sequence[str],
        places: Sequence[int],
        events_per_sample: float,
        optimizer: Callable[[Iterable[Any]], torch.optim.Optimizer],
        scheduler: Callable[..., Any] | None = None,
        anchor: str = "poisson",
        loss: str = "poisson",
        positive_weight: float = 1.0,
        shrinks: bool = False,
        seed: int = DEFAULT_SEED,
        decay: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise ConfigurationError(f"task.loss={loss} is not known; give one of {', '.join(LOSSES)}")
        if anchor not in rate_names:
            raise ConfigurationError(f"task.anchor={anchor} is not known; give one of {', '.join(rate_names)}")
        if not positive_weight > 0 or (positive_weight != 1 and loss == "poisson"):
            raise ConfigurationError(
                f"task.positive_weight={positive_weight:g} is not allowed with loss={loss}; counts are not weighted, "
                "and loss=occurrence takes a number above 0"
            )
        self.model, self.loss_name, self.positive_weight = model, loss, float(positive_weight)
        self.anchor_place, self.anchor = list(rate_names).index(anchor), anchor
        self.register_buffer("places", torch.tensor(list(places)), persistent=False)
        self.events_per_sample, self.shrinks, self.seed = max(events_per_sample, 1e-3), shrinks, seed
        self._make_optimizer, self._make_scheduler, self.decay = optimizer, scheduler, dict(decay or {})
        self.fused: bool | str = "auto"
        """See :func:`~seisvision.tasks.at_once.step_at_once`."""
        self._means = EpochMeans()
        self.about: dict[str, Any] = {}
        """What makes a checkpoint usable by itself: plain containers only."""

    def forward(self, batch: dict[str, Any]) -> Tensor:
        """The network's number of each cell, (B, C)."""
        raw = self.model(batch)
        return raw.flatten(1)[:, self.places] if raw.ndim == 3 else raw

    def log_rates(self, batch: dict[str, Any], raw: Tensor, part: float = 1.0) -> Tensor:
        """Logarithm of the rates (B, C), with a ``part`` of the correction ``raw`` (B, C)."""
        anchor = batch[keys.LOG_RATES][:, self.anchor_place]
        if self.loss_name == "poisson":
            return (anchor + part * raw).clamp(*LOG_LIMITS)
        odds = _log_odds(anchor) + part * raw
        return _log_rates_of_odds(odds).clamp(*LOG_LIMITS)

    def configure_model(self) -> None:
        """Take batch norms over the global batch where several processes share it."""
        if self.trainer.world_size > 1:
            share_batch_norm(self)

    def transfer_batch_to_device(
        self, batch: dict[str, Any], device: torch.device, dataloader_idx: int
    ) -> dict[str, Any]:
        """Move what is a tensor, see :func:`~seisvision.base.devices.moved`."""
        return moved(batch, device)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what another program needs to use the weights."""
        checkpoint["seisvision"] = {**self.about, "epoch": self.current_epoch}

    def on_train_epoch_start(self) -> None:
        """Seed dropout by epoch, so that a resumed run draws what an uninterrupted one would have drawn."""
        torch.manual_seed(stream_seed(self.seed, "dropout", self.current_epoch, self.global_rank))

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        """Loss of one training batch."""
        return self._step(batch, "train")

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        """Loss of one validation batch, in nats per event, without weights."""
        return self._step(batch, "val")

    def _step(self, batch: dict[str, Any], part: str) -> Tensor:
        share = share_of(batch)
        with counting(share):
            raw = self(batch)
        counts = batch[keys.EVENT_COUNTS]
        per_sample = self._weighted(batch, raw, counts) if part == "train" else self._unweighted(batch, raw, counts)
        loss = per_sample.mean() / self.events_per_sample
        (factor,) = loss_factors([torch.tensor(float(len(counts)))], share)
        size = len(counts) if share is None else share.n_samples
        self._means.add(part, {"loss": loss * factor}, size)
        return loss * factor

    def on_train_batch_end(self, outputs: Any, batch: dict[str, Any], batch_index: int) -> None:
        """Log the loss after the last batch."""
        if self.trainer.is_last_batch:
            self._means.log(self, "train")

    def on_validation_epoch_end(self) -> None:
        """Log the loss of the validation."""
        self._means.log(self, "val")

    def _weighted(self, batch: dict[str, Any], raw: Tensor, counts: Tensor) -> Tensor:
        if self.loss_name == "poisson":
            return self._unweighted(batch, raw, counts)
        weight = raw.new_full((), self.positive_weight)
        # Weighted samples have odds that are larger by the weight. It is added here and nowhere else, so that the
        # network learns what belongs to samples as they come.
        odds = _log_odds(batch[keys.LOG_RATES][:, self.anchor_place]) + raw + weight.log()
        happened = (counts > 0).to(odds)
        return functional.binary_cross_entropy_with_logits(odds, happened, pos_weight=weight, reduction="none").sum(1)

    def _unweighted(self, batch: dict[str, Any], raw: Tensor, counts: Tensor) -> Tensor:
        log_rates = self.log_rates(batch, raw)
        if self.loss_name == "poisson":
            return (log_rates.exp() - counts * log_rates).sum(1)
        happened = (counts > 0).to(log_rates)
        return functional.binary_cross_entropy_with_logits(_log_odds(log_rates), happened, reduction="none").sum(1)

    def configure_optimizers(self) -> Any:
        """Build the optimiser and, where there is one, the schedule that is stepped once a batch."""
        optimizer = self._make_optimizer(decay_groups(self, self.decay) if self.decay else self.parameters())
        step_at_once(optimizer, self.fused)
        if self._make_scheduler is None:
            return optimizer
        scheduler = self._make_scheduler(optimizer, total_steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _log_odds(log_rates: Tensor) -> Tensor:
    """Of at least one event, where events come independently: log(exp(rate) - 1)."""
    rate = log_rates.exp()
    return torch.where(rate < 1e-4, log_rates + rate / 2, rate.clamp_min(1e-4).expm1().log())


def _log_rates_of_odds(odds: Tensor) -> Tensor:
    """The inverse: log(log(1 + exp(odds)))."""
    rate = functional.softplus(odds)
    return torch.where(odds < -9, odds - odds.exp() / 2, rate.clamp_min(1e-5).log())
