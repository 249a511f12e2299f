"""From the validation curves of finished trials, what another trial must reach by each epoch to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seisvision.errors import ConfigurationError


def epoch_limits(
    finished: Sequence[Mapping[int, float]], mode: str, *, percentile: float, startup_trials: int, warmup_epochs: int
) -> dict[int, float]:
    """Limits of the best value so far, by epoch; the rule of the percentile stopping of Golovin et al. (2017, Vizier).

    Args:
        finished: validation values by epoch (from 0) of each trial that was trained to its end.
        mode: ``max`` or ``min`` is better.
        percentile: a trial goes on while it is among this share of the best, in percent; 50 is the median.
        startup_trials: finished trials without which there is no limit.
        warmup_epochs: first epochs without a limit.

    Returns:
        Limits by epoch; empty while nothing can be judged.
    """
    import numpy as np

    if not 0 < percentile < 100:
        raise ConfigurationError(f"sweep.prune.percentile={percentile} must lie between 0 and 100.")
    if not finished or len(finished) < startup_trials:
        return {}
    share = 100 - percentile if mode == "max" else percentile
    epochs = sorted({epoch for values in finished for epoch in values if epoch >= warmup_epochs})
    return {
        epoch: float(np.nanpercentile([values[epoch] for values in finished if epoch in values], share))
        for epoch in epochs
    }
