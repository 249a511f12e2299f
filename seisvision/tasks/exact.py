"""What makes several processes compute what one process computes with the same global batch.

Losses are divided by what counts in the global batch, batch norm takes its statistics over it, and augmentation draws
for it. What stays different is the order of floating-point sums, and dropout, which each process draws for itself.
Nothing here does anything in a single process.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn
from torch.distributed import ReduceOp

from seisvision import keys
from seisvision.base.share import Share, rank_and_size
from seisvision.models.networks.blocks import CountedBatchNorm1d

log = logging.getLogger(__name__)

_counts: ContextVar[bool] = ContextVar("counts", default=True)
"""Whether the samples that this process has in the present batch count."""


def share_of(batch: dict[str, Any]) -> Share | None:
    """What part of the global batch ``batch`` is; ``None`` where there is one process. All processes must call it."""
    rank, n_ranks = rank_and_size()
    if n_ranks == 1:
        return None
    # They are on the processor, where asking costs nothing.
    counts = bool(batch[keys.COUNTS].all()) if keys.COUNTS in batch else True
    # A process that has run out of samples repeats some, so that no other one waits for it in vain; they have no size.
    # Samples without waveforms are windows of a catalogue, in which nothing is padded.
    largest = batch[keys.WAVEFORM if keys.WAVEFORM in batch else keys.EVENT_COUNTS]
    n_samples, n_stations = largest.shape[:2] if counts else (0, 0)
    # On the processor, so that no accelerator has to be waited for.
    sizes = torch.tensor([n_samples, n_stations])
    everywhere = [torch.empty_like(sizes) for _ in range(n_ranks)]
    torch.distributed.all_gather(everywhere, sizes)
    of_all = torch.stack(everywhere)
    return Share(rank, n_ranks, int(of_all[:, 0].sum()), int(of_all[:, 1].max()), counts)


@contextlib.contextmanager
def counting(share: Share | None) -> Iterator[None]:
    """Tell batch norm in this block whether the samples of this process count."""
    token = _counts.set(share is None or share.counts)
    try:
        yield
    finally:
        _counts.reset(token)


def loss_factors(weights: Sequence[torch.Tensor], share: Share | None) -> list[torch.Tensor | float]:
    """Factors that turn means over the samples of this process into this process's part of means over all.

    The mean over processes of factor times local mean, which is what distributed training steps along, is then the mean
    over the global batch. All processes must call it.

    Args:
        weights: for each loss, the sum of the weights of the samples that count in it, ().
        share: of this process; where it is ``None`` all factors are 1.
    """
    if share is None:
        return [1.0] * len(weights)
    local = torch.stack([weight.detach().float() for weight in weights]) * share.counts
    everywhere = local.clone()
    torch.distributed.all_reduce(everywhere)
    # Where nothing counts anywhere 0 / tiny is 0, and the loss adds nothing; 0 / 0 would end the training.
    return list((local * share.n_ranks / everywhere.clamp_min(torch.finfo(torch.float32).tiny)).unbind())


def gather_rows(values: torch.Tensor) -> torch.Tensor:
    """Rows (N, ...) of all processes one after the other; processes may have different numbers of rows."""
    _, n_ranks = rank_and_size()
    if n_ranks == 1:
        return values
    n_rows = torch.tensor([len(values)])
    sizes = [torch.empty_like(n_rows) for _ in range(n_ranks)]
    torch.distributed.all_gather(sizes, n_rows)
    longest = int(torch.cat(sizes).max())
    # The collective takes equal shapes only.
    padded = values.new_zeros((longest, *values.shape[1:]))
    padded[: len(values)] = values
    everywhere = [torch.empty_like(padded) for _ in range(n_ranks)]
    torch.distributed.all_gather(everywhere, padded)
    return torch.cat([rows[: int(size)] for rows, size in zip(everywhere, sizes, strict=True)])


def rows_in_order(mine: torch.Tensor, n_total: int) -> torch.Tensor:
    """Rows (N, F) in the order of the data from the rows of all processes: rank r of R has r, r + R, r + 2 R, ..."""
    _, n_ranks = rank_and_size()
    if n_ranks == 1:
        return mine
    padded = mine.new_zeros(-(-n_total // n_ranks), *mine.shape[1:])
    padded[: len(mine)] = mine
    everywhere = [torch.empty_like(padded) for _ in range(n_ranks)]
    torch.distributed.all_gather(everywhere, padded)
    return torch.stack(everywhere, 1).flatten(0, 1)[:n_total]


BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, CountedBatchNorm1d)


def share_batch_norm(module: nn.Module) -> None:
    """Replace, in place, every batch norm below ``module`` by one over the global batch, with the same weights."""
    for name, child in module.named_children():
        if type(child) in BATCH_NORMS:
            setattr(module, name, GlobalBatchNorm(child))  # type: ignore[arg-type]
        else:
            if isinstance(child, nn.modules.batchnorm._BatchNorm) and not isinstance(child, GlobalBatchNorm):
                log.warning(
                    "%s normalises over the samples of one process only, so that results depend on their number",
                    type(child).__name__,
                )
            share_batch_norm(child)


class GlobalBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm (Ioffe and Szegedy 2015) whose statistics are those of the global batch, on any device.

    torch's own SyncBatchNorm refuses to run on processors. Names of weights and buffers are those of the batch norm
    that it replaces.

    Args:
        replaced: gives the settings, and its very parameters and buffers.
    """

    def __init__(self, replaced: nn.modules.batchnorm._BatchNorm) -> None:
        super().__init__(
            replaced.num_features, replaced.eps, replaced.momentum, replaced.affine, replaced.track_running_stats
        )
        self.weight, self.bias = replaced.weight, replaced.bias
        self.running_mean, self.running_var = replaced.running_mean, replaced.running_var
        self.num_batches_tracked = replaced.num_batches_tracked
        self.training = replaced.training

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Accept any shape."""

    def forward(self, input: torch.Tensor, counted: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise (B, F, ...) by channel; outside training with the running statistics.

        Args:
            input: of this process.
            counted: bool (B,), which of it has a say in the statistics; None: all.
        """
        is_training = self.training or self.running_mean is None
        if not is_training or rank_and_size()[1] == 1:
            return super().forward(input)
        output, mean, variance, n_values = _Normalise.apply(
            input, self.weight, self.bias, self.eps, _counts.get(), counted
        )
        if self.running_mean is not None and self.running_var is not None:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            momentum = self.num_batches_tracked.float().reciprocal() if self.momentum is None else self.momentum
            # As torch has it: normalised with the biased variance, remembered with the unbiased one.
            unbiased = variance * (n_values / (n_values - 1).clamp_min(1))
            self.running_mean.lerp_(mean.to(self.running_mean), momentum)
            self.running_var.lerp_(unbiased.to(self.running_var), momentum)
        return output


