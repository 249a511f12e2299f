"""A channel that is 1 between P and S."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.picking.s_minus_p import pick_phases

BOXES = ("none", "catalogue", "picker")


def check_box(source: str, components: str) -> None:
    """Refuse to pick on fewer than three components.

    Raises:
        ConfigurationError: a component is missing.
    """
    if source == "picker" and not set(keys.COMPONENTS) <= set(components):
        raise ConfigurationError(
            f"ps_box='picker' picks S on the transverse component and needs Z, N and E, but components='{components}'; "
            "add them, or choose ps_box='catalogue' or 'none'"
        )


def phases_of(batch: dict[str, Any], source: str, components: str) -> torch.Tensor:
    """Return P and S (B, 2) of single traces in seconds after the start of the window, NaN where they are not known.

    Args:
        batch: of single traces.
        source: ``catalogue`` or ``picker``.
        components: order of the components in the waveforms.
    """
    waveform = batch[keys.WAVEFORM]
    if source == "picker":
        order = [components.index(component) for component in keys.COMPONENTS]
        chosen = {
            keys.WAVEFORM: waveform[:, :, order].float().nan_to_num(0.0, 0.0, 0.0).cpu().numpy(),
            keys.ONSET_S: batch[keys.ONSET_S].cpu().numpy(),
            keys.SAMPLING_RATE_HZ: batch[keys.SAMPLING_RATE_HZ],
        }
        phases = pick_phases(chosen)
        return torch.from_numpy(np.stack([phases.p_s, phases.s_s], 1))
    if keys.ARRIVALS_S in batch:
        return batch[keys.ARRIVALS_S][:, 0]
    return waveform.new_full((len(waveform), 2), torch.nan, dtype=torch.float32)


def ps_box(phases_s: torch.Tensor, sampling_rate_hz: float, n_samples: int) -> torch.Tensor:
    """Return lines (B, T) that are 1 from P up to S and 0 elsewhere, or everywhere where one of them is not known.

    Args:
        phases_s: P and S (B, 2) after the first sample; they may lie outside the window.
        sampling_rate_hz: of the lines.
        n_samples: T.
    """
    time_s = torch.arange(n_samples, device=phases_s.device) / sampling_rate_hz
    p_s, s_s = phases_s[:, :1], phases_s[:, 1:]
    # Comparisons with NaN are false.
    return ((time_s >= p_s) & (time_s < s_s)).to(phases_s)