class _Normalise(torch.autograd.Function):
    """Normalisation by mean and variance over all processes, with its gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        input: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        eps: float,
        counts: bool,
        counted: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        values = input.float()
        over = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1] + [1] * (values.ndim - 2)
        rows = None if counted is None else counted.to(values).view(-1, *[1] * (values.ndim - 1))
        n_values = values.new_full((1,), values.numel() / values.shape[1] if counts else 0)
        if rows is None:
            variance, mean = torch.var_mean(values, dim=over, correction=0)
        else:
            share = rows / (rows.sum() * values[0, 0].numel()).clamp_min(1)
            mean = (values * share).sum(over)
            variance = ((values - mean.view(shape)).square() * share).sum(over)
            n_values = n_values * rows.mean()
        local = torch.cat([mean, variance, n_values])
        everywhere = [torch.empty_like(local) for _ in range(rank_and_size()[1])]
        torch.distributed.all_gather(everywhere, local)
        means, variances, numbers = torch.stack(everywhere).split([len(mean), len(mean), 1], dim=1)
        # Chan, Golub and LeVeque (1983): variances of parts to that of the whole, without cancellation.
        n_all = numbers.sum()
        mean = (means * numbers).sum(0) / n_all
        variance = ((variances + (means - mean).square()) * numbers).sum(0) / n_all
        scale = (variance + eps).rsqrt()
        normalised = (values - mean.view(shape)) * scale.view(shape)
        output = normalised if weight is None else normalised * weight.view(shape)
        output = output if bias is None else output + bias.view(shape)
        ctx.save_for_backward(input, weight, mean, scale, n_all, rows)
        ctx.counts, ctx.over, ctx.shape = counts, over, shape
        ctx.has_bias = bias is not None
        ctx.mark_non_differentiable(mean, variance, n_all)
        return output.to(input.dtype), mean, variance, n_all

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor, *unused: torch.Tensor) -> tuple[Any, ...]:
        input, weight, mean, scale, n_all, rows = ctx.saved_tensors
        shape, gradient = ctx.shape, gradient.float()
        normalised = (input.float() - mean.view(shape)) * scale.view(shape)
        of_bias = gradient.sum(ctx.over)
        of_weight = (gradient * normalised).sum(ctx.over)
        sums = torch.stack([of_bias, of_weight]) * ctx.counts
        torch.distributed.all_reduce(sums, ReduceOp.SUM)
        # Samples that do not count had no part in the statistics, and nothing flows back to them through these.
        if ctx.counts:
            along_mean, along_scale = (sums / n_all).unbind()
            along = along_mean.view(shape) + normalised * along_scale.view(shape)
            gradient = gradient - (along if rows is None else along * rows)
        factor = scale if weight is None else scale * weight
        # The gradients of weight and bias stay those of this process: the strategy averages them with all others.
        of_input = (gradient * factor.view(shape)).to(input.dtype)
        return of_input, None if weight is None else of_weight, of_bias if ctx.has_bias else None, None, None, None
